"""Sends the webhooks of a link, and sends those again that did not arrive."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from uplift.domain.clock import Clock
from uplift.domain.concurrency import first_of
from uplift.domain.model.link import Link
from uplift.domain.model.order import OrderBatch
from uplift.engines.webhooks.errors import WebhookError, WebhookGoneError
from uplift.engines.webhooks.events import Event, OrdersEvent, new_event_id

RETRY_SECONDS = (5.0, 300.0, 1_800.0, 7_200.0)
"""How long to wait after each attempt that failed. After the last one, the event is dropped."""
MAX_JITTER = 0.2
"""By which part of itself a wait is at most longer, so that receivers are not asked by all at once."""


class Transport(Protocol):
    """Sends single events, as WebhookClient does."""

    async def send(self, event: Event) -> None:
        """Send an event. Raises WebhookError."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class WebhookSender:
    """Sends an event for the orders that `notify` names, one event at a time, and others by `send`.

    An event for orders only wakes the engine, so at most one waits: a later one takes its place, covers its
    orders too, and is tried soon. `error` says why the last attempt failed; None if it did not. `is_gone`
    says that the receiver wants no more events.
    """

    def __init__(
        self,
        link: Link,
        transport: Transport,
        *,
        clock: Clock,
        on_error: Callable[[str], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._link = link
        self._transport = transport
        self._clock = clock
        self._on_error = on_error
        self._sleep = sleep
        self._jitter = jitter
        self._waiting: OrdersEvent | None = None
        self._arrived = asyncio.Event()
        self.is_gone = False
        self.error: str | None = None

    def notify(self, batch: OrderBatch) -> None:
        """Send an event for orders that the engine can fetch by now. Returns at once."""
        if self.is_gone:
            return
        event = OrdersEvent(
            id=new_event_id(),
            link=self._link.name,
            upgrade=str(batch.upgrade),
            after=min(batch.numbers) - 1,
            count=len(batch.orders),
            created_at=self._clock(),
        )
        self._waiting = event if self._waiting is None else _merged(self._waiting, event)
        self._arrived.set()

    async def run(self) -> None:
        """Send events until cancelled, or until the receiver wants no more."""
        while not self.is_gone:
            await self._arrived.wait()
            await self._deliver()

    async def send(self, event: Event) -> bool:
        """Send an event once, unless the receiver wants no more. Returns whether it has arrived."""
        if self.is_gone:
            return False
        try:
            await self._transport.send(event)
        except WebhookError as error:
            self.is_gone = self.is_gone or isinstance(error, WebhookGoneError)
            self.error = error.message
            self._on_error(error.message)
            return False
        self.error = None
        return True

    async def close(self) -> None:
        """Close the connections. Nothing may be sent any more."""
        await self._transport.close()

    def with_jitter(self, seconds: float) -> float:
        """A time that is a little longer."""
        return seconds * (1 + MAX_JITTER * self._jitter())

    async def _deliver(self) -> None:
        """Send what waits until it has arrived, or the attempts are used up."""
        failures = 0
        while self._waiting is not None:
            event, self._waiting = self._waiting, None
            self._arrived.clear()
            if await self.send(event):
                failures = 0
                continue
            if self.is_gone:
                self._waiting = None
                return
            # A later event has attempts of its own. It waits as after a first failure.
            failures = 1 if self._waiting is not None else failures + 1
            if failures > len(RETRY_SECONDS):
                return
            self._waiting = event if self._waiting is None else _merged(event, self._waiting)
            if await self._pause(RETRY_SECONDS[failures - 1]):
                failures = 0

    async def _pause(self, seconds: float) -> bool:
        """Wait before the next attempt. A later event ends the wait, but not its first seconds: then True."""
        whole, first = self.with_jitter(seconds), RETRY_SECONDS[0]
        await self._sleep(whole * first / seconds)
        rest = whole * (1 - first / seconds)
        if rest > 0 and not self._arrived.is_set():
            await first_of(self._sleep(rest), self._arrived.wait())
        return self._arrived.is_set()


def _merged(earlier: OrdersEvent, later: OrdersEvent) -> OrdersEvent:
    return replace(later, after=min(earlier.after, later.after), count=earlier.count + later.count)
