"""Tests how errors of the domain look in HTTP."""

import pytest

from uplift.domain.errors import (
    ErrorCode,
    Forbidden,
    KeyFault,
    StoreUnavailable,
    TooManyRequests,
    Unauthenticated,
    UpliftError,
)
from uplift.web.error_status import STATUS_OF, headers_of, message_of
from uplift.web.errors import HttpCode, RequestError, require_method


def test_every_error_of_the_domain_has_a_status() -> None:
    assert set(STATUS_OF) == set(ErrorCode)


def test_a_code_of_http_is_none_of_the_domain() -> None:
    assert set(HttpCode).isdisjoint(ErrorCode)


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (Unauthenticated(), {"www-authenticate": "Bearer"}),
        (StoreUnavailable("it is locked"), {"retry-after": "5"}),
        (TooManyRequests(caller="ci", allowed="1 request per minute", retry_after=17), {"retry-after": "17"}),
        (Forbidden(caller="ci", role="reader"), {}),
    ],
)
def test_some_errors_have_headers(error: UpliftError, headers: dict[str, str]) -> None:
    assert headers_of(error) == headers


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (KeyFault.MISSING, "none was sent"),
        (KeyFault.MALFORMED, "what was sent is not a key; it may be cut off or mistyped"),
        (KeyFault.INVALID, "the one that was sent is unknown, revoked or expired"),
    ],
)
def test_says_where_the_key_belongs_and_what_is_wrong_with_it(fault: KeyFault, why: str) -> None:
    message = message_of(Unauthenticated(fault))
    assert message == f"Expected a valid API key as 'Authorization: Bearer <key>', but {why}."


def test_leaves_other_messages_as_they_are() -> None:
    error = Forbidden(caller="ci", role="reader")
    assert message_of(error) == error.message


def test_refuses_another_method_and_lists_the_allowed_ones() -> None:
    require_method("GET", "GET", "HEAD")
    with pytest.raises(RequestError) as refused:
        require_method("POST", "GET", "HEAD")
    assert (refused.value.status, refused.value.headers) == (405, {"allow": "GET, HEAD"})
    assert refused.value.message == "Expected GET or HEAD, but got POST."
