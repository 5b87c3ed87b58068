"""Stores the orders of links."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import bindparam, select

from uplift.domain.model.decision import Decision, ReasonCode, SkipReason
from uplift.domain.model.instance import InstanceId, Status
from uplift.domain.model.link import EngineInstanceId, LinkId
from uplift.domain.model.order import Order, OrderBatch, OrderNumber, OrderState, SettledOrders, Settlement
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import UpgradeId
from uplift.storage.repositories.sessions import Reading, Session
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.link_tables import COHORT_OF_ORDER, link
from uplift.storage.sql.surrogate_keys import SurrogateKeys, batches
from uplift.storage.statements.instances.instances import STATUS_CODES
from uplift.storage.statements.links import orders as statements
from uplift.storage.statements.links import settlements
from uplift.storage.statements.outcomes.decisions import decisions_of
from uplift.storage.statements.upgrades.upgrades import UPGRADE_KEY

LINK_KEY = select(link.c.id).where(link.c.uuid == bindparam("uuid"))


class SqlOrderQueries:
    """Implements uplift.domain.ports.OrderQueries."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def page(self, link_id: LinkId, page: PageRequest) -> Page[Order]:
        async with self._reading() as (connection, surrogate_keys):
            bound = {
                "of_link": await _link_key(connection, link_id),
                "after": page.after or 0,
                "limit": page.first + 1,
            }
            rows = (await connection.execute(statements.PAGE, bound)).all()
            orders = await _orders_of(connection, surrogate_keys, rows)
        return page_of(((order.number, order) for order in orders), page.first)

    async def first_unanswered(self, link_id: LinkId) -> OrderNumber | None:
        async with self._reading() as (connection, _):
            bound = {"of_link": await _link_key(connection, link_id)}
            found = (await connection.execute(statements.FIRST_UNANSWERED, bound)).scalar_one_or_none()
            return None if found is None else OrderNumber(found)


