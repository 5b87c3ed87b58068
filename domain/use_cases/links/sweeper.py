"""Sweeps the engine of a held link when it is time to."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from uplift.domain.concurrency import first_of
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind, ProcessEngine
from uplift.domain.rules.engine_health import Backoff, Breaker
from uplift.domain.use_cases.links.holding import HeldLink, Sleep
from uplift.domain.use_cases.links.sweep import sweep

POLL_SECONDS = 1.0
"""The time between two looks at whether an operator requested a sweep."""


class Sweeper:
    """Sweeps the engine at the link's interval, and when an operator requests it, until `stopping` is set.

    A sweep that a fault stopped is repeated after a delay that grows, or when an operator requests it; but
    not before the time for which the engine asks. `sleep` waits for so many seconds.
    """

    def __init__(
        self,
        held: HeldLink,
        engine: ProcessEngine,
        stopping: asyncio.Event,
        *,
        breaker: Breaker | None = None,
        backoff: Backoff | None = None,
        sleep: Sleep = asyncio.sleep,
        on_fault: Callable[[EngineFault], None] = lambda _: None,
    ) -> None:
        self._held = held
        self._engine = engine
        self._stopping = stopping
        self._breaker = breaker or Breaker()
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._on_fault = on_fault
        self._repeat_at: float | None = None
        self._asks_to_wait = False

    async def run(self) -> None:
        """Sweep until `stopping` is set. Raises LinkLostError and StoreUnavailable."""
        while not self._stopping.is_set():
            if await self._is_due():
                # A sweep may take minutes, and its end is no better than its middle to stop at.
                await first_of(self._sweep(), self._stopping.wait())
            else:
                await self._wait(POLL_SECONDS)

    async def _sweep(self) -> None:
        try:
            await sweep(self._held, self._engine)
        except EngineFault as fault:
            self._on_fault(fault)
            if fault.kind is not EngineFaultKind.FAILED:
                self._breaker.failed(self._held.worker.clock())
            delay = self._backoff.failed(fault.retry_after)
            self._repeat_at = self._held.monotonic() + delay.total_seconds()
            self._asks_to_wait = fault.retry_after is not None
        else:
            self._breaker.succeeded()
            self._backoff.succeeded()
            self._repeat_at = None

    async def _is_due(self) -> bool:
        must_wait = self._repeat_at is not None and self._held.monotonic() < self._repeat_at
        if self._repeat_at is not None and not must_wait:
            return True
        if must_wait and self._asks_to_wait:
            return False
        link = self._held.link
        status = (await self._held.store.links.statuses([link.id])).get(link.id)
        if status is None:
            return False
        return is_requested(status) if must_wait else is_due(status, self._held, self._held.worker.clock())

    def _wait(self, seconds: float) -> Awaitable[object]:
        return first_of(self._stopping.wait(), self._sleep(seconds))


def is_due(status: LinkStatus, held: HeldLink, now: datetime) -> bool:
    """Whether a link needs a sweep: it had none for its interval, or an operator requested one since."""
    started = status.sweep_started_at
    if started is None or is_requested(status):
        return True
    # A sweep that began and did not end was stopped with its worker.
    was_stopped = status.swept_at is None or status.swept_at < started
    return was_stopped or now - started >= held.link.sweep_interval


def is_requested(status: LinkStatus) -> bool:
    """Whether an operator has requested a sweep since the last one began."""
    started, requested = status.sweep_started_at, status.sweep_requested_at
    return requested is not None and (started is None or requested > started)
