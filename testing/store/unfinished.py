"""Reading and watching the unfinished upgrades."""

from asyncio import create_task, ensure_future, gather, sleep, timeout
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest

from uplift.domain import (
    AllActive,
    Caller,
    Role,
    Upgrade,
    UpgradeId,
    UpgradeState,
    cancel_upgrade,
    pause_upgrade,
    resume_upgrade,
    watch_unfinished,
)
from uplift.domain.model.access import Namespaces
from uplift.domain.model.upgrade import UpgradeProgress
from uplift.domain.ports import Store
from uplift.domain.scope import visible_to
from uplift.domain.use_cases import watch_unfinished as watching
from uplift.testing.builders import ADMIN, INVOICES, NOON, ORDERS, a_process, an_upgrade, instances
from uplift.testing.stores import Around
from uplift.testing.upgrade_work import request, taken, work, work_and_die

pytestmark = pytest.mark.anyio

SOON = 0.01
INSIDE = Caller(name="inside", role=Role.READER, namespaces=frozenset({ORDERS.namespace}))
OUTSIDE = replace(INSIDE, namespaces=frozenset({"elsewhere"}))


async def add(store: Store, number: int, state: UpgradeState) -> Upgrade:
    """Add an upgrade in a state."""
    is_finished = replace(an_upgrade(), state=state).is_finished
    async with store.transaction() as transaction:
        locked, _ = await transaction.upgrades.add(an_upgrade(number), AllActive())
        added = replace(locked.upgrade, state=state, finished_at=NOON if is_finished else None)
        await locked.save(added)
    return added


async def change(store: Store, upgrade: Upgrade, **fields: object) -> Upgrade:
    """Overwrite fields of an upgrade."""
    async with store.transaction() as transaction:
        locked = await transaction.upgrades.lock(upgrade.id)
        assert locked is not None
        changed = replace(locked.upgrade, **fields)  # type: ignore[arg-type]
        await locked.save(changed)
        return changed


def of_ids(upgrades: Iterable[Upgrade]) -> dict[UpgradeId, Upgrade]:
    """The upgrades by their ids, for events whose order depends on when the store was read."""
    return {upgrade.id: upgrade for upgrade in upgrades}


async def seen_by(events: AsyncIterator[tuple[Upgrade, ...]], upgrade: Upgrade) -> None:
    """Return when an event has had the upgrade in this state."""
    while upgrade not in await anext(events):
        pass


async def test_the_unfinished_upgrades_are_those_that_wait_run_or_are_paused(store: Store) -> None:
    await a_process(store)
    added = [await add(store, number, state) for number, state in enumerate([*UpgradeState, *UpgradeState])]
    unfinished = tuple(UpgradeProgress.of(upgrade) for upgrade in added[::-1] if not upgrade.is_finished)
    assert len(unfinished) == 6
    for limit in (1, 2, 3, 5, 6, 100):
        assert await store.upgrades.unfinished(limit) == unfinished[:limit]


async def test_the_progress_of_an_upgrade_is_its_state_and_the_number_of_outcomes(store: Store) -> None:
    await a_process(store, holding=instances(range(5)))
    queued = await request(store)
    await work_and_die(store, queued.id, chunks=1)
    [progress] = await store.upgrades.unfinished(10)
    assert progress == UpgradeProgress(
        id=queued.id, process=ORDERS, state=UpgradeState.RUNNING, total=2, ordered=0, sent=0
    )


async def test_the_unfinished_upgrades_of_some_namespaces_are_read(store: Store) -> None:
    await a_process(store)
    upgrade = UpgradeProgress.of(await add(store, 1, UpgradeState.PAUSED))
    for namespaces, found in (
        (None, (upgrade,)),
        (frozenset({"elsewhere", ORDERS.namespace}), (upgrade,)),
        (frozenset({"elsewhere"}), ()),
        (frozenset[str](), ()),
    ):
        assert await store.upgrades.unfinished(10, namespaces=namespaces) == found
    assert await visible_to(store, INSIDE).upgrades.unfinished(10) == (upgrade,)
    assert await visible_to(store, OUTSIDE).upgrades.unfinished(10) == ()
    elsewhere = frozenset({"elsewhere"})
    assert await visible_to(store, INSIDE).upgrades.unfinished(10, namespaces=elsewhere) == ()


async def test_who_watches_gets_the_unfinished_upgrades_then_what_changes(store: Store) -> None:
    await a_process(store, holding=instances(range(6)))
    await add(store, 1, UpgradeState.COMPLETED)
    first = await request(store)
    async with timeout(60), aclosing(watch_unfinished(store, interval=SOON)) as events:
        assert await anext(events) == (first,)
        second = await request(store)
        assert await anext(events) == (second,)
        paused = await pause_upgrade(store, second.id, caller=ADMIN)
        assert await anext(events) == (paused,)
        running = await taken(store, first.id)
        assert await anext(events) == (running,)
        running = await change(store, running, upgraded=2)
        assert await anext(events) == (running,)
        resumed = await resume_upgrade(store, second.id, caller=ADMIN)
        assert await anext(events) == (resumed,)
        cancelled = await cancel_upgrade(store, second.id, caller=ADMIN)
        assert await anext(events) == (cancelled,)
        done = await change(store, running, state=UpgradeState.COMPLETED, finished_at=NOON)
        assert await anext(events) == (done,)
        following = ensure_future(anext(events))
        await sleep(5 * SOON)
        assert not following.done(), "nothing has changed"
        third = await request(store)
        assert await following == (third,)


