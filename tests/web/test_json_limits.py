"""A JSON text of too many values is refused before it is decoded."""

import json

import pytest

from uplift.web.errors import RequestError
from uplift.web.json_limits import require_few_values

LIMIT = 10


def is_refused(body: bytes) -> bool:
    try:
        require_few_values(body, LIMIT)
    except RequestError:
        return True
    return False


def test_names_the_limit() -> None:
    with pytest.raises(RequestError) as refused:
        require_few_values(b"[" * 11, LIMIT)
    assert (refused.value.status, refused.value.code) == (413, "LIMIT_EXCEEDED")
    assert refused.value.message == (
        "Expected a body of at most 10 JSON values, but it has more commas and opening brackets."
    )


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        ([1] * 10, False),
        ([1] * 11, True),
        ([""] * 10, False),
        ([""] * 11, True),
        ([[]] * 5, False),
        ([[]] * 6, True),
        ([{"a": 1}] * 6, True),
        ({"a": {"b": {"c": 1}}}, False),
        ({"text": "; " * 100}, False),
        ({"text": ", " * 100}, True),
    ],
)
def test_counts_values_and_the_punctuation_of_texts(value: object, refused: bool) -> None:
    assert is_refused(json.dumps(value).encode()) is refused
