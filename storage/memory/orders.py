"""Implements the ports of orders in memory."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from uplift.domain.model.decision import Decision, ReasonCode, SkipReason
from uplift.domain.model.instance import InstanceId
from uplift.domain.model.link import EngineInstanceId, LinkId
from uplift.domain.model.order import Order, OrderBatch, OrderNumber, OrderState, SettledOrders, Settlement
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import SENDING, Upgrade
from uplift.storage.memory.state import Committed, State, StoredOrder, cohort_of, put_instance


class OrderQueriesInMemory:
    """Implements uplift.domain.ports.OrderQueries."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed

    async def page(self, link: LinkId, page: PageRequest) -> Page[Order]:
        state = self._committed.state
        orders = ((number, order_of(state, order)) for number, order in _numbered(state, link))
        return page_of((row for row in orders if row[0] > (page.after or 0)), page.first)

    async def first_unanswered(self, link: LinkId) -> OrderNumber | None:
        sent = (number for number, order in _numbered(self._committed.state, link) if _is_sent(order))
        return next(sent, None)


class OrdersInMemory:
    """Implements uplift.domain.ports.Orders."""

    def __init__(self, state: State, link: LinkId) -> None:
        self._state = state
        self._link = link

    async def next_to_send(self) -> UpgradeId | None:
        return next((upgrade.id for upgrade in self._with_ordered() if upgrade.state in SENDING), None)

    async def send(self, upgrade_id: UpgradeId, limit: int, at: datetime) -> OrderBatch | None:
        ordered = self._ordered(upgrade_id)
        if not ordered:
            return None
        decision = _decision_on(self._state, ordered[0])
        same = (order for order in ordered if _decision_on(self._state, order) == decision)
        return self._batch([self._send(order, at) for order in islice(same, limit)])

    async def unanswered(self, sent_before: datetime, limit: int) -> OrderBatch | None:
        sent = [
            order
            for _, order in _numbered(self._state, self._link)
            if _is_sent(order) and order.sent_at is not None and order.sent_at < sent_before
        ]
        if not sent:
            return None
        decision = _decision_on(self._state, sent[0])
        same = (
            order
            for order in sent
            if order.upgrade == sent[0].upgrade and _decision_on(self._state, order) == decision
        )
        return self._batch(list(islice(same, limit)))

    async def count_unanswered(self, limit: int) -> int:
        return min(limit, sum(_is_sent(order) for _, order in _numbered(self._state, self._link)))

    async def resend(self, numbers: Sequence[OrderNumber], at: datetime) -> int:
        return len([self._send(order, at) for order in self._sent(numbers)])

    async def put_back(self, numbers: Sequence[OrderNumber]) -> Sequence[tuple[UpgradeId, int]]:
        counts: Counter[UpgradeId] = Counter()
        for order in self._sent(numbers):
            self._put(replace(order, state=OrderState.ORDERED))
            counts[order.upgrade] += 1
        return list(counts.items())

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[SettledOrders]:
        refusals = {settlement.number: settlement.refusal for settlement in reversed(settlements)}
        confirmed: Counter[UpgradeId] = Counter()
        refused: dict[UpgradeId, Counter[ReasonCode]] = defaultdict(Counter)
        for order in self._sent(refusals):
            assert order.number is not None
            refusal = refusals[order.number]
            state = OrderState.CONFIRMED if refusal is None else OrderState.REFUSED
            self._put(replace(order, state=state, refusal=refusal))
            if refusal is None:
                self._move(order)
                confirmed[order.upgrade] += 1
            else:
                refused[order.upgrade][refusal.code] += 1
        return [
            SettledOrders(upgrade=upgrade, confirmed=confirmed[upgrade], refusals=dict(refused[upgrade]))
            for upgrade in self._state.upgrades
            if upgrade in confirmed or upgrade in refused
        ]

    async def next_to_drop(self) -> UpgradeId | None:
        return next((upgrade.id for upgrade in self._with_ordered() if upgrade.is_finished), None)

    async def drop(self, upgrade_id: UpgradeId, limit: int, refusal: SkipReason) -> int:
        dropped = self._ordered(upgrade_id)[:limit]
        for order in dropped:
            self._put(replace(order, state=OrderState.REFUSED, refusal=refusal))
        return len(dropped)

    def _with_ordered(self) -> Iterable[Upgrade]:
        upgrades = self._state.upgrades.values()
        return (upgrade for upgrade in upgrades if upgrade.link == self._link and upgrade.ordered)

    def _ordered(self, upgrade_id: UpgradeId) -> list[StoredOrder]:
        return [
            order
            for order in self._state.orders.values()
            if order.upgrade == upgrade_id and order.state is OrderState.ORDERED
        ]

    def _sent(self, numbers: Iterable[OrderNumber]) -> list[StoredOrder]:
        keys = (self._state.numbered.get((self._link, number)) for number in sorted(set(numbers)))
        orders = [self._state.orders[key] for key in keys if key is not None]
        return [order for order in orders if _is_sent(order)]

    def _send(self, order: StoredOrder, at: datetime) -> StoredOrder:
        number = order.number
        if number is None:
            number = OrderNumber(self._state.next_numbers.get(self._link, 1))
            self._state.next_numbers[self._link] = number + 1
        sent = replace(order, state=OrderState.SENT, number=number, attempt=order.attempt + 1, sent_at=at)
        self._put(sent)
        return sent

    def _put(self, order: StoredOrder) -> None:
        self._state.orders[order.upgrade, order.instance] = order
        if order.number is not None:
            self._state.numbered[self._link, order.number] = order.upgrade, order.instance

    def _move(self, order: StoredOrder) -> None:
        decision = _decision_on(self._state, order)
        assert decision.to_version is not None, "only UPGRADE decisions lead to orders"
        assert decision.to_position is not None
        instance = self._state.instances[order.instance]
        if instance.version != decision.cohort.version:
            return
        moved = replace(instance, version=decision.to_version)
        if cohort_of(instance) == replace(decision.cohort, origin=None):
            moved = replace(moved, position=decision.to_position)
        put_instance(self._state, moved)

    def _batch(self, orders: Sequence[StoredOrder]) -> OrderBatch:
        return OrderBatch(
            upgrade=orders[0].upgrade,
            process=self._state.upgrades[orders[0].upgrade].process,
            decision=_decision_on(self._state, orders[0]),
            orders=tuple(order_of(self._state, order) for order in orders),
        )


