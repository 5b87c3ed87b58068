"""Sends the orders of a held link to its engine, and settles them by its answers.

Orders are stored as SENT before the engine is asked, and no transaction is open while it answers. So a sender
may stop at any moment: the next one finds what was SENT, asks the engine where these instances are, and
settles or repeats the orders.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from uplift.domain.concurrency import first_of
from uplift.domain.errors import InvalidModel
from uplift.domain.model.decision import ReasonCode, SkipReason
from uplift.domain.model.order import ANY_TIME, Order, OrderBatch, OrderNumber, Settlement
from uplift.domain.model.upgrade import SENDING
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind, MovePlan, ProcessEngine
from uplift.domain.rules.engine_health import Backoff, Breaker
from uplift.domain.rules.request_rate import RequestSize, TokenBucket
from uplift.domain.use_cases.links.answers import elsewhere, locate, move
from uplift.domain.use_cases.links.holding import HeldLink, Sleep
from uplift.domain.use_cases.links.move_plans import MovePlans, VersionNotInEngineError
from uplift.domain.use_cases.orders import drop_orders, put_back_orders, send_orders, settle_orders

POLL_SECONDS = 0.5
"""The time between two looks of an idle sender. A change by this program wakes it."""
DROP_SIZE = 10_000
"""The orders of an ended upgrade that one transaction refuses."""
MAX_FAILURES = 3
"""After as many failures of requests for it alone an order is refused: it would fail again and again."""
CERTAIN_AFTER = 10.0
"""Seconds after which an order that was found not carried out counts as such. A request whose answer was lost
may still be under way in an engine that was frozen."""


class Sender:
    """Sends and settles the orders of a link until `stopping` is set. `sleep` waits for so many seconds."""

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
        self._clock = held.worker.clock
        self._plans = MovePlans(held.store, held.worker.comparer)
        rate = held.link.max_rate
        self._bucket = None if rate is None else TokenBucket(rate, held.monotonic())
        self._size = RequestSize(engine.traits.max_size)
        self._requests = 0
        # By the numbers of SENT orders, so both are as few as requests are under way.
        self._failures = Counter[OrderNumber]()
        self._last_failure = ""
        self._found_at_source: dict[OrderNumber, float] = {}

    async def run(self) -> None:
        """Send and settle orders until `stopping` is set. Raises LinkLostError and StoreUnavailable."""
        while not self._stopping.is_set():
            if not await self.run_once():
                idle = self._held.store.wait_for_change(POLL_SECONDS)
                await first_of(idle, self._stopping.wait())

    async def run_once(self) -> bool:
        """Settle what has no answer, then send until a fault or the end of orders. False if it is idle."""
        try:
            # What was sent is settled first. Only then all SENT orders are of requests that have ended.
            await self._settle_unanswered()
            is_busy = await self._send_all()
        except EngineFault as fault:
            await self._back_off(fault)
            return True
        return await self._drop() or is_busy

    async def _send_all(self) -> bool:
        concurrency = 1 if self._breaker.open_since else self._engine.traits.concurrency
        has_failed = asyncio.Event()
        lanes = [asyncio.create_task(self._send_until(has_failed)) for _ in range(concurrency)]
        try:
            # A lane that fails must not cancel the requests of the others: their answers would be lost.
            results = await asyncio.gather(*lanes, return_exceptions=True)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        if errors:
            # Errors of the store or of this program say more than those of the engine.
            raise min(errors, key=lambda error: isinstance(error, EngineFault))
        return any(result is True for result in results)

    async def _send_until(self, has_failed: asyncio.Event) -> bool:
        """Send batch by batch, until nothing remains or a request fails. Returns whether it has sent any."""
        has_sent = False
        try:
            while not (has_failed.is_set() or self._stopping.is_set()):
                if self._bucket is not None and (delay := self._bucket.delay(self._held.monotonic())):
                    await self._wait(delay)
                    continue
                batch = await self._next_batch()
                if batch is None:
                    return has_sent
                has_sent = True
                await self._carry_out(batch, batch.orders)
        except BaseException:
            has_failed.set()
            raise
        return has_sent

    async def _next_batch(self) -> OrderBatch | None:
        limit = self._size.current
        if self._bucket is not None:
            limit = min(limit, self._bucket.max_size)
        async with self._held.transaction() as (transaction, link):
            # The state of the upgrade is read under its lock, so nothing is sent after a pause is answered.
            batch = await send_orders(transaction, link, limit, clock=self._clock)
        if batch is not None and self._bucket is not None:
            self._bucket.spend(len(batch.orders), self._held.monotonic())
        return batch

    async def _carry_out(self, batch: OrderBatch, orders: Sequence[Order]) -> None:
        """Send SENT orders of a batch to the engine, and settle them. Raises EngineFault."""
        plan = await self._plan(batch, orders)
        if plan is None:
            return
        # The lease may have expired since the orders were marked: then another worker looks after them.
        self._held.require_valid()
        began = self._held.monotonic()
        self._requests += 1
        try:
            answers = await move(self._engine, plan, orders)
        finally:
            requests, self._requests = self._requests, self._requests - 1
        seconds = self._held.monotonic() - began
        self._size.note(len(orders), seconds, sum(item.refusal is not None for item in answers.settlements))
        # Parallel requests count once, so that the rate of the upgrade is that of all together.
        await self._settle(orders, answers.settlements, timedelta(seconds=seconds / requests))
        if answers.fault is not None:
            if answers.fault.kind is EngineFaultKind.FAILED:
                self._last_failure = answers.fault.message
                settled = {settlement.number for settlement in answers.settlements}
                self._failures.update(order.number for order in orders if order.number not in settled)
            raise answers.fault
        self._breaker.succeeded()
        self._backoff.succeeded()

    async def _plan(self, batch: OrderBatch, orders: Sequence[Order]) -> MovePlan | None:
        """Find the plan of a batch; without one, refuse its orders and return None."""
        try:
            return await self._plans.find(batch.upgrade, batch.process, batch.decision)
        except (VersionNotInEngineError, InvalidModel) as error:
            await self._refuse(orders, str(error))
            return None

    async def _refuse(self, orders: Sequence[Order], message: str) -> None:
        reason = SkipReason(code=ReasonCode.ENGINE_REFUSED, message=message)
        await self._settle(orders, [Settlement(number=order.number, refusal=reason) for order in orders])

    async def _settle(
        self,
        orders: Sequence[Order],
        settlements: Sequence[Settlement],
        worked: timedelta = timedelta(),
    ) -> None:
        if not settlements:
            return
        self._held.note_settled(order.instance for order in orders)
        # The answer is right even if the lease was lost since, so this does not ask who holds the link.
        async with self._held.store.transaction(in_background=True) as transaction:
            link = await transaction.links.lock(self._held.link.id)
            if link is not None:
                await settle_orders(transaction, link, settlements, worked=worked, clock=self._clock)
        for settlement in settlements:
            self._failures.pop(settlement.number, None)
            self._found_at_source.pop(settlement.number, None)

    async def _settle_unanswered(self) -> None:
        """Ask the engine about all SENT orders, and settle or repeat them. Raises EngineFault."""
        while not self._stopping.is_set():
            async with self._held.transaction() as (_, link):
                batch = await link.orders.unanswered(ANY_TIME, self._size.current)
            if batch is None:
                return
            plan = await self._plan(batch, batch.orders)
            if plan is None:
                continue
            located = await locate(self._engine, batch.orders)
            self._breaker.succeeded()
            settlements = elsewhere(located, plan, batch.orders)
            await self._settle(batch.orders, settlements)
            settled = {settlement.number for settlement in settlements}
            await self._repeat(batch, [order for order in batch.orders if order.number not in settled])

    async def _repeat(self, batch: OrderBatch, orders: Sequence[Order]) -> None:
        """Send orders again that were not carried out, or put them back if their upgrade sends no more."""
        hopeless = [order for order in orders if self._failures[order.number] >= MAX_FAILURES]
        if hopeless:
            await self._refuse(hopeless, self._last_failure)
        for part in self._parts([order for order in orders if order not in hopeless]):
            async with self._held.transaction() as (transaction, link):
                locked = await transaction.upgrades.lock(batch.upgrade)
                may_send = locked is not None and locked.upgrade.state in SENDING
                if may_send:
                    await link.orders.resend([order.number for order in part], self._clock())
            if may_send:
                await self._carry_out(batch, part)
            else:
                await self._put_back(part)

    def _parts(self, orders: Sequence[Order]) -> list[Sequence[Order]]:
        """All orders together; those that the engine failed at one by one, to find which it fails at."""
        fresh = [order for order in orders if not self._failures[order.number]]
        return [*([fresh] if fresh else []), *([order] for order in orders if self._failures[order.number])]

    async def _put_back(self, orders: Sequence[Order]) -> None:
        now = self._held.monotonic()
        first_found = [self._found_at_source.setdefault(order.number, now) for order in orders]
        if (delay := max(first_found) + CERTAIN_AFTER - now) > 0:
            await self._wait(delay)
            return
        async with self._held.transaction() as (transaction, link):
            await put_back_orders(transaction, link, [order.number for order in orders])
        for order in orders:
            del self._found_at_source[order.number]

    async def _drop(self) -> bool:
        """Refuse orders of an upgrade that was cancelled or failed. False if there are none."""
        async with self._held.transaction() as (transaction, link):
            return await drop_orders(transaction, link, DROP_SIZE) > 0

    async def _back_off(self, fault: EngineFault) -> None:
        self._on_fault(fault)
        # An engine that answers with an error is not unreachable.
        if fault.kind is not EngineFaultKind.FAILED:
            self._breaker.failed(self._clock())
        await self._wait(self._backoff.failed(fault.retry_after).total_seconds())

    async def _wait(self, seconds: float) -> None:
        await first_of(self._stopping.wait(), self._sleep(seconds))
