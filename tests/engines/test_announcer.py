"""Upgrades of a link that have ended are announced once each, and again by the next holder if need be."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from uplift.domain import Upgrade, UpgradeState, Worker
from uplift.domain.concurrency import end_all
from uplift.domain.model.link import LinkKind
from uplift.domain.ports import Store
from uplift.domain.use_cases.links.holding import HeldLink
from uplift.engines.webhooks.announcer import LIMIT, SETTLED_AFTER, Announcer
from uplift.engines.webhooks.errors import WebhookError, WebhookGoneError
from uplift.engines.webhooks.events import Event
from uplift.engines.webhooks.sender import WebhookSender
from uplift.storage.memory import InMemoryStore
from uplift.storage.postgres.engines import SETTINGS, TRANSACTION_TIMEOUT
from uplift.testing.builders import EVENING, NOON, a_clock
from uplift.testing.linked_work import ENGINE, HOLDER, a_link, a_linked_process
from uplift.testing.upgrade_work import request

pytestmark = pytest.mark.anyio

FAILED = WebhookError("It answers 500.")
GONE = WebhookGoneError("It wants no more.")


@dataclass(kw_only=True)
class FakeReceiver:
    """Fails as `failures` says, then accepts all. Keeps what arrived, and how long the announcer waited."""

    failures: list[WebhookError] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    arrived: list[dict[str, Any]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    is_idle: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, event: Event) -> None:
        self.tried.append(event.id)
        if self.failures:
            raise self.failures.pop(0)
        self.arrived.append(json.loads(event.body))

    async def close(self) -> None:
        pass

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if not self.failures and self.arrived:
            self.is_idle.set()
            await asyncio.Event().wait()

    @property
    def upgrades(self) -> list[str]:
        return [event["data"]["upgrade"] for event in self.arrived]


@asynccontextmanager
async def announcing(
    store: Store, receiver: FakeReceiver, now: datetime = EVENING
) -> AsyncIterator["asyncio.Task[None]"]:
    held = HeldLink(store, a_link(kind=LinkKind.PULL), Worker(name=HOLDER, clock=a_clock(now)))
    sender = WebhookSender(held.link, receiver, clock=a_clock(now), on_error=lambda _: None, jitter=lambda: 0)
    task = asyncio.create_task(Announcer(held, sender, sleep=receiver.sleep).run())
    try:
        yield task
    finally:
        await end_all([task])


async def ended_at(
    store: Store, *times: datetime, state: UpgradeState = UpgradeState.COMPLETED
) -> list[Upgrade]:
    """Upgrades of the link, without instances, that ended at these times."""
    ended = []
    for at in times:
        done = await request(store)
        async with store.transaction() as transaction:
            locked = await transaction.upgrades.lock(done.id)
            assert locked is not None
            await locked.save(done.finished(state, at))
        ended.append(done)
    return ended


async def a_store() -> Store:
    store = InMemoryStore()
    await a_linked_process(store, kind=LinkKind.PULL)
    return store


async def test_an_event_says_how_an_upgrade_has_ended() -> None:
    store, receiver = await a_store(), FakeReceiver()
    (done,) = await ended_at(store, NOON + timedelta(minutes=1))
    (failed,) = await ended_at(store, NOON + timedelta(minutes=2), state=UpgradeState.FAILED)
    async with announcing(store, receiver, NOON + timedelta(hours=1)):
        await asyncio.wait_for(receiver.is_idle.wait(), 60)
    assert receiver.arrived == [
        {
            "type": "uplift.upgrade.finished",
            "timestamp": (NOON + timedelta(minutes=1)).isoformat(),
            "data": {"link": "engine", "upgrade": str(done.id), "state": "COMPLETED"},
        },
        {
            "type": "uplift.upgrade.failed",
            "timestamp": (NOON + timedelta(minutes=2)).isoformat(),
            "data": {"link": "engine", "upgrade": str(failed.id), "state": "FAILED"},
        },
    ]


async def test_the_next_holder_announces_only_what_was_not() -> None:
    store, first, second = await a_store(), FakeReceiver(), FakeReceiver(failures=[FAILED])
    minutes = [NOON + timedelta(minutes=minute) for minute in range(1, 4)]
    await ended_at(store, minutes[0])
    async with announcing(store, first, minutes[0] + SETTLED_AFTER):
        await asyncio.wait_for(first.is_idle.wait(), 60)
    later = await ended_at(store, minutes[1], minutes[1], minutes[2])
    async with announcing(store, second, NOON + timedelta(hours=1)):
        await asyncio.wait_for(second.is_idle.wait(), 60)
    assert second.upgrades == [str(upgrade.id) for upgrade in later]
    assert (await store.links.statuses([ENGINE]))[ENGINE].announced_until == minutes[2]


async def test_an_event_that_fails_is_sent_five_times_with_the_same_id_then_dropped() -> None:
    store, receiver = await a_store(), FakeReceiver(failures=[FAILED] * 5)
    dropped, next_one = await ended_at(store, NOON + timedelta(minutes=1), NOON + timedelta(minutes=2))
    async with announcing(store, receiver, NOON + timedelta(hours=1)):
        await asyncio.wait_for(receiver.is_idle.wait(), 60)
    assert len(receiver.tried) == 6
    assert len(set(receiver.tried)) == 2
    assert receiver.waits[:4] == [5, 300, 1_800, 7_200]
    assert receiver.upgrades == [str(next_one.id)] != [str(dropped.id)]


async def test_nothing_is_sent_to_a_receiver_that_wants_no_more() -> None:
    store, receiver = await a_store(), FakeReceiver(failures=[GONE])
    await ended_at(store, NOON + timedelta(minutes=1), NOON + timedelta(minutes=2))
    async with announcing(store, receiver, NOON + timedelta(hours=1)) as task:
        await asyncio.wait_for(task, 60)
    assert len(receiver.tried) == 1
    assert (await store.links.statuses([ENGINE]))[ENGINE].announced_until is None


async def test_old_and_very_new_ends_are_not_announced() -> None:
    store, receiver = await a_store(), FakeReceiver()
    now = NOON + timedelta(days=3)
    _, announced, _ = await ended_at(
        store, NOON + timedelta(days=1, hours=23), now - timedelta(hours=23), now - timedelta(minutes=1)
    )
    async with announcing(store, receiver, now):
        await asyncio.wait_for(receiver.is_idle.wait(), 60)
    assert receiver.upgrades == [str(announced.id)]


async def test_many_ends_are_announced_in_several_looks() -> None:
    store, receiver = await a_store(), FakeReceiver()
    ended = await ended_at(store, *(NOON + timedelta(seconds=second) for second in range(1, LIMIT + 3)))
    async with announcing(store, receiver, NOON + timedelta(hours=1)):
        await asyncio.wait_for(receiver.is_idle.wait(), 60)
    assert receiver.upgrades == [str(upgrade.id) for upgrade in ended]


async def test_ends_at_the_same_time_are_all_announced() -> None:
    store, receiver = await a_store(), FakeReceiver()
    first, last = NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)
    ended = await ended_at(store, first, *[last] * (LIMIT + 1), last + timedelta(minutes=1))
    async with announcing(store, receiver, NOON + timedelta(hours=1)):
        await asyncio.wait_for(receiver.is_idle.wait(), 60)
    assert receiver.upgrades == [str(upgrade.id) for upgrade in ended]


@pytest.mark.parametrize("timeout", [TRANSACTION_TIMEOUT, SETTINGS["idle_in_transaction_session_timeout"]])
def test_an_end_is_announced_only_when_no_earlier_one_can_be_committed(timeout: str) -> None:
    assert timedelta(seconds=int(timeout.removesuffix("s"))) < SETTLED_AFTER
