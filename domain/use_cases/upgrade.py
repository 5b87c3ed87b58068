"""How does a program upgrade instances from beginning to end by itself?"""

from collections.abc import Sequence
from uuid import uuid4

from uplift.domain.model.access import Caller
from uplift.domain.model.mapping import VersionMapping
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import Selection
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.ports import Store
from uplift.domain.use_cases.request import request_upgrade
from uplift.domain.use_cases.run import OnProgress, Worker, claim, ignore_progress, run_upgrade
from uplift.domain.use_cases.watch import ASK_EVERY, get_upgrade


async def upgrade_instances(
    store: Store,
    *,
    process: ProcessKey,
    selection: Selection,
    caller: Caller,
    mappings: Sequence[VersionMapping] = (),
    fingerprint: str | None = None,
    reason: str | None = None,
    key: str | None = None,
    worker: Worker | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Upgrade:
    """Upgrade the selected instances of a process to its latest published version, from beginning to end.

    Each selected instance gets exactly one outcome; those that cannot be upgraded are skipped with every
    reason and never hold back the rest. Takes and raises what `request_upgrade` does.
    """
    working = worker or Worker(name=f"in-process:{uuid4()}")
    upgrade = await request_upgrade(
        store,
        process=process,
        selection=selection,
        caller=caller,
        worker=working,
        mappings=mappings,
        fingerprint=fingerprint,
        reason=reason,
        key=key,
    )
    on_progress(upgrade)
    return await finish_upgrade(store, upgrade, working, on_progress=on_progress)


async def finish_upgrade(
    store: Store, upgrade: Upgrade, worker: Worker, *, on_progress: OnProgress = ignore_progress
) -> Upgrade:
    """See an upgrade to its end: work on it, or wait while others work on the rest or it is paused."""
    while not upgrade.is_finished:
        claimed = await claim(store, worker, only=upgrade.id)
        if claimed is not None:
            upgrade = await run_upgrade(store, claimed, worker, on_progress=on_progress)
        elif (now := await get_upgrade(store, upgrade.id)) != upgrade:
            upgrade = now
            on_progress(upgrade)
        else:
            # Only when all that is known has been seen: what is told while nobody waits is missed.
            await store.wait_for_change(ASK_EVERY)
    return upgrade
