"""How tasks of one program wait for news, and stop waiting."""

import asyncio
import gc

import pytest

from uplift.domain.change_signal import Bell
from uplift.domain.concurrency import unless

pytestmark = pytest.mark.anyio


async def begun(bell: Bell, seconds: float = 60) -> "asyncio.Task[None]":
    """A task that waits for the bell."""
    waiting = asyncio.create_task(bell.wait(seconds))
    await asyncio.sleep(0)
    return waiting


async def test_a_ring_wakes_all_who_wait() -> None:
    bell = Bell()
    waiting = [await begun(bell) for _ in range(3)]
    bell.ring()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*waiting) == [None] * 3


async def test_a_wait_ends_by_itself() -> None:
    await Bell().wait(0.001)


async def test_nothing_is_left_of_those_who_waited() -> None:
    def futures() -> int:
        gc.collect()
        return sum(type(one) is asyncio.Future for one in gc.get_objects())

    bell = Bell()
    await bell.wait(0.001)
    before = futures()
    for _ in range(3):
        await bell.wait(0.001)
    assert futures() == before


async def test_a_wait_that_is_cancelled_while_the_bell_rings_is_cancelled() -> None:
    bell = Bell()
    waiting = await begun(bell)
    bell.ring()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def failing() -> str:
    await asyncio.sleep(0)
    raise LookupError("no such thing")


async def test_what_is_wanted_comes_if_nothing_else_is_over_before() -> None:
    assert await unless(asyncio.sleep(0, "wanted"), never(), never()) == "wanted"


async def test_nothing_comes_when_something_else_is_over_before_and_nothing_is_left_running() -> None:
    before = asyncio.all_tasks()
    assert await unless(never(), never(), asyncio.sleep(0)) is None
    assert asyncio.all_tasks() == before


async def test_what_went_wrong_with_what_is_wanted_is_raised() -> None:
    with pytest.raises(LookupError, match="no such thing"):
        await unless(failing(), never())


async def test_what_goes_wrong_elsewhere_only_ends_the_wait() -> None:
    assert await unless(never(), failing()) is None


async def test_one_who_is_cancelled_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(unless(never(), never()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == before
