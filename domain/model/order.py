"""Defines orders: requests to a linked engine to move one instance each, and how the engine answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NewType

from uplift.domain.model.decision import Decision, ReasonCode, SkipReason
from uplift.domain.model.instance import InstanceId
from uplift.domain.model.link import EngineInstanceId
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import UpgradeId

OrderNumber = NewType("OrderNumber", int)
"""The number of an order among those of its link, from 1. An order gets the next number when it is sent."""

ANY_TIME = datetime.max.replace(tzinfo=UTC)
"""Before it, all orders were sent."""
NOT_SENT = SkipReason(
    code=ReasonCode.CANCELLED, message="The upgrade ended before this instance was sent to its engine."
)
"""The reason to refuse an order of an upgrade that was cancelled or failed."""


class OrderState(StrEnum):
    """The life of an order: ORDERED, SENT, then CONFIRMED or REFUSED."""

    ORDERED = "ORDERED"
    """Stored, and not sent. Also an order that the engine did not carry out while its upgrade was stopped."""
    SENT = "SENT"
    """Sent, or about to be sent. The engine may have carried it out."""
    CONFIRMED = "CONFIRMED"
    """The engine moved the instance."""
    REFUSED = "REFUSED"
    """The engine did not move the instance, or the upgrade ended before the order was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order that has a number. `decision` says where the instance is, and where it moves to.

    `engine_id` is the engine's id of the instance. `attempt` counts how often the order was sent, and
    `sent_at` is when it was sent last, in UTC. `refusal` is set if and only if the state is REFUSED.
    """

    number: OrderNumber
    upgrade: UpgradeId
    process: ProcessKey
    instance: InstanceId
    engine_id: EngineInstanceId
    decision: Decision
    state: OrderState
    attempt: int
    sent_at: datetime
    refusal: SkipReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBatch:
    """Sent orders of one cohort of one upgrade, by number. One plan of moves serves them all."""

    upgrade: UpgradeId
    process: ProcessKey
    decision: Decision
    orders: tuple[Order, ...]

    @property
    def numbers(self) -> tuple[OrderNumber, ...]:
        """The numbers of the orders."""
        return tuple(order.number for order in self.orders)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The engine's answer to the order with this number: refused for a reason, or confirmed (None)."""

    number: OrderNumber
    refusal: SkipReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledOrders:
    """How many orders of an upgrade were settled: how many confirmed, and how many refused, by reason."""

    upgrade: UpgradeId
    confirmed: int
    refusals: Mapping[ReasonCode, int]

    @property
    def count(self) -> int:
        """How many orders were settled."""
        return self.confirmed + sum(self.refusals.values())
