"""Tests that concurrent requests are bounded, and a caller leaves some slots to others."""

from collections.abc import Hashable
from contextlib import ExitStack

import pytest

from uplift.web.errors import RequestError
from uplift.web.request_slots import RequestSlots


def refusal(slots: RequestSlots, owner: Hashable) -> tuple[int, str, str]:
    with pytest.raises(RequestError) as refused, slots.taken(owner):
        pass
    return refused.value.status, refused.value.code, refused.value.headers["retry-after"]


def test_a_caller_has_its_largest_number_and_others_are_answered() -> None:
    slots = RequestSlots(limit=20, limit_per_caller=3)
    with ExitStack() as taken:
        for _ in range(3):
            taken.enter_context(slots.taken("greedy"))
        assert refusal(slots, "greedy") == (429, "LIMIT_EXCEEDED", "1")
        with slots.taken("other"):
            pass
    with slots.taken("greedy"):  # what ended counts no longer
        pass


def test_the_last_slots_are_kept_for_callers_without_one() -> None:
    slots = RequestSlots(limit=20, limit_per_caller=20)
    with ExitStack() as taken:
        for _ in range(18):
            taken.enter_context(slots.taken("greedy"))
        assert refusal(slots, "greedy")[0] == 503
        for other in ("first", "second"):
            taken.enter_context(slots.taken(other))
        assert refusal(slots, "third")[0] == 503
