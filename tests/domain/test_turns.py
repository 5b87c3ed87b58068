"""Only a few of many tasks have their turn at the same time."""

import asyncio

import pytest

from uplift.domain import turns as module
from uplift.domain.turns import CONCURRENCY, Turns

pytestmark = pytest.mark.anyio


async def begun(turns: Turns, *holders: int) -> "dict[int, asyncio.Task[None]]":
    """A task for each holder that waits for its turn."""
    tasks = {holder: asyncio.create_task(turns.begin(holder)) for holder in holders}
    await settled()
    return tasks


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def with_turn(tasks: "dict[int, asyncio.Task[None]]") -> list[int]:
    return [holder for holder, task in tasks.items() if task.done() and not task.cancelled()]


async def test_turns_are_given_in_order_as_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_TURN", 3_600)
    turns = Turns()
    tasks = await begun(turns, *range(2 * CONCURRENCY))
    assert with_turn(tasks) == list(range(CONCURRENCY))
    for number in range(CONCURRENCY):
        turns.end(number)
        turns.end(number)  # it has no turn any more
        await settled()
        assert with_turn(tasks) == list(range(CONCURRENCY + number + 1))


async def test_a_holder_that_is_cancelled_has_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_TURN", 3_600)
    turns = Turns()
    tasks = await begun(turns, *range(CONCURRENCY + 3))
    tasks[CONCURRENCY].cancel()
    turns.end(0)
    tasks[CONCURRENCY + 1].cancel()  # with the turn that it has just got
    await settled()
    assert with_turn(tasks) == [*range(CONCURRENCY), CONCURRENCY + 2]


async def test_a_long_turn_delays_others_only_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_TURN", 0.01)
    tasks = await begun(Turns(), *range(3 * CONCURRENCY))
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks.values())
