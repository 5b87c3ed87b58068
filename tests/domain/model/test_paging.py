"""Page requests, pages and cursors."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplift.domain.errors import ErrorCode, InvalidInput
from uplift.domain.model.paging import (
    MAX_PAGE_SIZE,
    Page,
    PageRequest,
    decode_cursor,
    encode_cursor,
    page_of,
    page_request,
)


@pytest.mark.parametrize("first", [1, 2, MAX_PAGE_SIZE])
def test_accepts_page_sizes_from_one_to_the_limit(first: int) -> None:
    assert page_request(first, None) == PageRequest(first=first, after=None)


@pytest.mark.parametrize("first", [0, -1, MAX_PAGE_SIZE + 1, 10**30])
def test_a_page_of_any_other_size_is_refused(first: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        page_request(first, None)
    assert refused.value.message == f"Expected first to be from 1 to 1,000, but got {first}."
    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_INPUT, ("first",))


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_a_cursor_leads_back_to_its_key(key: int) -> None:
    assert decode_cursor(encode_cursor(key)) == key
    assert page_request(5, encode_cursor(key)) == PageRequest(first=5, after=key)


def forged(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "k1",
        "!",
        "a",
        "\N{GRINNING FACE}",
        "\ud800",
        encode_cursor(7) + "=",
        encode_cursor(7) + " ",
        forged(b"7"),
        forged(b"k"),
        forged(b"k-1"),
        forged(b"k+1"),
        forged(b"k01"),
        forged(b"k 1"),
        forged(b"k1_0"),
        forged(b"kk1"),
        forged("k\N{ARABIC-INDIC DIGIT ONE}".encode()),
        forged(b"k9223372036854775808"),
        forged(b"k" + b"9" * 5_000),
        forged(b"\xff"),
    ],
)
def test_what_is_no_cursor_of_ours_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        page_request(5, cursor)
    assert refused.value.message == f"Expected after to be a cursor of this list, but got {cursor[:100]!r}."
    assert refused.value.field == ("after",)


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        key = decode_cursor(text)
    except InvalidInput:
        return
    assert encode_cursor(key) == text


def test_an_extra_row_only_shows_that_more_follow() -> None:
    rows = [(4, "a"), (7, "b"), (9, "c")]
    assert page_of(rows, 2) == Page(items=("a", "b"), sort_keys=(4, 7), has_next=True)
    assert page_of(rows, 3) == Page(items=("a", "b", "c"), sort_keys=(4, 7, 9), has_next=False)
    assert page_of([], 3) == Page(items=(), sort_keys=(), has_next=False)


def test_a_page_keeps_keys_and_cursors_when_its_items_are_shown_otherwise() -> None:
    page = page_of([(4, "a"), (7, "b"), (9, "c")], 2).map(str.upper)
    assert page == Page(items=("A", "B"), sort_keys=(4, 7), has_next=True)


@given(st.integers(min_value=0, max_value=2**63 - 1), st.text("abc0.k", min_size=1))
def test_a_cursor_of_one_listing_is_refused_in_another(key: int, listing: str) -> None:
    cursor = encode_cursor(key, listing)
    assert decode_cursor(cursor, listing) == key
    for other in ("", listing + "x"):
        with pytest.raises(InvalidInput, match="a list with the same filter and order") as refused:
            page_request(5, cursor, other)
        assert refused.value.field == ("after",)
    with pytest.raises(InvalidInput, match="a list with the same filter and order"):
        decode_cursor(encode_cursor(key), listing)
