"""How a test asks for upgrades, and works on them for a while."""

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
"""Chunks of two instances: what is larger is queued."""

UPGRADED, SKIPPED = OutcomeKind.UPGRADED, OutcomeKind.SKIPPED


class Died(Exception):
    """A worker that dies."""


async def request(
    store: Store,
    selection: Selection | None = None,
    *,
    process: ProcessKey = ORDERS,
    worker: Worker = SMALL,
    **more: Any,
) -> Upgrade:
    """Ask for an upgrade, of all active instances unless told otherwise."""
    chosen = AllActive() if selection is None else selection
    asked = UpgradeRequest(process=process, selection=chosen, **more)
    return await request_upgrade(store, asked, caller=ADMIN, worker=worker)


def dying_after(chunks: int) -> OnProgress:
    """The worker dies when it has worked so many chunks: the last one is committed, its lease stays."""
    left = chunks

    def on_progress(_: Upgrade) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise Died

    return on_progress


def stopping_after(chunks: int) -> Callable[[], bool]:
    """The worker is told to stop when it has worked so many chunks."""
    left = chunks + 1

    def should_stop() -> bool:
        nonlocal left
        left -= 1
        return left <= 0

    return should_stop


async def taken(store: Store, upgrade: UpgradeId, worker: Worker = SMALL) -> Upgrade:
    """An upgrade that the worker has claimed."""
    claimed = await claim(store, worker, only=upgrade)
    assert claimed is not None
    return claimed


async def work(store: Store, upgrade: UpgradeId, worker: Worker = SMALL) -> Upgrade:
    """Claim an upgrade and work it off."""
    return await run_upgrade(store, await taken(store, upgrade, worker), worker)


async def work_and_die(store: Store, upgrade: UpgradeId, worker: Worker = SMALL, *, chunks: int) -> Upgrade:
    """Claim an upgrade, work so many chunks of it, and leave it as a killed program does."""
    claimed = await taken(store, upgrade, worker)
    with suppress(Died):
        await run_upgrade(store, claimed, worker, on_progress=dying_after(chunks))
    stored = await store.upgrades.find(upgrade)
    assert stored is not None
    return stored


async def work_and_stop(store: Store, upgrade: UpgradeId, worker: Worker = SMALL, *, chunks: int) -> Upgrade:
    """Claim an upgrade, work so many chunks of it, and give it back."""
    claimed = await taken(store, upgrade, worker)
    return await run_upgrade(store, claimed, worker, should_stop=stopping_after(chunks))


async def leases_of(store: Store, upgrade: UpgradeId) -> list[Lease | None]:
    """The lease of each partition that is left of an upgrade."""
    return [partition.lease for partition in (await store.partitions.remaining([upgrade]))[upgrade]]


async def kinds_of(store: Store, upgrade: UpgradeId) -> dict[InstanceId, OutcomeKind]:
    """What an upgrade did to each instance; each has one outcome."""
    outcomes = await outcomes_of(store, upgrade)
    kinds = {outcome.instance: outcome.kind for outcome in outcomes}
    assert len(kinds) == len(outcomes), "an instance has two outcomes"
    return kinds
