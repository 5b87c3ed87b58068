"""Holds links in the background: sends their orders, and sweeps their engines.

Any number of programs can share a database; each link is held by one of them at a time.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from structlog import get_logger
from structlog.contextvars import bind_contextvars

from uplift.domain.concurrency import first_of
from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.link import Link, LinkKind
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.ports import Store
from uplift.domain.ports.process_engine import EngineFault, ProcessEngine
from uplift.domain.rules.engine_health import Breaker
from uplift.domain.use_cases.links.holding import HeldLink, LinkLostError, claim_link, release_link
from uplift.domain.use_cases.links.pulling import PullSender
from uplift.domain.use_cases.links.sender import Sender
from uplift.domain.use_cases.links.sweeper import Sweeper
from uplift.domain.use_cases.worker import Worker
from uplift.engines.registry import engine_of
from uplift.engines.webhooks.announcer import Announcer
from uplift.engines.webhooks.client import WebhookClient
from uplift.engines.webhooks.sender import WebhookSender

CLAIM_INTERVAL = 1.0
"""Seconds between two looks for a link that no program holds."""
MAX_CLAIM_INTERVAL = 30.0
"""Upper limit of the interval, in seconds, while the store does not answer."""
UNUSABLE_INTERVAL = 30.0
"""Seconds after which a link that leads to no engine is looked at again."""


class LinkWorker:
    """Claims and holds links until `stopping` is set. Then current requests end, and leases are released.

    A request that does not end within `stop_timeout` seconds is cancelled. The next holder of the link asks
    the engine whether it took effect. Webhooks go to private addresses only if `private_webhooks`.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker,
        *,
        stopping: asyncio.Event,
        stop_timeout: float,
        connect: Callable[[Link], ProcessEngine] = engine_of,
        private_webhooks: bool = False,
    ) -> None:
        self._store = store
        self._worker = worker
        self._stopping = stopping
        self._stop_timeout = stop_timeout
        self._connect = connect
        self._private_webhooks = private_webhooks
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 1

    async def run(self) -> None:
        """Hold links until `stopping` is set."""
        claiming = asyncio.create_task(self._claim_until_stopped())
        try:
            await self._stopping.wait()
            async with asyncio.timeout(self._stop_timeout):
                await asyncio.wait({claiming, *self._tasks})
        except TimeoutError:
            get_logger().warning("requests to engines cancelled by shutdown", seconds=self._stop_timeout)
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
                get_logger().warning("links wait for the store", error=error.message, seconds=interval)
                is_claimed, interval = False, min(MAX_CLAIM_INTERVAL, interval * 2)
            except Exception:
                # If this loop ended, the server would go on, but no order would ever be sent.
                get_logger().exception("could not claim a link", seconds=interval)
                is_claimed, interval = False, min(MAX_CLAIM_INTERVAL, interval * 2)
            if not is_claimed:
                await first_of(self._stopping.wait(), asyncio.sleep(interval))

    async def _claim_one(self) -> bool:
        # A name of its own for each claim: an earlier claim may have been committed although it failed here.
        worker = replace(self._worker, name=f"{self._worker.name}:link-{self._number}")
        self._number += 1
        held = await claim_link(self._store, worker)
        if held is None:
            return False
        task = asyncio.create_task(self._hold(held))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _hold(self, held: HeldLink) -> None:
        # Every log line of this task names the link.
        bind_contextvars(link=held.link.name)
        log = get_logger()
        log.info("link held", kind=held.link.kind)
        try:
            await self._work(held)
        except LinkLostError:
            log.warning("link lost")
        except StoreUnavailable as error:
            log.warning("link released, the store is unavailable", error=error.message)
        except Exception:
            # Held on for a while, so that an error that comes again does not fill the log.
            log.exception("link failed", seconds=CLAIM_INTERVAL)
            await first_of(self._stopping.wait(), asyncio.sleep(CLAIM_INTERVAL))
        finally:
            await self._release(held)

    async def _release(self, held: HeldLink) -> None:
        try:
            await release_link(self._store, held.link.id, held.worker)
        except Exception:
            # Then another program claims the link when the lease has expired.
            get_logger().warning("could not release the link")
        else:
            get_logger().info("link released")

    async def _work(self, held: HeldLink) -> None:
        """Send and sweep until `stopping` is set, or the link is lost. Raises what ended it."""
        engine: ProcessEngine | None = None
        try:
            if held.link.kind is not LinkKind.PULL:
                engine = self._connect(held.link)
        except EngineFault as fault:
            await self._report(held, fault)
            await first_of(self._stopping.wait(), asyncio.sleep(UNUSABLE_INTERVAL))
            return
        breaker = Breaker()
        webhooks = self._webhooks_of(held)
        keeper = asyncio.create_task(self._keep(held, breaker, webhooks))
        parts = [asyncio.create_task(part) for part in self._work_of(held, engine, breaker, webhooks)]
        work = asyncio.gather(*parts)
        try:
            # The lease is renewed until the work ends. Without it, none of the work may go on.
            await asyncio.wait((work, keeper), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # If a part fails, `work` ends at once, and the other parts would go on without the lease.
            for task in (*parts, keeper):
                task.cancel()
            results = await asyncio.gather(work, keeper, *parts, return_exceptions=True)
            if webhooks is not None:
                await webhooks.close()
            if engine is not None:
                await engine.close()
        for error in results:
            if isinstance(error, Exception):
                raise error

    def _work_of(
        self,
        held: HeldLink,
        engine: ProcessEngine | None,
        breaker: Breaker,
        webhooks: WebhookSender | None,
    ) -> list[Coroutine[Any, Any, None]]:
        if engine is None:
            if webhooks is None:
                return [PullSender(held, self._stopping).run()]
            return [
                PullSender(held, self._stopping, on_sent=webhooks.notify).run(),
                # A webhook that is under way at a stop is cancelled, and sent by the next holder.
                first_of(webhooks.run(), self._stopping.wait()),
                first_of(Announcer(held, webhooks).run(), self._stopping.wait()),
            ]
        return [
            Sender(held, engine, self._stopping, breaker=breaker, on_fault=_log_fault).run(),
            Sweeper(held, engine, self._stopping, breaker=breaker, on_fault=_log_fault).run(),
        ]

    def _webhooks_of(self, held: HeldLink) -> WebhookSender | None:
        webhook, clock = held.link.webhook, held.worker.clock
        if webhook is None:
            return None
        client = WebhookClient(webhook, clock=clock, allow_private=self._private_webhooks)
        return WebhookSender(held.link, client, clock=clock, on_error=_log_webhook)

    async def _keep(self, held: HeldLink, breaker: Breaker, webhooks: WebhookSender | None) -> None:
        """Renew the lease, and store whether the engine answers. Raises LinkLostError."""
        interval = held.worker.lease_for.total_seconds() / 3
        while True:

            def change(status: LinkStatus) -> LinkStatus:
                error = None if webhooks is None else webhooks.error
                return replace(status, unreachable_since=breaker.open_since, webhook_error=error)

            try:
                await held.renew(change)
            except StoreUnavailable:
                held.require_valid()
            await asyncio.sleep(interval)

    async def _report(self, held: HeldLink, fault: EngineFault) -> None:
        _log_fault(fault)
        await held.renew(lambda status: replace(status, sweep_error=fault.message))


def _log_webhook(error: str) -> None:
    get_logger().warning("webhook did not arrive", error=error)


def _log_fault(fault: EngineFault) -> None:
    get_logger().warning("engine does not answer", kind=fault.kind, error=fault.message)
