"""Requests upgrades and runs them in tests, to the end or until a worker crashes or stops."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from uplift.domain import (
    AllActive,
    InstanceId,
    OutcomeKind,
    ProcessKey,
    Selection,
    Upgrade,
    UpgradeId,
    Worker,
    claim,
    request_upgrade,
    run_upgrade,
)
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.upgrade import Lease
from uplift.domain.ports import Store
from uplift.domain.use_cases.run import OnProgress
from uplift.testing.builders import ADMIN, ORDERS, a_worker
from uplift.testing.stores import outcomes_of

SMALL = a_worker("small", size=2)
"""Chunks of two instances; a larger request is queued."""

UPGRADED, SKIPPED = OutcomeKind.UPGRADED, OutcomeKind.SKIPPED


class Died(Exception):
    """Stands for the crash of a worker."""


async def request(
    store: Store,
    selection: Selection | None = None,
    *,
    process: ProcessKey = ORDERS,
    worker: Worker = SMALL,
    **more: Any,
) -> Upgrade:
    """Request an upgrade, by default of all active instances."""
    upgrade_request = UpgradeRequest(process=process, selection=selection or AllActive(), **more)
    return await request_upgrade(store, upgrade_request, caller=ADMIN, worker=worker)


def dying_after(chunks: int) -> OnProgress:
    """Crash a worker after so many chunks. The last chunk is committed, and the lease stays."""
    remaining = chunks

    def on_progress(_: Upgrade) -> None:
        nonlocal remaining
        remaining -= 1
        if remaining <= 0:
            raise Died

    return on_progress


def stopping_after(chunks: int) -> Callable[[], bool]:
    """Stop a worker after so many chunks."""
    remaining = chunks + 1

    def should_stop() -> bool:
        nonlocal remaining
        remaining -= 1
        return remaining <= 0

    return should_stop


async def taken(store: Store, upgrade: UpgradeId, worker: Worker = SMALL) -> Upgrade:
    """Claim an upgrade."""
    claimed = await claim(store, worker, only=upgrade)
    assert claimed is not None
    return claimed


async def work(store: Store, upgrade: UpgradeId, worker: Worker = SMALL) -> Upgrade:
    """Claim an upgrade and run it."""
    return await run_upgrade(store, await taken(store, upgrade, worker), worker)


async def work_and_die(store: Store, upgrade: UpgradeId, worker: Worker = SMALL, *, chunks: int) -> Upgrade:
    """Claim an upgrade, run so many chunks of it, and crash."""
    claimed = await taken(store, upgrade, worker)
    with suppress(Died):
        await run_upgrade(store, claimed, worker, on_progress=dying_after(chunks))
    stored = await store.upgrades.find(upgrade)
    assert stored is not None
    return stored


async def work_and_stop(store: Store, upgrade: UpgradeId, worker: Worker = SMALL, *, chunks: int) -> Upgrade:
    """Claim an upgrade, run so many chunks of it, and release its lease."""
    claimed = await taken(store, upgrade, worker)
    return await run_upgrade(store, claimed, worker, should_stop=stopping_after(chunks))


async def leases_of(store: Store, upgrade: UpgradeId) -> list[Lease | None]:
    """The leases of the remaining partitions of an upgrade."""
    return [partition.lease for partition in (await store.partitions.remaining([upgrade]))[upgrade]]


async def kinds_of(store: Store, upgrade: UpgradeId) -> dict[InstanceId, OutcomeKind]:
    """The kind of the only outcome of each instance."""
    outcomes = await outcomes_of(store, upgrade)
    kinds = {outcome.instance: outcome.kind for outcome in outcomes}
    assert len(kinds) == len(outcomes), "an instance has two outcomes"
    return kinds
