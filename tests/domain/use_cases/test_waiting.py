"""Tasks wait for changes, until a result or a stop condition."""

import asyncio
import gc

import pytest

from uplift.domain.change_signal import ChangeSignal
from uplift.domain.concurrency import first_of

pytestmark = pytest.mark.anyio


async def begun(change_signal: ChangeSignal, seconds: float = 60) -> "asyncio.Task[None]":
    """A task that waits for the signal."""
    waiting = asyncio.create_task(change_signal.wait(seconds))
    await asyncio.sleep(0)
    return waiting


async def test_a_notification_wakes_all_waiting_tasks() -> None:
    change_signal = ChangeSignal()
    waiting = [await begun(change_signal) for _ in range(3)]
    change_signal.notify()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*waiting) == [None] * 3


async def test_a_wait_ends_by_itself() -> None:
    await ChangeSignal().wait(0.001)


async def test_no_future_remains_after_waiting() -> None:
    def futures() -> int:
        gc.collect()
        return sum(type(value) is asyncio.Future for value in gc.get_objects())

    change_signal = ChangeSignal()
    await change_signal.wait(0.001)
    before = futures()
    for _ in range(3):
        await change_signal.wait(0.001)
    assert futures() == before


async def test_a_wait_that_is_cancelled_during_a_change_signal_is_cancelled() -> None:
    change_signal = ChangeSignal()
    waiting = await begun(change_signal)
    change_signal.notify()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def never() -> str:
    await asyncio.get_running_loop().create_future()
    return "never"


async def failing() -> str:
    await asyncio.sleep(0)
    raise LookupError("no such thing")


async def test_returns_the_result_if_no_stop_condition_ends_first() -> None:
    assert await first_of(asyncio.sleep(0, "wanted"), never(), never()) == "wanted"


async def test_returns_none_if_a_stop_condition_ends_first_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    assert await first_of(never(), never(), asyncio.sleep(0)) is None
    assert asyncio.all_tasks() == before


async def test_raises_the_error_of_the_awaited_result() -> None:
    with pytest.raises(LookupError, match="no such thing"):
        await first_of(failing(), never())


async def test_what_goes_wrong_elsewhere_only_ends_the_wait() -> None:
    assert await first_of(never(), failing()) is None


async def test_a_cancelled_wait_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(first_of(never(), never()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == before


async def test_waits_for_the_end_of_all_even_if_it_is_cancelled_twice() -> None:
    cleaning, cleaned = asyncio.Event(), asyncio.Event()

    async def slow_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            await cleaned.wait()

    waiting = asyncio.create_task(first_of(slow_to_end(), never()))
    await asyncio.sleep(0)
    waiting.cancel("first")
    await cleaning.wait()
    waiting.cancel("second")
    await asyncio.sleep(0)
    assert not waiting.done()
    cleaned.set()
    with pytest.raises(asyncio.CancelledError, match="second"):
        await waiting
