"""A worker dies at each statement of its chunks, one after the other, and the next one ends what it began."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from tests.support.long_mode import IS_LONG
from tests.support.mortal import Killed, Life
from tests.support.mortal_database import MortalDatabase
from tests.support.stores import DIVIDED, SERVED, Stores
from uplift.domain import (
    Instance,
    OutcomeKind,
    Status,
    Upgrade,
    UpgradeState,
    Worker,
    claim,
    request_undo,
    run_upgrade,
)
from uplift.domain.model.request import UndoRequest
from uplift.domain.ports import Store
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, MovableClock, a_process, a_worker, an_instance, at
from uplift.testing.linked_work import a_linked_process
from uplift.testing.stores import instances_of, outcomes_of, require_right_counts
from uplift.testing.upgrade_work import SMALL, request, work

pytestmark = pytest.mark.anyio

HELD = [
    an_instance(0),
    an_instance(1, status=Status.RUNNING),
    an_instance(2, position=at("elsewhere")),
    an_instance(3, status=Status.RUNNING),
    an_instance(4),
]
MOVING = frozenset({HELD[number].id for number in (0, 2, 4)})
MOST = 500
"""More moments than the life of a worker has."""


def a_partition_worker(name: str, clock: MovableClock) -> Worker:
    """A worker whose chunks have two instances and whose partitions three."""
    worker = a_worker(name, size=2, clock=clock)
    return replace(worker, chunk_policy=replace(worker.chunk_policy, partition_size=3))


async def an_upgrade(store: Store) -> Upgrade:
    await a_process(store, holding=HELD)
    return await request(store)


async def an_undo(store: Store) -> Upgrade:
    done = await work(store, (await an_upgrade(store)).id)
    return await request_undo(store, UndoRequest(upgrade_id=done.id), caller=ADMIN, worker=SMALL)


async def a_linked_upgrade(store: Store) -> Upgrade:
    await a_linked_process(store, holding=HELD)
    return await request(store)


async def require_right_figures(store: Store, upgrade: Upgrade) -> None:
    """Compare the figures with the outcomes, of which each instance has at most one."""
    stored = await store.upgrades.find(upgrade.id)
    assert stored is not None
    outcomes = await outcomes_of(store, upgrade.id)
    kinds = [outcome.kind for outcome in outcomes]
    assert len({outcome.instance for outcome in outcomes}) == len(outcomes)
    figures = (stored.upgraded, stored.skipped, stored.ordered)
    assert figures == tuple(
        kinds.count(kind) for kind in (OutcomeKind.UPGRADED, OutcomeKind.SKIPPED, OutcomeKind.ORDERED)
    )
    skips = (await store.upgrades.skip_decisions([upgrade.id]))[upgrade.id]
    assert sum(skip.count for skip in skips) == stored.skipped
    await require_right_counts(store)


def moved(held: list[Instance]) -> set[Any]:
    return {instance.id for instance in held if instance.version == 2}


@pytest.mark.parametrize("kind", [*SERVED, *(DIVIDED if IS_LONG else ())])
@pytest.mark.parametrize(
    ("requested", "upgraded", "skipped", "ordered", "at_end"),
    [
        (an_upgrade, 3, 2, 0, MOVING),
        (an_undo, 3, 0, 0, frozenset()),
        (a_linked_upgrade, 0, 2, 3, frozenset()),
    ],
    ids=["upgrade", "undo", "linked upgrade"],
)
async def test_a_worker_may_die_at_any_statement(
    stores: Stores,
    kind: str,
    requested: Any,
    upgraded: int,
    skipped: int,
    ordered: int,
    at_end: frozenset[Any],
) -> None:
    if kind in DIVIDED and requested is a_linked_upgrade:
        pytest.skip("a database with buckets has no links")
    # Every seventh moment in the ordinary mode: the steps of the life have other numbers of statements.
    for end in range(0, MOST, 1 if IS_LONG else 7):
        life, clock = Life(end), MovableClock()
        async with stores.empty(kind) as store:
            assert isinstance(store, SqlStore)
            upgrade = await requested(store)
            mortal: Any = MortalDatabase(store.database, life)
            with suppress(Killed):
                await work_alone(SqlStore(mortal), upgrade, a_partition_worker("mortal", clock))
            await require_right_figures(store, upgrade)
            clock.advance(seconds=11)
            await work_alone(store, upgrade, a_partition_worker("heir", clock))
            ended = await store.upgrades.find(upgrade.id)
            assert ended is not None
            assert ended.state is (UpgradeState.RUNNING if ordered else UpgradeState.COMPLETED)
            assert (ended.upgraded, ended.skipped, ended.ordered) == (upgraded, skipped, ordered)
            assert (await store.partitions.remaining([upgrade.id]))[upgrade.id] == ()
            await require_right_figures(store, upgrade)
            assert moved(await instances_of(store, ORDERS)) == at_end
        if not life.has_ended:
            assert end > 30
            return
    raise AssertionError("Expected the worker to end by itself at last.")


async def work_alone(store: Store, upgrade: Upgrade, worker: Worker) -> None:
    """Work on an upgrade until it has no free partition."""
    while (claimed := await claim(store, worker, only=upgrade.id)) is not None:
        await run_upgrade(store, claimed, worker)
