"""Who works off the queued upgrades?

A program has several workers, each of which works on one partition at a time: of upgrades of several
processes, and where the database lets several write at once, also of the same upgrade. They run inside the
server, or alone (`uplift worker`); any number of programs may share a database.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from structlog import get_logger
from structlog.contextvars import bind_contextvars

from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.ports import Store
from uplift.domain.use_cases.run import Worker, claim, fail, run_upgrade

LOOK_EVERY = 0.5
"""Seconds between two looks for upgrades that other programs have queued or left."""
LONGEST_PAUSE = 30.0
"""Seconds: the most that a worker waits for a store that does not answer."""


def worker_name() -> str:
    """A name that no other worker has, and that tells an operator where it runs."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


class UpgradeWorker:
    """Works until `stopping` is set; then each chunk under way ends, and what is left is queued again.

    What does not end within `patience` seconds is cut off: the database rolls it back, and whoever looks when
    its lease has run out goes on at the cursor.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker,
        *,
        concurrency: int,
        stopping: asyncio.Event,
        patience: float,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._worker = worker
        self._concurrency = concurrency
        self._stopping = stopping
        self._patience = patience
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 1
        self._is_idle = False

    async def run(self) -> None:
        """Take upgrades and work on them, until told to stop."""
        taking = asyncio.create_task(self._take())
        try:
            await self._stopping.wait()
            if self._is_idle:
                taking.cancel()
            async with asyncio.timeout(self._patience):
                await asyncio.wait({taking})
                await asyncio.gather(*self._tasks)
        except TimeoutError:
            get_logger().warning("work was cut off by the stop", seconds=self._patience)
        finally:
            left = {taking, *self._tasks}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _take(self) -> None:
        pause = LOOK_EVERY
        while not self._stopping.is_set():
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
            if not taken:
                await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        """Wait for news. Only here the taking of upgrades can be cancelled: a claim must come to its end."""
        self._is_idle = not self._stopping.is_set()
        if self._is_idle:
            news = asyncio.ensure_future(self._store.wait_for_change(seconds))
            try:
                await asyncio.wait({news, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                news.cancel()
        self._is_idle = False

    async def _take_one(self) -> bool:
        if len(self._tasks) >= self._concurrency:
            return False
        worker = replace(self._worker, name=f"{self._worker.name}:{self._number}")
        try:
            upgrade = await claim(self._store, worker)
        except Exception:
            # Its answer may have been lost, and so the name be in use.
            self._number += 1
            raise
        if upgrade is None:
            return False
        self._number += 1
        task = asyncio.create_task(self._work_on(upgrade, worker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _work_on(self, upgrade: Upgrade, worker: Worker) -> None:
        # For all lines of this task, whoever writes them.
        bind_contextvars(upgrade_id=str(upgrade.id), process=str(upgrade.process))
        log = get_logger()
        log.info("upgrade taken", done=upgrade.total, expected=upgrade.expected)
        try:
            upgrade = await run_upgrade(
                self._store, upgrade, worker, should_stop=self._stopping.is_set, on_progress=_tell
            )
            log.info("upgrade left", state=upgrade.state, upgraded=upgrade.upgraded, skipped=upgrade.skipped)
        except StoreUnavailable as error:
            # The lease runs out, and whoever looks then goes on at the cursor.
            log.warning("upgrade left to whoever comes next", error=error.message)
        except Exception as error:
            log.exception("upgrade failed")
            await self._fail(upgrade, worker, error)

    async def _fail(self, upgrade: Upgrade, worker: Worker, error: Exception) -> None:
        try:
            if await fail(self._store, upgrade, worker, f"{type(error).__name__}: {error}") is not None:
                self._on_failure()
        except Exception:
            # What broke the upgrade may well keep it from being marked: then it is tried again.
            get_logger().exception("upgrade could not be marked as failed")


def _tell(upgrade: Upgrade) -> None:
    get_logger().debug(
        "chunk done",
        state=upgrade.state,
        upgraded=upgrade.upgraded,
        skipped=upgrade.skipped,
        expected=upgrade.expected,
    )
