"""Webhooks that fail are sent again, later and later; a later event takes the place of one that waits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from uplift.domain.concurrency import end_all
from uplift.domain.model.link import LinkKind
from uplift.domain.model.order import OrderBatch
from uplift.engines.webhooks.errors import WebhookError, WebhookGoneError
from uplift.engines.webhooks.events import Event, OrdersEvent
from uplift.engines.webhooks.sender import WebhookSender
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import NOON, a_clock, instances
from uplift.testing.linked_work import a_link, a_linked_process, send
from uplift.testing.upgrade_work import request, work

pytestmark = pytest.mark.anyio

LINK = a_link(name="own", kind=LinkKind.PULL)
FAILED = WebhookError("It answers 500.")
GONE = WebhookGoneError("It wants no more.")
SHORT = 10.0
"""Shorter waits pass at once. Longer ones last until something else ends them, unless `all_pass`."""


@dataclass(kw_only=True)
class FakeReceiver:
    """Fails as `failures` says, then accepts all. Keeps what was sent, and how long the sender waited."""

    failures: list[WebhookError] = field(default_factory=list)
    all_pass: bool = True
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    sent: asyncio.Queue[OrdersEvent] = field(default_factory=asyncio.Queue)
    waits: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    is_closed: bool = False

    async def send(self, event: Event) -> None:
        assert isinstance(event, OrdersEvent)
        self.sent.put_nowait(event)
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)

    async def close(self) -> None:
        self.is_closed = True

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if seconds > SHORT and not self.all_pass:
            await asyncio.Event().wait()

    async def next(self) -> OrdersEvent:
        return await asyncio.wait_for(self.sent.get(), 60)


@asynccontextmanager
async def sending(receiver: FakeReceiver, *, jitter: float = 0) -> AsyncIterator[WebhookSender]:
    sender = WebhookSender(
        LINK,
        receiver,
        clock=a_clock(NOON),
        on_error=receiver.errors.append,
        sleep=receiver.sleep,
        jitter=lambda: jitter,
    )
    task = asyncio.create_task(sender.run())
    receiver.gate.set()
    try:
        yield sender
        await settled()
    finally:
        await end_all([task])
        await sender.close()
    assert receiver.is_closed
    assert receiver.sent.empty()


async def settled() -> None:
    """Let the sender go on until it can only wait."""
    for _ in range(100):
        await asyncio.sleep(0)


async def batches(*sizes: int) -> Sequence[OrderBatch]:
    """Batches of orders of one upgrade that were sent one after the other."""
    store = InMemoryStore()
    await a_linked_process(store, kind=LinkKind.PULL, holding=instances(range(sum(sizes))))
    await work(store, (await request(store)).id)
    found = [await send(store, size) for size in sizes]
    return [batch for batch in found if batch is not None]


async def test_an_event_names_the_orders_that_wait() -> None:
    first, second = await batches(3, 2)
    receiver = FakeReceiver()
    async with sending(receiver) as sender:
        sender.notify(first)
        event = await receiver.next()
        assert (event.link, event.upgrade) == ("own", str(first.upgrade))
        assert (event.after, event.count, event.created_at) == (0, 3, NOON)
        await settled()
        sender.notify(second)
        later = await receiver.next()
        assert (later.after, later.count) == (3, 2)
        assert later.id != event.id
    assert receiver.waits == []


async def test_it_is_sent_five_times_with_the_same_id_and_then_dropped() -> None:
    first, second = await batches(3, 2)
    receiver = FakeReceiver(failures=[FAILED] * 5)
    async with sending(receiver) as sender:
        sender.notify(first)
        events = [await receiver.next() for _ in range(5)]
        assert len(set(events)) == 1
        await settled()
        assert receiver.waits == [5, 5, 295, 5, 1_795, 5, 7_195]
        assert sender.error == FAILED.message
        sender.notify(second)
        assert (await receiver.next()).after == 3
        await settled()
        assert sender.error is None
    assert receiver.errors == [FAILED.message] * 5


async def test_waits_are_longer_by_chance() -> None:
    (batch,) = await batches(3)
    receiver = FakeReceiver(failures=[FAILED] * 2)
    async with sending(receiver, jitter=1) as sender:
        sender.notify(batch)
        for _ in range(3):
            await receiver.next()
        await settled()
    assert receiver.waits == pytest.approx([6, 6, 354])


async def test_nothing_is_sent_after_a_410() -> None:
    first, second = await batches(3, 2)
    receiver = FakeReceiver(failures=[GONE])
    async with sending(receiver) as sender:
        sender.notify(first)
        await receiver.next()
        await settled()
        sender.notify(second)
        await settled()
        another = OrdersEvent(id="msg_1", link=LINK.name, upgrade="6f1c", after=0, count=1, created_at=NOON)
        assert not await sender.send(another)
        assert sender.error == GONE.message


async def test_a_later_event_replaces_one_that_waits_and_is_sent_soon() -> None:
    first, second = await batches(3, 2)
    receiver = FakeReceiver(failures=[FAILED] * 2, all_pass=False)
    async with sending(receiver) as sender:
        sender.notify(first)
        event = await receiver.next()
        assert await receiver.next() == event
        await settled()
        assert receiver.waits == [5, 5, 295]
        assert receiver.sent.empty()
        sender.notify(second)
        both = await receiver.next()
        assert (both.after, both.count) == (0, 5)
        assert both.id != event.id
    assert receiver.waits == [5, 5, 295]


async def test_an_event_that_comes_before_a_failure_is_not_sent_at_once() -> None:
    first, second = await batches(3, 2)
    receiver = FakeReceiver(failures=[FAILED])
    async with sending(receiver) as sender:
        receiver.gate.clear()
        sender.notify(first)
        await receiver.next()
        sender.notify(second)
        receiver.gate.set()
        both = await receiver.next()
        assert (both.after, both.count) == (0, 5)
        assert receiver.waits == [5]


async def test_events_during_a_request_are_sent_as_one() -> None:
    first, second, third = await batches(1, 2, 3)
    receiver = FakeReceiver()
    async with sending(receiver) as sender:
        receiver.gate.clear()
        sender.notify(first)
        await receiver.next()
        sender.notify(second)
        sender.notify(third)
        receiver.gate.set()
        both = await receiver.next()
        assert (both.after, both.count) == (1, 5)
