"""Runs queued upgrades in the background.

A program runs several partitions concurrently: of upgrades of different processes, and on PostgreSQL also of
the same upgrade. The worker is part of the server, or a program of its own (`uplift worker`). Any number of
programs can share a database.
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
from uplift.domain.use_cases.run import run_upgrade
from uplift.domain.use_cases.worker import Worker, claim, fail_upgrade

CLAIM_INTERVAL = 0.5
"""Seconds between two attempts of an idle worker to claim a partition. A change by this program wakes it."""
MAX_CLAIM_INTERVAL = 30.0
"""Upper limit, in seconds, of the interval while the store does not answer."""


def worker_name() -> str:
    """A unique name that shows the host and process."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


class UpgradeWorker:
    """Claims and runs partitions until `stopping` is set. Then current chunks end, and leases are released.

    A chunk that does not end within `stop_timeout` seconds is cancelled, and the database rolls it back. When
    its lease has expired, another worker continues at the cursor.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker,
        *,
        concurrency: int,
        stopping: asyncio.Event,
        stop_timeout: float,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._worker = worker
        self._concurrency = concurrency
        self._stopping = stopping
        self._stop_timeout = stop_timeout
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 1
        self._is_idle = False

    async def run(self) -> None:
        """Claim and run upgrades until `stopping` is set."""
        claiming = asyncio.create_task(self._claim_until_stopped())
        try:
            await self._stopping.wait()
            if self._is_idle:
                claiming.cancel()
            async with asyncio.timeout(self._stop_timeout):
                await asyncio.wait({claiming})
                await asyncio.gather(*self._tasks)
        except TimeoutError:
            get_logger().warning("chunks cancelled by shutdown", seconds=self._stop_timeout)
        finally:
            remaining = {claiming, *self._tasks}
            for task in remaining:
                task.cancel()
            await asyncio.gather(*remaining, return_exceptions=True)

    async def _claim_until_stopped(self) -> None:
        interval = CLAIM_INTERVAL
        while not self._stopping.is_set():
            try:
                is_claimed = await self._claim_one()
                interval = CLAIM_INTERVAL
            except StoreUnavailable as error:
                get_logger().warning("worker waits for the store", error=error.message, seconds=interval)
                is_claimed, interval = False, min(MAX_CLAIM_INTERVAL, interval * 2)
            except Exception:
                # If this loop ended, the server would go on, but no upgrade would ever run.
                get_logger().exception("worker could not claim an upgrade", seconds=interval)
                is_claimed, interval = False, min(MAX_CLAIM_INTERVAL, interval * 2)
            if not is_claimed:
                await self._wait(interval)

    async def _wait(self, seconds: float) -> None:
        """Wait for a change in the store or the end of a task, at most this long.

        `run` cancels only this wait, never a claim: a cancelled claim could leave a lease that nobody uses.
        """
        self._is_idle = not self._stopping.is_set()
        if self._is_idle:
            change = asyncio.ensure_future(self._store.wait_for_change(seconds))
            try:
                await asyncio.wait({change, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                change.cancel()
        self._is_idle = False

    async def _claim_one(self) -> bool:
        if len(self._tasks) >= self._concurrency:
            return False
        worker = replace(self._worker, name=f"{self._worker.name}:{self._number}")
        try:
            upgrade = await claim(self._store, worker)
        except Exception:
            # The claim may have been committed although its answer was lost: never use this name again.
            self._number += 1
            raise
        if upgrade is None:
            return False
        self._number += 1
        task = asyncio.create_task(self._run(upgrade, worker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _run(self, upgrade: Upgrade, worker: Worker) -> None:
        # Every log line of this task names the upgrade.
        bind_contextvars(upgrade_id=str(upgrade.id), process=str(upgrade.process))
        log = get_logger()
        log.info("upgrade claimed", done=upgrade.total, expected=upgrade.expected)
        try:
            upgrade = await run_upgrade(
                self._store, upgrade, worker, should_stop=self._stopping.is_set, on_progress=_log_chunk
            )
            log.info(
                "upgrade released", state=upgrade.state, upgraded=upgrade.upgraded, skipped=upgrade.skipped
            )
        except StoreUnavailable as error:
            # When the lease has expired, another worker continues at the cursor.
            log.warning("upgrade released, the store is unavailable", error=error.message)
        except Exception as error:
            log.exception("upgrade failed")
            await self._fail(upgrade, worker, error)

    async def _fail(self, upgrade: Upgrade, worker: Worker, error: Exception) -> None:
        try:
            if (
                await fail_upgrade(self._store, upgrade, worker, f"{type(error).__name__}: {error}")
                is not None
            ):
                self._on_failure()
        except Exception:
            # The same fault may prevent this write. Then the upgrade runs again when its lease has expired.
            get_logger().exception("could not mark the upgrade as failed")


def _log_chunk(upgrade: Upgrade) -> None:
    get_logger().debug(
        "chunk done",
        state=upgrade.state,
        upgraded=upgrade.upgraded,
        skipped=upgrade.skipped,
        expected=upgrade.expected,
    )
