"""Tests that callers take turns, whatever one of them asks for."""

import asyncio
from collections.abc import Hashable

import pytest

from uplift.gateway.comparing.turns import TooManyWaitError, Turns

pytestmark = pytest.mark.anyio


class Jobs:
    """Jobs that each end when they are released, and the order in which they began."""

    def __init__(self, *, max_waiting: int = 100, max_bytes: int = 1_000) -> None:
        self.turns = Turns(max_waiting=max_waiting, max_bytes=max_bytes)
        self.begun: list[str] = []
        self._go_on = asyncio.Semaphore(0)

    async def run(self, owner: Hashable, name: str, size: int = 1) -> None:
        async with self.turns.turn(owner, size):
            self.begun.append(name)
            await self._go_on.acquire()

    async def ask(self, owner: Hashable, name: str, size: int = 1) -> asyncio.Task[None]:
        task = asyncio.create_task(self.run(owner, name, size))
        await asyncio.sleep(0)
        return task

    async def end(self, count: int) -> None:
        for _ in range(count):
            self._go_on.release()
            await asyncio.sleep(0.001)


async def test_callers_take_turns() -> None:
    jobs = Jobs()
    tasks = [await jobs.ask("greedy", f"greedy {number}") for number in range(4)]
    tasks += [await jobs.ask("other", f"other {number}") for number in range(2)]
    await jobs.end(6)
    await asyncio.gather(*tasks)
    assert jobs.begun == ["greedy 0", "greedy 1", "other 0", "greedy 2", "other 1", "greedy 3"]
    await asyncio.gather(await jobs.ask("later", "later"), jobs.end(1))
    assert jobs.begun[-1] == "later"


async def test_a_turn_that_is_given_up_goes_to_the_next() -> None:
    jobs = Jobs()
    running = await jobs.ask("a", "first")
    waiting = [await jobs.ask("a", "second"), await jobs.ask("b", "third"), await jobs.ask("b", "fourth")]
    for task in (waiting[1], running):
        task.cancel()
    await asyncio.sleep(0.001)
    assert jobs.begun == ["first", "second"]
    waiting[0].cancel()  # in the middle
    await asyncio.sleep(0.001)
    await jobs.end(1)
    await waiting[2]
    assert jobs.begun == ["first", "second", "fourth"]


async def test_a_turn_is_not_lost_when_its_caller_leaves_at_the_same_moment() -> None:
    jobs = Jobs()
    running, leaving = await jobs.ask("a", "first"), await jobs.ask("b", "leaving")
    last = await jobs.ask("c", "last")
    running.cancel()
    await asyncio.sleep(0)  # the turn passes to `leaving`, which has not run yet
    leaving.cancel()
    await asyncio.sleep(0.001)
    assert jobs.begun == ["first", "last"]
    await jobs.end(1)
    await last


async def test_half_of_what_waits_may_be_of_one_caller() -> None:
    jobs = Jobs(max_waiting=4)
    tasks = [await jobs.ask("greedy", "greedy") for _ in range(3)]
    with pytest.raises(TooManyWaitError):
        await jobs.run("greedy", "refused")
    tasks += [await jobs.ask("other", "other"), await jobs.ask("third", "third")]
    with pytest.raises(TooManyWaitError):
        await jobs.run("fourth", "refused")
    await jobs.end(5)
    await asyncio.gather(*tasks)
    assert jobs.begun == ["greedy", "greedy", "other", "third", "greedy"]


async def test_the_bytes_of_what_waits_are_bounded() -> None:
    jobs = Jobs(max_bytes=100)
    tasks = [await jobs.ask("greedy", "greedy", 60), await jobs.ask("greedy", "greedy", 60)]
    with pytest.raises(TooManyWaitError):
        await jobs.run("greedy", "refused", 1)
    tasks.append(await jobs.ask("other", "other", 40))
    with pytest.raises(TooManyWaitError):
        await jobs.run("third", "refused", 1)
    await jobs.end(3)
    await asyncio.gather(*tasks)
