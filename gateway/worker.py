"""Who works off the queued upgrades?

A worker takes them in order, one at a time of each process, several processes side by side. It runs inside
the server, or alone (`uplift worker`); any number may share a database.
"""

import asyncio
import os
import socket
from contextlib import suppress
from uuid import uuid4

from structlog import get_logger

from domain.errors import StoreUnavailable
from domain.ports import Store
from domain.upgrade import Upgrade
from domain.working import Worker, claim, fail, work_off

LOOK_EVERY = 0.5
"""Seconds between two looks for upgrades that other programs have queued or left."""
LONGEST_PAUSE = 30.0
"""Seconds: the most that a worker waits for a store that does not answer."""


def worker_name() -> str:
    """A name that no other worker has, and that tells an operator where it runs."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


class UpgradeWorker:
    """Works until it is told to stop; then each chunk under way ends, and what is left is queued again."""

    def __init__(self, store: Store, worker: Worker, *, at_once: int) -> None:
        self._store = store
        self._worker = worker
        self._at_once = at_once
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def run(self) -> None:
        """Take upgrades and work on them, until `stop`."""
        pause = LOOK_EVERY
        while not self._stopping:
            try:
                taken = await self._take_one()
                pause = LOOK_EVERY
            except StoreUnavailable as error:
                get_logger().warning("the worker waits for the store", error=error.message, seconds=pause)
                taken, pause = False, min(LONGEST_PAUSE, pause * 2)
            except Exception:
                # A server whose worker has silently ended would leave every upgrade waiting.
                get_logger().exception("the worker could not take an upgrade", seconds=pause)
                taken, pause = False, min(LONGEST_PAUSE, pause * 2)
            if not taken and not self._stopping:
                await self._store.wait_for_change(pause)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def stop(self) -> None:
        """End after the chunks under way."""
        self._stopping = True

    async def _take_one(self) -> bool:
        if len(self._tasks) >= self._at_once:
            return False
        upgrade = await claim(self._store, self._worker)
        if upgrade is None:
            return False
        task = asyncio.create_task(self._work_on(upgrade))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _work_on(self, upgrade: Upgrade) -> None:
        log = get_logger().bind(upgrade=str(upgrade.id), process=str(upgrade.process))
        log.info("upgrade taken", done=upgrade.total, expected=upgrade.expected)
        try:
            upgrade = await work_off(self._store, upgrade, self._worker, should_stop=lambda: self._stopping)
            log.info("upgrade left", state=upgrade.state, upgraded=upgrade.upgraded, skipped=upgrade.skipped)
        except StoreUnavailable as error:
            # The lease runs out, and whoever looks then goes on at the cursor.
            log.warning("upgrade left to whoever comes next", error=error.message)
        except Exception as error:
            log.exception("upgrade failed")
            with suppress(StoreUnavailable):
                await fail(self._store, upgrade, self._worker, f"{type(error).__name__}: {error}")
