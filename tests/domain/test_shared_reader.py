"""One task reads what many listen to."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack

import pytest

from uplift.domain import turns
from uplift.domain.change_signal import ChangeSignal
from uplift.domain.shared_reader import Listener, SharedReader

pytestmark = pytest.mark.anyio

END = 100
"""The final state."""


class Numbers:
    """Numbers by name, which a test changes, and the reads of them. A negative number cannot be read."""

    def __init__(self) -> None:
        self.now: dict[str, int] = {"a": 0, "b": 0}
        self.reads: list[tuple[str, ...]] = []
        self.signal = ChangeSignal()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.has_begun = asyncio.Event()

    async def read(self, names: Sequence[str]) -> Mapping[str, int]:
        self.reads.append(tuple(sorted(names)))
        found = {name: self.now[name] for name in names if name in self.now}
        self.has_begun.set()
        await self.may_read.wait()
        if any(number < 0 for number in found.values()):
            raise OSError("on purpose")
        return found

    def set(self, name: str, number: int) -> None:
        self.now[name] = number
        self.signal.notify()


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
async def reader(numbers: Numbers) -> AsyncIterator[SharedReader[str, int]]:
    """A reader that reads by itself every hour."""
    async with asyncio.timeout(30):
        yield SharedReader(numbers.read, numbers.signal.wait, interval=3_600, is_final=lambda n: n == END)


async def waiting_for(listener: Listener[str, int], pause: float | None = 0) -> "asyncio.Task[int | None]":
    """A task that waits for the next state."""
    task = asyncio.create_task(listener.next(pause))
    await asyncio.sleep(0.01)
    return task


async def test_a_listener_gets_the_present_state_and_then_the_newest(
    numbers: Numbers, reader: SharedReader[str, int]
) -> None:
    async with reader.listening("a") as listener:
        assert await listener.present() == 0
        following = await waiting_for(listener)
        assert not following.done()
        numbers.set("a", 1)
        assert await following == 1


async def test_a_slow_listener_skips_states_and_delays_no_other(
    numbers: Numbers, reader: SharedReader[str, int]
) -> None:
    async with reader.listening("a") as slow, reader.listening("a") as other:
        assert [await slow.present(), await other.present()] == [0, 0]
        for number in (1, 2, 3):
            numbers.set("a", number)
            assert await other.next(0) == number
        assert await slow.next(0) == 3
        assert slow.newest() == 3


async def test_one_read_serves_all_listeners(numbers: Numbers, reader: SharedReader[str, int]) -> None:
    async with AsyncExitStack() as stack:
        listening = [reader.listening(name) for name in ["a"] * 500 + ["b"] * 500]
        listeners = [await stack.enter_async_context(each) for each in listening]
        assert await asyncio.gather(*(listener.present() for listener in listeners)) == [0] * 1_000
        assert len(numbers.reads) <= 2
        numbers.reads.clear()
        following = asyncio.gather(*(listener.next(0) for listener in listeners))
        await asyncio.sleep(0.05)
        numbers.now["b"] = 2
        numbers.set("a", 1)
        assert await following == [1] * 500 + [2] * 500
        assert numbers.reads == [("a", "b")]


async def test_many_keys_are_read_in_several_calls(numbers: Numbers) -> None:
    reader = SharedReader(numbers.read, numbers.signal.wait, interval=3_600, keys_per_read=2)
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(reader.listening(name)) for name in "abc"]
        assert [await listener.present() for listener in listeners] == [0, 0, None]
    assert {len(names) for names in numbers.reads} == {1, 2}


async def test_a_new_listener_gets_no_state_of_a_read_that_had_begun(
    numbers: Numbers, reader: SharedReader[str, int]
) -> None:
    async with reader.listening("a") as first:
        numbers.may_read.clear()
        early = asyncio.create_task(first.present())
        await numbers.has_begun.wait()
        numbers.now["a"] = 1  # too late for the read that has begun
        async with reader.listening("a") as second:
            late = asyncio.create_task(second.present())
            await asyncio.sleep(0.01)
            numbers.may_read.set()
            assert await early in (0, 1)
            assert await late == 1


async def test_a_change_during_a_read_is_read_next(numbers: Numbers, reader: SharedReader[str, int]) -> None:
    async with reader.listening("a") as listener:
        await listener.present()
        following = await waiting_for(listener)
        numbers.has_begun.clear()
        numbers.may_read.clear()
        numbers.signal.notify()
        await numbers.has_begun.wait()
        numbers.set("a", 1)
        numbers.may_read.set()
        assert await following == 1


async def test_states_come_no_more_often_than_the_pause(
    numbers: Numbers, reader: SharedReader[str, int]
) -> None:
    async with reader.listening("a") as listener:
        await listener.present()
        numbers.set("a", 1)
        following = await waiting_for(listener, pause=3_600)
        assert not following.done()
        numbers.set("a", END)
        assert await following == END
    async with reader.listening("b") as listener:
        await listener.present()
        numbers.set("b", 1)
        assert await listener.next(0.02) == 1


async def test_who_waits_for_the_end_hears_nothing_else(
    numbers: Numbers, reader: SharedReader[str, int]
) -> None:
    async with reader.listening("a") as listener:
        await listener.present()
        following = await waiting_for(listener, pause=None)
        numbers.set("a", 1)
        await asyncio.sleep(0.02)
        assert not following.done()
        assert listener.newest() == 1
        numbers.set("a", END)
        assert await following == END


async def test_what_other_programs_change_is_found_by_reading_regularly(numbers: Numbers) -> None:
    reader = SharedReader(numbers.read, numbers.signal.wait, interval=0.001)
    async with asyncio.timeout(30), reader.listening("a") as listener:
        await listener.present()
        following = await waiting_for(listener)
        numbers.now["a"] = 1
        assert await following == 1


async def test_the_reader_ends_with_its_last_listener(
    numbers: Numbers, reader: SharedReader[str, int]
) -> None:
    before = asyncio.all_tasks()
    async with reader.listening("a") as first:
        async with reader.listening("a") as second:
            await second.present()
            assert len(asyncio.all_tasks() - before) == 2, "the reader, and its wait for a change"
        assert reader.has_listeners
        numbers.set("a", 1)
        assert await first.present() == 1
    assert not reader.has_listeners
    assert asyncio.all_tasks() == before
    numbers.now["a"] = 5
    async with reader.listening("a") as again:
        assert await again.present() == 5


async def test_every_listener_learns_that_a_read_failed_and_later_ones_go_on(
    numbers: Numbers, reader: SharedReader[str, int]
) -> None:
    async with reader.listening("a") as first, reader.listening("b") as second:
        await first.present()
        await second.present()
        failing = [await waiting_for(first, pause=3_600), await waiting_for(second, pause=None)]
        numbers.set("a", -1)
        for task in failing:
            with pytest.raises(OSError, match="on purpose"):
                await task
        numbers.now["a"] = 3
        async with reader.listening("a") as third:
            assert await third.present() == 3
        assert first.newest() == 3


async def test_only_a_few_listeners_work_with_a_state_at_the_same_time(
    numbers: Numbers, reader: SharedReader[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LONGEST_TURN", 3_600)
    working: set[int] = set()
    most: list[int] = []

    async def work(number: int) -> None:
        working.add(number)
        most.append(len(working))
        await asyncio.sleep(0.001)
        working.remove(number)

    async def listen(number: int) -> int | None:
        async with reader.listening("a") as listener:
            await listener.present()
            await work(number)
            if len(most) == count:
                numbers.set("a", 1)
            state = await listener.next(0)
            await work(number)
            return state

    count = 5 * turns.CONCURRENCY
    assert await asyncio.gather(*map(listen, range(count))) == [1] * count
    assert max(most[:count]) == max(most[count:]) == turns.CONCURRENCY
