"""Defines the tables of links, their versions, orders and sightings.

An order is written once when a chunk orders it, and changed when it is sent and when it is answered. As in
`outcome`, no foreign key is on a column of `move_order`: the values are copied from the outcome.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKeyConstraint, Index, Integer, Table, Text, literal_column
from sqlmodel import Field, SQLModel

from uplift.domain.model.link import LinkKind
from uplift.domain.model.order import OrderState
from uplift.storage.sql.types import ID, LONG, NAME, TIME, CodedEnum, Duration

LINK_KIND = CodedEnum(LinkKind.CAMUNDA7, LinkKind.FLOWABLE, LinkKind.CAMUNDA8, LinkKind.PULL)
ORDER_STATE = CodedEnum(OrderState.ORDERED, OrderState.SENT, OrderState.CONFIRMED, OrderState.REFUSED)


def _row(kind: Any, *constraints: Any, **options: Any) -> Any:
    return Column(kind, *constraints, nullable=False, **options)


class LinkRow(SQLModel, table=True):
    """A link. `credentials` says as JSON where its secret is read, and `webhook` where it is sent.

    `next_number` is the number of the next order that is sent first, and `next_batch` that of the next staged
    sightings. A removed link stays, because upgrades name it.
    """

    __tablename__ = "link"

    id: int = Field(primary_key=True)
    uuid: UUID = Field(sa_column=_row(ID, unique=True))
    name: str = Field(sa_column=_row(NAME))
    kind: LinkKind = Field(sa_column=_row(LINK_KIND))
    namespace: str = Field(sa_column=_row(NAME))
    url: str | None
    tenant: str | None
    credentials: str | None = Field(sa_column=Column(Text))
    max_rate: float | None
    webhook: str | None = Field(sa_column=Column(Text))
    sweep_interval: timedelta = Field(sa_column=_row(Duration))
    created_at: datetime = Field(sa_column=_row(TIME))
    created_by: str
    removed_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    next_number: int = Field(sa_column=_row(LONG))
    next_batch: int = Field(sa_column=_row(LONG))
    lease_worker: str | None
    lease_until: datetime | None = Field(default=None, sa_column=Column(TIME))
    sweep_started_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    swept_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    sweep_requested_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    sweep_error: str | None = Field(sa_column=Column(Text))
    unreachable_since: datetime | None = Field(default=None, sa_column=Column(TIME))
    clock_difference: timedelta | None = Field(default=None, sa_column=Column(Duration))
    webhook_error: str | None = Field(default=None, sa_column=Column(Text))
    announced_until: datetime | None = Field(default=None, sa_column=Column(TIME))


class LinkedVersionRow(SQLModel, table=True):
    """The engine's id of a version of a linked process."""

    __tablename__ = "linked_version"
    __table_args__ = (
        ForeignKeyConstraint(["process_id", "number"], ["version.process_id", "version.number"]),
        {"sqlite_with_rowid": False},
    )

    process_id: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    engine_id: str


class OrderRow(SQLModel, table=True):
    """An order. Its cohort is that of the outcome, whose status is PENDING; its decision says where to.

    `number` is set when the order is sent first. `code` and `message` say why the order is REFUSED.
    """

    __tablename__ = "move_order"
    __table_args__ = ({"sqlite_with_rowid": False},)

    upgrade_id: int = Field(primary_key=True)
    instance_id: int = Field(sa_column=_row(LONG, primary_key=True))
    link_id: int
    version: int
    position_id: int
    origin_version: int
    origin_position_id: int
    state: OrderState = Field(sa_column=_row(ORDER_STATE))
    number: int | None = Field(default=None, sa_column=Column(LONG))
    attempt: int = Field(sa_column=_row(Integer))
    sent_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    code: str | None
    message: str | None = Field(default=None, sa_column=Column(Text))


class SightingRow(SQLModel, table=True):
    """A sweep of a link saw an instance at an element, or anywhere ('').

    `batch` grows with each staged set, so that the highest one of an instance has the version seen last.
    `engine_id` is NULL if it is the canonical text of the UUID.
    """

    __tablename__ = "sighting"
    __table_args__ = ({"sqlite_with_rowid": False},)

    link_id: int = Field(primary_key=True)
    uuid: UUID = Field(sa_column=_row(ID, primary_key=True))
    process_id: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    element: str = Field(primary_key=True)
    engine_id: str | None
    batch: int = Field(sa_column=_row(LONG))


def _table(row: type[SQLModel]) -> Table:
    found: Table = row.__table__  # type: ignore[attr-defined]  # SQLModel sets it for every table class
    return found


link = _table(LinkRow)
linked_version = _table(LinkedVersionRow)
move_order = _table(OrderRow)
sighting = _table(SightingRow)

COHORT_OF_ORDER = ("version", "position_id", "origin_version", "origin_position_id")
"""The columns that identify the cohort of an order within its upgrade."""
# Literals, because a partial index serves only queries that repeat its condition.
IS_ORDERED = move_order.c.state == literal_column("1")
IS_SENT = move_order.c.state == literal_column("2")
IS_UNSETTLED = move_order.c.state <= literal_column("2")
HAS_NUMBER = move_order.c.number.is_not(None)
IS_PRESENT = link.c.removed_at.is_(None)
Index("link_name", link.c.name, unique=True, sqlite_where=IS_PRESENT, postgresql_where=IS_PRESENT)
Index(
    "move_order_ordered",
    move_order.c.upgrade_id,
    *(move_order.c[name] for name in COHORT_OF_ORDER),
    move_order.c.instance_id,
    sqlite_where=IS_ORDERED,
    postgresql_where=IS_ORDERED,
)
Index(
    "move_order_sent",
    move_order.c.link_id,
    move_order.c.number,
    sqlite_where=IS_SENT,
    postgresql_where=IS_SENT,
)
Index(
    "move_order_number",
    move_order.c.link_id,
    move_order.c.number,
    unique=True,
    sqlite_where=HAS_NUMBER,
    postgresql_where=HAS_NUMBER,
)