async def test_without_unfinished_upgrades_the_first_event_is_empty(store: Store) -> None:
    async with timeout(60), aclosing(watch_unfinished(store)) as events:
        assert await anext(events) == ()


async def test_who_is_slow_gets_the_newest_state_of_each_upgrade_at_once(store: Store) -> None:
    await a_process(store, holding=instances(range(6)))
    upgrades = [await request(store) for _ in range(3)]
    async with (
        timeout(60),
        aclosing(watch_unfinished(store, interval=SOON)) as slow,
        aclosing(watch_unfinished(store, interval=SOON)) as other,
    ):
        assert await anext(slow) == await anext(other) == tuple(reversed(upgrades))
        await seen_by(other, await pause_upgrade(store, upgrades[0].id, caller=ADMIN))
        running = await taken(store, upgrades[1].id)
        await seen_by(other, running)
        ended = [await cancel_upgrade(store, upgrades[n].id, caller=ADMIN) for n in (0, 2)]
        await seen_by(other, ended[1])
        await sleep(5 * SOON)  # the reader keeps what changed no longer than this
        new = await request(store)
        await seen_by(other, new)
        assert of_ids(await anext(slow)) == of_ids([new, running, *ended])


async def test_the_upgrades_of_a_process_or_a_namespace_can_be_watched(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    await a_process(store, INVOICES, holding=instances(range(10, 13), process=INVOICES))
    orders, invoices = await request(store), await request(store, process=INVOICES)
    for whose, found in (
        (None, (invoices, orders)),
        (ORDERS, (orders,)),
        (INVOICES, (invoices,)),
        (ORDERS.namespace, (invoices, orders)),
        ("elsewhere", ()),
    ):
        async with timeout(60), aclosing(watch_unfinished(store, whose)) as events:
            assert await anext(events) == found


async def test_who_watches_sees_only_its_scope(store: Store) -> None:
    await a_process(store, holding=instances(range(6)))
    async with (
        timeout(60),
        aclosing(watch_unfinished(visible_to(store, INSIDE), interval=SOON)) as inside,
        aclosing(watch_unfinished(visible_to(store, OUTSIDE), interval=SOON)) as outside,
        aclosing(watch_unfinished(visible_to(store, OUTSIDE), ORDERS, interval=SOON)) as by_name,
    ):
        assert [await anext(events) for events in (inside, outside, by_name)] == [(), (), ()]
        hidden = [ensure_future(anext(events)) for events in (outside, by_name)]
        queued = await request(store)
        assert await anext(inside) == (queued,)
        done = await work(store, queued.id)
        await seen_by(inside, done)
        assert not any(event.done() for event in hidden)
        for event in hidden:
            event.cancel()
        await gather(*hidden, return_exceptions=True)


class CountingReads(Around):
    """Counts the queries for upgrades."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.reads = 0

    @property
    def upgrades(self) -> "CountingReads":
        return self

    async def find_many(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, Upgrade]:
        self.reads += 1
        return await self._store.upgrades.find_many(ids)

    async def unfinished(
        self, limit: int, *, namespaces: Namespaces | None = None
    ) -> tuple[UpgradeProgress, ...]:
        self.reads += 1
        return await self._store.upgrades.unfinished(limit, namespaces=namespaces)


async def test_two_queries_serve_all_who_watch(store: Store) -> None:
    await a_process(store, holding=instances(range(6)))
    counting = CountingReads(store)

    async def second_event() -> tuple[Upgrade, ...]:
        async with aclosing(watch_unfinished(counting, interval=SOON)) as events:
            assert await anext(events) == ()
            return await anext(events)

    async with timeout(60):
        watching = [create_task(second_event()) for _ in range(100)]
        await sleep(0.1)
        counting.reads = 0
        queued = await request(store)
        assert await gather(*watching) == [(queued,)] * 100
    assert counting.reads < 50


async def test_only_the_newest_are_watched(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MAX_WATCHED", 2)
    await a_process(store, holding=instances(range(6)))
    first, second, third = [await request(store) for _ in range(3)]
    async with timeout(60), aclosing(watch_unfinished(store, interval=SOON)) as events:
        assert await anext(events) == (third, second)
        fourth = await request(store)
        assert await anext(events) == (fourth,), "the second one is watched no longer, but goes on"
        cancelled = await cancel_upgrade(store, fourth.id, caller=ADMIN)
        assert of_ids(await anext(events)) == of_ids([cancelled, second])
        assert first not in (third, second)