def order_of(state: State, order: StoredOrder) -> Order:
    """The order as a value of the domain."""
    assert order.number is not None
    assert order.sent_at is not None, "an order with a number was sent"
    return Order(
        number=order.number,
        upgrade=order.upgrade,
        process=state.upgrades[order.upgrade].process,
        instance=order.instance,
        engine_id=engine_id_of(state, order.instance),
        decision=_decision_on(state, order),
        state=order.state,
        attempt=order.attempt,
        sent_at=order.sent_at,
        refusal=order.refusal,
    )


def engine_id_of(state: State, instance_id: InstanceId) -> EngineInstanceId:
    """The engine's id of an instance."""
    return state.engine_ids.get(instance_id) or EngineInstanceId(str(instance_id))


def has_unsettled_order(state: State, instance_id: InstanceId) -> bool:
    """Whether an engine may still carry out an order of the instance."""
    return any(order.instance == instance_id and order.is_unsettled for order in state.orders.values())


def _numbered(state: State, link: LinkId) -> list[tuple[OrderNumber, StoredOrder]]:
    """The orders of a link that have a number, by number."""
    keys = ((number, key) for (owner, number), key in state.numbered.items() if owner == link)
    return sorted(
        ((number, state.orders[key]) for number, key in keys if key in state.orders), key=lambda row: row[0]
    )


def _is_sent(order: StoredOrder) -> bool:
    return order.state is OrderState.SENT


def _decision_on(state: State, order: StoredOrder) -> Decision:
    return state.decisions[order.upgrade, state.recorded[order.upgrade, order.instance]].decision
