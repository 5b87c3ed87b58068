"""Upgrades instances from beginning to end in one program."""

from uuid import uuid4

from uplift.domain.model.access import Caller
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.ports import Store
from uplift.domain.use_cases.request import request_upgrade
from uplift.domain.use_cases.run import OnProgress, ignore_progress, run_upgrade
from uplift.domain.use_cases.watch import POLL_INTERVAL, get_upgrade
from uplift.domain.use_cases.worker import Worker, claim


async def upgrade_instances(
    store: Store,
    request: UpgradeRequest,
    *,
    caller: Caller,
    worker: Worker | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Upgrade:
    """Upgrade the selected instances of a process to its latest published version, from beginning to end.

    Each selected instance gets exactly one outcome. An instance that cannot be upgraded is skipped with every
    reason and does not stop the others. Takes and raises what `request_upgrade` does.
    """
    in_process = worker or Worker(name=f"in-process:{uuid4()}")
    upgrade = await request_upgrade(store, request, caller=caller, worker=in_process)
    on_progress(upgrade)
    return await finish_upgrade(store, upgrade, in_process, on_progress=on_progress)


async def finish_upgrade(
    store: Store, upgrade: Upgrade, worker: Worker, *, on_progress: OnProgress = ignore_progress
) -> Upgrade:
    """Run an upgrade to its end, and wait while other workers run the rest of it or it is paused."""
    while not upgrade.is_finished:
        claimed = await claim(store, worker, only=upgrade.id)
        if claimed is not None:
            upgrade = await run_upgrade(store, claimed, worker, on_progress=on_progress)
        elif (stored := await get_upgrade(store, upgrade.id)) != upgrade:
            upgrade = stored
            on_progress(upgrade)
        else:
            # A signal is lost while nobody waits for it, so wait only after a look that found nothing new.
            await store.wait_for_change(POLL_INTERVAL)
    return upgrade
