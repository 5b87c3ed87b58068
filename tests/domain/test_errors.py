"""The messages and attributes of errors."""

from collections.abc import Callable

import pytest

from uplift.domain.errors import (
    ErrorCode,
    Forbidden,
    KeyFault,
    NoDraft,
    NoPublishedVersion,
    ProcessExists,
    ProcessNotFound,
    StoreUnavailable,
    TooManyRequests,
    Unauthenticated,
    UpgradeNotFound,
    UpliftError,
    WrongState,
)
from uplift.domain.model.idempotency import IdempotencyConflict
from uplift.testing.builders import an_upgrade_id


def test_the_message_of_a_missing_key() -> None:
    error = Unauthenticated(KeyFault.MISSING)
    assert error.message == str(error) == "Expected a valid API key, but none was sent."
    assert Unauthenticated().fault is KeyFault.INVALID
    assert (error.code, error.field) == (ErrorCode.UNAUTHENTICATED, ())


def test_a_store_that_cannot_answer_says_that_nothing_was_written() -> None:
    error = StoreUnavailable("it is locked by another program")
    assert error.message == (
        "Expected the store to answer, but it is locked by another program. "
        "Nothing was written; try again later."
    )
    assert (error.code, error.field) == (ErrorCode.STORE_UNAVAILABLE, ())


def test_a_caller_above_its_rate_limit_learns_the_limit_and_when_to_retry() -> None:
    error = TooManyRequests(caller="ci", allowed="600 per 1 minute", retry_after=7)
    assert error.message == (
        "Expected at most 600 per 1 minute from the key 'ci', but received more. Nothing was written; "
        "try again in 7 seconds."
    )
    assert (error.code, error.field) == (ErrorCode.RATE_LIMITED, ())
    assert (error.caller, error.allowed, error.retry_after) == ("ci", "600 per 1 minute", 7)


NAMED = {"namespace": "crm", "process_code": "orders"}
ONE = an_upgrade_id(1)


@pytest.mark.parametrize(
    ("kind", "facts", "more"),
    [
        (Forbidden, {"caller": "ci", "role": "reader"}, {}),
        (ProcessNotFound, NAMED, {}),
        (ProcessExists, NAMED, {}),
        (NoPublishedVersion, NAMED, {}),
        (NoDraft, NAMED, {}),
        (UpgradeNotFound, {"upgrade_id": ONE}, {}),
        (
            WrongState,
            {"upgrade_id": ONE, "state": "PAUSED"},
            {"attempt": "pause", "allowed": ("QUEUED", "RUNNING")},
        ),
        (IdempotencyConflict, {"key": "k", "upgrade_id": ONE}, {}),
    ],
)
def test_an_error_has_the_facts_of_its_message_as_attributes(
    kind: Callable[..., UpliftError], facts: dict[str, object], more: dict[str, object]
) -> None:
    error = kind(**facts, **more)
    assert {name: getattr(error, name) for name in facts} == facts
    assert all(str(fact) in error.message for fact in facts.values())