class SqlOrders:
    """Implements uplift.domain.ports.Orders for a locked link."""

    def __init__(self, session: Session, link_id: LinkId, link_key: int) -> None:
        self._session = session
        self._connection = session.connection
        self._link_id = link_id
        self._link_key = link_key

    async def next_to_send(self) -> UpgradeId | None:
        return await self._find_upgrade(statements.NEXT_TO_SEND)

    async def send(self, upgrade_id: UpgradeId, limit: int, at: datetime) -> OrderBatch | None:
        [keys] = (await self._execute(statements.KEYS_OF_UPGRADE, uuid=upgrade_id)).all()
        upgrade_key, process_id = keys.id, keys.process_id
        next_number: int = (await self._execute(statements.NEXT_NUMBER)).scalar_one()
        found = (await self._execute(statements.NEXT_ORDERS, of_upgrade=upgrade_key, limit=limit)).all()
        if not found:
            return None
        width = len(COHORT_OF_ORDER)
        rows = [row for row in found if row[:width] == found[0][:width]]
        decided = await self._decision(upgrade_key, statements.of_cohort(found[0]))
        # Orders that were put back keep their numbers, so only some of these may be new.
        new = count(next_number)
        numbers = [next(new) if row.number is None else row.number for row in rows]
        sent = [
            {"row_instance_id": row.instance_id, "row_number": number}
            for row, number in zip(rows, numbers, strict=True)
        ]
        await statements.send(self._connection, upgrade_key, sent, at)
        advance = {"of_link": self._link_key, "count": next(new) - next_number}
        await self._connection.execute_later(statements.ADVANCE, advance)
        process_key = (await self._session.surrogate_keys.process_keys([process_id]))[process_id]
        return OrderBatch(
            upgrade=upgrade_id,
            process=process_key,
            decision=decided,
            orders=tuple(
                sorted(
                    (
                        Order(
                            number=OrderNumber(number),
                            upgrade=upgrade_id,
                            process=process_key,
                            instance=InstanceId(row.uuid),
                            engine_id=_engine_id(row),
                            decision=decided,
                            state=OrderState.SENT,
                            attempt=row.attempt + 1,
                            sent_at=at,
                        )
                        for row, number in zip(rows, numbers, strict=True)
                    ),
                    key=lambda order: order.number,
                )
            ),
        )

    async def unanswered(self, sent_before: datetime, limit: int) -> OrderBatch | None:
        bound = {"sent_before": sent_before, "limit": limit}
        rows = (await self._execute(statements.UNANSWERED, **bound)).all()
        same: list[Any] = []
        for row in rows:
            if _cohort_of(row) != _cohort_of(rows[0]):
                break
            same.append(row)
        return await self._batch(same) if same else None

    async def count_unanswered(self, limit: int) -> int:
        count: int = (await self._execute(statements.COUNT_UNANSWERED, limit=limit)).scalar_one()
        return count

    async def resend(self, numbers: Sequence[OrderNumber], at: datetime) -> int:
        resent: int = (await self._execute(statements.RESEND, numbers=list(numbers), at=at)).rowcount
        return resent

    async def put_back(self, numbers: Sequence[OrderNumber]) -> Sequence[tuple[UpgradeId, int]]:
        rows = (await self._execute(statements.SENT_BY_UPGRADE, numbers=list(numbers))).all()
        await self._execute(statements.PUT_BACK, numbers=list(numbers))
        return [(UpgradeId(row.uuid), row.orders) for row in rows]

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[SettledOrders]:
        refusals = {settlement.number: settlement.refusal for settlement in reversed(settlements)}
        confirmed = [number for number, refusal in refusals.items() if refusal is None]
        confirmed_of = await self._confirm(confirmed) if confirmed else Counter()
        refused = {number: refusal for number, refusal in refusals.items() if refusal is not None}
        refused_of = await self._refuse(refused) if refused else {}
        # All transactions lock upgrades along their keys, so that two of them cannot deadlock.
        return [
            SettledOrders(
                upgrade=UpgradeId(upgrade[1]),
                confirmed=confirmed_of[upgrade],
                refusals=dict(refused_of.get(upgrade, {})),
            )
            for upgrade in sorted({*confirmed_of, *refused_of}, key=lambda upgrade: upgrade[0])
        ]

    async def next_to_drop(self) -> UpgradeId | None:
        return await self._find_upgrade(statements.NEXT_TO_DROP)

    async def drop(self, upgrade_id: UpgradeId, limit: int, refusal: SkipReason) -> int:
        upgrade_key = await self._upgrade_key(upgrade_id)
        return await statements.drop(self._connection, upgrade_key, limit, refusal)

    async def _confirm(self, numbers: Sequence[OrderNumber]) -> Counter[tuple[int, Any]]:
        """Move the instances of sent orders; return how many orders of each upgrade, by its two keys."""
        bound: dict[str, Any] = {"numbers": list(numbers)}
        if self._connection.dialect.name == "postgresql":
            await self._execute(settlements.LOCK_INSTANCES, **bound)
        rows = (await self._execute(settlements.CONFIRMED_COHORTS, **bound)).all()
        bound["of_link"] = self._link_key
        await self._connection.execute_later(settlements.MOVE_CONFIRMED, bound)
        await self._connection.execute_later(settlements.CONFIRM, bound)
        confirmed: Counter[tuple[int, Any]] = Counter()
        for row in rows:
            confirmed[row.upgrade_id, row.uuid] += row.orders
            if row.version == row.from_version:
                is_there = row.status is Status.PENDING and row.position_id == row.from_position_id
                position_id = row.to_position_id if is_there else row.position_id
                status = STATUS_CODES[row.status]
                self._session.counts.move(
                    (row.process_id, row.version, status, row.position_id),
                    (row.process_id, row.to_version, status, position_id),
                    row.orders,
                )
        return confirmed

    async def _refuse(
        self, refused: Mapping[OrderNumber, SkipReason]
    ) -> dict[tuple[int, Any], Counter[ReasonCode]]:
        """Refuse sent orders; return how many of each upgrade, by its two keys, for each reason."""
        sent = (await self._execute(settlements.SENT_AND_LISTED, numbers=list(refused))).all()
        counts: dict[tuple[int, Any], Counter[ReasonCode]] = defaultdict(Counter)
        rows = []
        for row in sent:
            refusal = refused[row.number]
            counts[row.upgrade_id, row.uuid][refusal.code] += 1
            rows.append(
                {"row_number": row.number, "row_code": refusal.code.value, "row_message": refusal.message}
            )
        if rows:
            await settlements.refuse(self._connection, self._link_key, rows)
        return counts

    async def _decision(self, upgrade_key: int, of_cohort: Mapping[str, int]) -> Decision:
        rows = await self._execute(statements.DECISION_OF_COHORT, of_upgrade=upgrade_key, **of_cohort)
        [decided] = await decisions_of(self._session.surrogate_keys, rows.all())
        return decided

    async def _batch(self, rows: Sequence[Any]) -> OrderBatch:
        orders = await _orders_of(self._connection, self._session.surrogate_keys, rows)
        return OrderBatch(
            upgrade=orders[0].upgrade,
            process=orders[0].process,
            decision=orders[0].decision,
            orders=tuple(orders),
        )

    async def _find_upgrade(self, statement: Any) -> UpgradeId | None:
        found = (await self._execute(statement, link=self._link_id)).scalar_one_or_none()
        return None if found is None else UpgradeId(found)

    async def _upgrade_key(self, upgrade_id: UpgradeId) -> int:
        key: int = (await self._execute(UPGRADE_KEY, uuid=upgrade_id)).scalar_one()
        return key

    async def _execute(self, statement: Any, **bound: Any) -> Any:
        return await self._connection.execute(statement, {"of_link": self._link_key, **bound})


async def _link_key(connection: Connection, link_id: LinkId) -> int | None:
    found: int | None = (await connection.execute(LINK_KEY, {"uuid": link_id})).scalar_one_or_none()
    return found


def _cohort_of(row: Any) -> tuple[int, ...]:
    return (row.upgrade_id, *(getattr(row, name) for name in COHORT_OF_ORDER))


async def _orders_of(
    connection: Connection, surrogate_keys: SurrogateKeys, rows: Sequence[Any]
) -> list[Order]:
    """The order in each row with ORDER_COLUMNS."""
    decisions: dict[tuple[int, ...], Decision] = {}
    for batch in batches({_cohort_of(row) for row in rows}):
        kept = (await connection.execute(statements.DECISIONS_OF_COHORTS, {"cohorts": batch})).all()
        decided = await decisions_of(surrogate_keys, kept)
        decisions |= zip(map(_cohort_of, kept), decided, strict=True)
    process_keys = await surrogate_keys.process_keys(row.process_id for row in rows)
    return [_order(row, decisions[_cohort_of(row)], process_keys[row.process_id]) for row in rows]


def _order(row: Any, decision: Decision, process_key: ProcessKey) -> Order:
    refusal = None if row.code is None else SkipReason(code=ReasonCode(row.code), message=row.message)
    return Order(
        number=OrderNumber(row.number),
        upgrade=UpgradeId(row.upgrade_uuid),
        process=process_key,
        instance=InstanceId(row.uuid),
        engine_id=_engine_id(row),
        decision=decision,
        state=row.state,
        attempt=row.attempt,
        sent_at=row.sent_at,
        refusal=refusal,
    )


def _engine_id(row: Any) -> EngineInstanceId:
    return EngineInstanceId(str(row.uuid) if row.engine_id is None else row.engine_id)
