"""Tests how errors of the domain look in HTTP."""

import pytest

from uplift.domain.errors import (
    ErrorCode,
    Forbidden,
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


def test_says_where_the_key_belongs() -> None:
    assert message_of(Unauthenticated()) == (
        "Expected a valid API key as 'Authorization: Bearer <key>', "
        "but it is missing, unknown, revoked or expired."
    )


def test_leaves_other_messages_as_they_are() -> None:
    error = Forbidden(caller="ci", role="reader")
    assert message_of(error) == error.message


def test_refuses_another_method_and_lists_the_allowed_ones() -> None:
    require_method("GET", "GET", "HEAD")
    with pytest.raises(RequestError) as refused:
        require_method("POST", "GET", "HEAD")
    assert (refused.value.status, refused.value.headers) == (405, {"allow": "GET, HEAD"})
    assert refused.value.message == "Expected GET or HEAD, but got POST."
