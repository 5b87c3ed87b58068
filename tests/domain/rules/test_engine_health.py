"""When an engine that fails is asked again, and when it counts as unreachable."""

from datetime import timedelta

from uplift.domain.rules.engine_health import BREAKER_FAILURES, MAX_RETRY_AFTER, Backoff, Breaker
from uplift.testing.builders import EVENING, NOON

SECOND = timedelta(seconds=1)


def test_the_delay_doubles_up_to_a_limit() -> None:
    backoff = Backoff(first=SECOND, limit=10 * SECOND, random=lambda: 1.0)

    assert [backoff.failed() / SECOND for _ in range(6)] == [1, 2, 4, 8, 10, 10]


def test_half_of_the_delay_is_random() -> None:
    assert Backoff(first=SECOND, random=lambda: 0.0).failed() == SECOND / 2


def test_begins_anew_after_an_answer() -> None:
    backoff = Backoff(first=SECOND, random=lambda: 1.0)

    backoff.failed()
    backoff.succeeded()
    assert backoff.failed() == SECOND


def test_years_of_failures_do_not_overflow() -> None:
    backoff = Backoff(limit=10 * SECOND, random=lambda: 1.0)

    assert {backoff.failed() for _ in range(5_000)} >= {10 * SECOND}


def test_leaves_an_engine_alone_for_as_long_as_it_asks() -> None:
    backoff = Backoff(first=SECOND, random=lambda: 1.0)

    assert backoff.failed(30 * SECOND) == 30 * SECOND
    assert backoff.failed(SECOND) == 2 * SECOND


def test_an_engine_cannot_ask_for_ever() -> None:
    assert Backoff().failed(timedelta(days=400)) == MAX_RETRY_AFTER


def test_opens_after_failures_in_a_row_since_the_first_of_them() -> None:
    breaker = Breaker()

    breaker.failed(NOON)
    for _ in range(BREAKER_FAILURES - 2):
        breaker.failed(EVENING)
        assert breaker.open_since is None
    breaker.failed(EVENING)
    assert breaker.open_since == NOON


def test_an_answer_closes_it() -> None:
    breaker = Breaker()

    for _ in range(BREAKER_FAILURES - 1):
        breaker.failed(NOON)
    breaker.succeeded()
    breaker.failed(EVENING)
    assert breaker.open_since is None
