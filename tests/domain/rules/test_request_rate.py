"""The size of requests to an engine, and their rate."""

from uplift.domain.rules.request_rate import MIN_SIZE, RequestSize, TokenBucket


def test_sends_no_more_than_the_rate_on_average() -> None:
    bucket, now, sent = TokenBucket(50, now=100.0), 100.0, 0
    while now < 110:
        now += bucket.delay(now)
        bucket.spend(30, now)
        sent += 30
    assert 50 * (now - 100) <= sent <= 50 * (now - 100) + 30


def test_an_idle_time_saves_nothing_for_later() -> None:
    bucket = TokenBucket(10, now=0.0)

    bucket.spend(10, 1_000.0)
    assert bucket.delay(1_000.0) == 1


def test_a_request_waits_until_the_earlier_ones_are_paid() -> None:
    bucket = TokenBucket(10, now=0.0)

    bucket.spend(25, 0.0)
    assert bucket.delay(1.0) == 1.5
    assert bucket.delay(2.5) == 0


def test_a_clock_that_goes_back_changes_nothing() -> None:
    bucket = TokenBucket(10, now=5.0)

    bucket.spend(10, 5.0)
    assert bucket.delay(3.0) == 1
    assert bucket.delay(5.0) == 1


def test_a_low_rate_sends_single_instances() -> None:
    assert TokenBucket(0.2, now=0.0).max_size == 1
    assert TokenBucket(7.9, now=0.0).max_size == 7


def test_requests_get_smaller_while_they_are_slow_and_larger_while_they_are_fast() -> None:
    size = RequestSize(100)

    size.note(100, seconds=1.4, refused=0)
    assert size.current == 50
    size.note(50, seconds=0.5, refused=0)
    assert size.current == 70
    size.note(70, seconds=0.1, refused=0)
    assert size.current == 100


def test_requests_get_smaller_when_many_instances_are_refused() -> None:
    size = RequestSize(100)

    size.note(100, seconds=0.1, refused=10)
    assert size.current == 100
    size.note(100, seconds=0.1, refused=11)
    assert size.current == 50


def test_a_small_fast_request_says_nothing_of_a_larger_one() -> None:
    size = RequestSize(100)

    size.note(1, seconds=0.1, refused=0)
    assert size.current == 100


def test_requests_stay_large_enough_however_slow_the_engine_is() -> None:
    size = RequestSize(100)

    for _ in range(20):
        size.note(size.current, seconds=60, refused=0)
    assert size.current == MIN_SIZE


def test_an_engine_that_moves_one_instance_a_request_is_sent_one() -> None:
    size = RequestSize(1)

    size.note(1, seconds=60, refused=1)
    assert size.current == 1
