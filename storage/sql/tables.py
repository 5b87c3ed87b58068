"""Defines the tables. The revisions in uplift.storage.migrations bring a database into this shape.

One rule shapes the tables that an upgrade writes by the million (`instance`, `outcome`): no index and no
foreign key is on a column that an upgrade changes. Each would cost a lookup for each row: an index makes
the UPDATE 6 times slower, the foreign keys 1.6 times. The values are copied from `decision`, which has the
foreign keys.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    FromClause,
    Index,
    Integer,
    Table,
    Text,
    column,
    literal_column,
    table,
)
from sqlmodel import Field, SQLModel

from uplift.domain.model.access import Role
from uplift.domain.model.instance import Status
from uplift.domain.model.process import VersionState
from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import UpgradeState
from uplift.domain.model.upgrade_event import UpgradeEventKind
from uplift.storage.sql.layout_table import layout as layout
from uplift.storage.sql.link_tables import link as link
from uplift.storage.sql.link_tables import linked_version as linked_version
from uplift.storage.sql.link_tables import move_order as move_order
from uplift.storage.sql.link_tables import sighting as sighting
from uplift.storage.sql.types import ID, LONG, NAME, NUMBERS, TIME, Bytes, CodedEnum, Duration

STATUS = CodedEnum(Status.PENDING, Status.RUNNING, Status.COMPLETED, Status.CANCELLED, Status.FAILED)
VERSION_STATE = CodedEnum(VersionState.DRAFT, VersionState.PUBLISHED)
EVENT_KIND = CodedEnum(
    UpgradeEventKind.PAUSED, UpgradeEventKind.RESUMED, UpgradeEventKind.CANCELLED, UpgradeEventKind.PRUNED
)
SELECTION = CodedEnum(
    SelectionKind.BY_IDS,
    SelectionKind.ALL_ACTIVE,
    SelectionKind.RETRY,
    SelectionKind.UNDO,
    SelectionKind.MATCHING,
    SelectionKind.FIRST_MATCHING,
)
UPGRADE_STATE = CodedEnum(
    UpgradeState.QUEUED,
    UpgradeState.RUNNING,
    UpgradeState.PAUSED,
    UpgradeState.COMPLETED,
    UpgradeState.CANCELLED,
    UpgradeState.FAILED,
)
ROLE = CodedEnum(Role.SYSTEM_ADMIN, Role.READER, Role.ENGINE)


def _row(kind: Any, *constraints: Any, **options: Any) -> Any:
    return Column(kind, *constraints, nullable=False, **options)


class ProcessRow(SQLModel, table=True):
    """A process. `folded_title` and `folded_name` serve searches; the name is `namespace/code`.

    `link` is the link to the engine that runs its instances, and `engine_key` its key there.
    """

    __tablename__ = "process"
    __table_args__ = (
        Index("process_key", "namespace", "code", unique=True),
        Index("process_title", "folded_title", "id"),
    )

    id: int = Field(primary_key=True)
    namespace: str = Field(sa_column=_row(NAME))
    code: str = Field(sa_column=_row(NAME))
    title: str
    folded_title: str = Field(sa_column=_row(NAME))
    folded_name: str
    created_at: datetime = Field(sa_column=_row(TIME))
    link: UUID | None = Field(default=None, sa_column=Column(ID))
    engine_key: str | None = None


class VersionRow(SQLModel, table=True):
    """A version of a process. `model` is the last column, so that SQLite reads it only if it is selected."""

    __tablename__ = "version"

    process_id: int = Field(sa_column=_row(None, ForeignKey("process.id"), primary_key=True))
    number: int = Field(primary_key=True)
    state: VersionState = Field(sa_column=_row(VERSION_STATE))
    created_at: datetime = Field(sa_column=_row(TIME))
    published_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    model_process_id: str | None = None
    model: bytes | None = Field(default=None, sa_column=Column(Bytes))


class PositionRow(SQLModel, table=True):
    """A distinct set of elements of a process, as a sorted JSON list. Its digest is unique in the process."""

    __tablename__ = "position"
    __table_args__ = (Index("position_digest", "process_id", "digest", unique=True),)

    id: int = Field(primary_key=True)
    process_id: int = Field(foreign_key="process.id")
    digest: bytes = Field(sa_column=_row(Bytes(16)))
    elements: str = Field(sa_column=_row(Text))


class InstanceRow(SQLModel, table=True):
    """An instance. `id` follows the order of registration; upgrades process instances in its order.

    `engine_id` is the id in a linked engine, NULL if it is the canonical text of the UUID.
    """

    __tablename__ = "instance"
    # Free space on each page makes the updates of PostgreSQL heap-only (HOT), which leave the indexes alone.
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    id: int = Field(sa_column=_row(LONG, primary_key=True))
    uuid: UUID = Field(sa_column=_row(ID, unique=True))
    process_id: int = Field(foreign_key="process.id")
    version: int
    status: Status = Field(sa_column=_row(STATUS))
    position_id: int
    engine_id: str | None = None


class CohortCountRow(SQLModel, table=True):
    """The count of a cohort. On PostgreSQL changes that are not folded yet are in `cohort_change`.

    The values are copied from `instance`, so there are no foreign keys.
    """

    __tablename__ = "cohort_count"
    __table_args__ = ({"sqlite_with_rowid": False},)

    process_id: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    status: Status = Field(sa_column=_row(STATUS, primary_key=True))
    position_id: int = Field(primary_key=True)
    instances: int


class CohortChangeRow(SQLModel, table=True):
    """The changes of one transaction to the counts of a process, one in each place of its arrays.

    Only PostgreSQL has such rows.
    """

    __tablename__ = "cohort_change"

    id: int = Field(sa_column=_row(LONG, primary_key=True))
    process_id: int = Field(index=True)
    versions: list[int] = Field(sa_column=_row(NUMBERS))
    statuses: list[int] = Field(sa_column=_row(NUMBERS))
    position_ids: list[int] = Field(sa_column=_row(NUMBERS))
    counts: list[int] = Field(sa_column=_row(NUMBERS))


class UpgradeRow(SQLModel, table=True):
    """An upgrade.

    `conditions` are those of its selection, as JSON. `retried` has reason codes as in `decision.codes`.
    `first_instance_id` and `last_instance_id` bound the instances with an outcome, so that the history of an
    instance reads only upgrades that may have one; those of an upgrade under way bound all instances.
    `refusals` counts refused orders by reason, as JSON. `upgraded`, `skipped`, `ordered` and `worked` do not
    contain what its partitions count.
    """

    __tablename__ = "upgrade"
    __table_args__ = (
        ForeignKeyConstraint(["process_id", "target_version"], ["version.process_id", "version.number"]),
        Index("upgrade_process", "process_id", "id"),
        Index("upgrade_span", "process_id", "first_instance_id", "last_instance_id"),
    )

    id: int = Field(primary_key=True)
    uuid: UUID = Field(sa_column=_row(ID, unique=True))
    process_id: int
    selection: SelectionKind = Field(sa_column=_row(SELECTION))
    target_version: int | None
    of_upgrade_id: int | None = Field(default=None, foreign_key="upgrade.id")
    retried: str
    state: UpgradeState = Field(sa_column=_row(UPGRADE_STATE))
    requested_by: str
    reason: str | None
    mappings: str = Field(sa_column=_row(Text))
    conditions: str | None = Field(default=None, sa_column=Column(Text))
    requested_at: datetime = Field(sa_column=_row(TIME))
    started_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    finished_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    pruned_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    worked: timedelta = Field(sa_column=_row(Duration))
    expected: int
    upgraded: int
    skipped: int
    excluded: int
    error: str | None
    first_instance_id: int | None = Field(default=None, sa_column=Column(LONG))
    last_instance_id: int | None = Field(default=None, sa_column=Column(LONG))
    named_ids: int = Field(sa_column=_row(Integer, server_default="0"))
    link: UUID | None = Field(default=None, sa_column=Column(ID))
    ordered: int = Field(default=0, sa_column=_row(Integer, server_default="0"))
    sent: int = Field(default=0, sa_column=_row(Integer, server_default="0"))
    refusals: str | None = Field(default=None, sa_column=Column(Text))


class UpgradeEventRow(SQLModel, table=True):
    """What an operator did to an upgrade. `number` counts from 1; `caller` is the name of the operator."""

    __tablename__ = "upgrade_event"
    __table_args__ = ({"sqlite_with_rowid": False},)

    upgrade_id: int = Field(sa_column=_row(None, ForeignKey("upgrade.id"), primary_key=True))
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_column=_row(TIME))
    kind: UpgradeEventKind = Field(sa_column=_row(EVENT_KIND))
    caller: str


class PartitionRow(SQLModel, table=True):
    """The rest of a partition of an upgrade: the keys after `cursor`, up to and including `last_key`.

    A key is a place in `selected` if the instances of the upgrade are listed there, and an instance id
    otherwise. The partitions of an upgrade that ended early cover what it did not process. `upgraded`,
    `skipped`, `ordered` and `worked` count what the upgrade has not taken over yet.
    """

    __tablename__ = "partition"
    __table_args__ = ({"sqlite_with_rowid": False},)

    upgrade_id: int = Field(sa_column=_row(None, ForeignKey("upgrade.id"), primary_key=True))
    last_key: int = Field(sa_column=_row(LONG, primary_key=True))
    cursor: int = Field(sa_column=_row(LONG))
    lease_worker: str | None
    lease_until: datetime | None = Field(default=None, sa_column=Column(TIME))
    upgraded: int = Field(sa_column=_row(Integer, server_default="0"))
    skipped: int = Field(sa_column=_row(Integer, server_default="0"))
    ordered: int = Field(sa_column=_row(Integer, server_default="0"))
    worked: timedelta = Field(sa_column=_row(Duration, server_default="0"))


class SelectedRow(SQLModel, table=True):
    """An id that a request includes or excludes; `instance_id` is NULL if no instance has it.

    The first instances that meet conditions are found when the upgrade is requested, and stored as if the
    request named them.

    Lists are ordered by `ordinal`, the place in the request. Chunks are ordered by `place`, which follows
    the instance ids: in any other order each chunk would write nearly every page of `instance`. The place of
    an excluded id is its instance id; an excluded id without an instance is not stored.
    """

    __tablename__ = "selected"
    __table_args__ = (
        Index("selected_ordinal", "upgrade_id", "ordinal"),
        {"sqlite_with_rowid": False},
    )

    upgrade_id: int = Field(primary_key=True)
    place: int = Field(sa_column=_row(LONG, primary_key=True))
    ordinal: int
    uuid: UUID = Field(sa_column=_row(ID))
    instance_id: int | None = Field(default=None, sa_column=Column(LONG))


class DecisionRow(SQLModel, table=True):
    """The decision on a cohort. `codes` are the codes of its reasons, each between spaces.

    `origin_*` is the version and position that an undo restores, 0 for any other upgrade; `put_*` are those
    that the undone upgrade had set. `instances` counts what was skipped, except by partitions under way (see
    `skip_count`). No foreign key leads to the upgrade: its check would lock the upgrade's row in a chunk.
    """

    __tablename__ = "decision"
    # Deleting a position looks for decisions that refer to it.
    __table_args__ = (
        Index("decision_position", "position_id"),
        Index("decision_to_position", "to_position_id"),
        Index("decision_put_position", "put_position_id"),
        {"sqlite_with_rowid": False},
    )

    upgrade_id: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    status: Status = Field(sa_column=_row(STATUS, primary_key=True))
    position_id: int = Field(sa_column=_row(None, ForeignKey("position.id"), primary_key=True))
    origin_version: int = Field(primary_key=True)
    origin_position_id: int = Field(primary_key=True)
    put_version: int | None
    put_position_id: int | None = Field(foreign_key="position.id")
    to_version: int | None
    to_position_id: int | None = Field(foreign_key="position.id")
    codes: str
    reasons: str = Field(sa_column=_row(Text))
    warnings: str = Field(sa_column=_row(Text))
    instances: int


class SkipCountRow(SQLModel, table=True):
    """How many instances a partition skipped by a decision. The values are copied from `decision`."""

    __tablename__ = "skip_count"
    __table_args__ = ({"sqlite_with_rowid": False},)

    upgrade_id: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    status: Status = Field(sa_column=_row(STATUS, primary_key=True))
    position_id: int = Field(primary_key=True)
    origin_version: int = Field(primary_key=True)
    origin_position_id: int = Field(primary_key=True)
    last_key: int = Field(sa_column=_row(LONG, primary_key=True))
    instances: int


class OutcomeRow(SQLModel, table=True):
    """The audit: the cohort in which an upgrade found an instance. Its decision tells the result."""

    __tablename__ = "outcome"
    __table_args__ = ({"sqlite_with_rowid": False},)

    upgrade_id: int = Field(primary_key=True)
    instance_id: int = Field(sa_column=_row(LONG, primary_key=True))
    version: int
    status: Status = Field(sa_column=_row(STATUS))
    position_id: int
    origin_version: int = Field(default=0, sa_column=_row(Integer, server_default="0"))
    origin_position_id: int = Field(default=0, sa_column=_row(Integer, server_default="0"))


class RequestRow(SQLModel, table=True):
    """A request that came with an idempotency key, and the upgrade it led to."""

    __tablename__ = "request"
    __table_args__ = ({"sqlite_with_rowid": False},)

    caller: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    digest: bytes = Field(sa_column=_row(Bytes(16)))
    upgrade_id: int = Field(foreign_key="upgrade.id")
    requested_at: datetime = Field(sa_column=Column(TIME, nullable=False, index=True))


class ApiKeyRow(SQLModel, table=True):
    """An API key. Only the digest of its secret is stored."""

    __tablename__ = "api_key"

    id: UUID = Field(sa_column=_row(ID, primary_key=True))
    name: str
    role: Role = Field(sa_column=_row(ROLE))
    digest: bytes = Field(sa_column=_row(Bytes(32), unique=True))
    created_at: datetime = Field(sa_column=_row(TIME))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    created_by: str | None
    expires_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    revoked_by: str | None
    namespaces: str | None


class KeyUseRow(SQLModel, table=True):
    """How often, and when last, an API key was accepted or refused on a day. `day` counts from 1970-01-01."""

    __tablename__ = "key_use"
    __table_args__ = ({"sqlite_with_rowid": False},)

    key_id: UUID = Field(sa_column=_row(ID, ForeignKey("api_key.id"), primary_key=True))
    day: int = Field(primary_key=True)
    accepted: bool = Field(primary_key=True)
    times: int
    last_at: datetime = Field(sa_column=_row(TIME))


metadata = SQLModel.metadata


def _table(row: type[SQLModel]) -> Table:
    found: Table = row.__table__  # type: ignore[attr-defined]  # SQLModel sets it for every table class
    return found


process = _table(ProcessRow)
version = _table(VersionRow)
position = _table(PositionRow)
instance = _table(InstanceRow)
cohort_count = _table(CohortCountRow)
cohort_change = _table(CohortChangeRow)
cohort_part = table(
    "cohort_part",
    column("process_id", Integer),
    column("version", Integer),
    column("status", STATUS),
    column("position_id", Integer),
    column("instances", Integer),
)
"""The view of all counts and changes, whose sums are the counts now."""
upgrade = _table(UpgradeRow)
upgrade_event = _table(UpgradeEventRow)
partition = _table(PartitionRow)
selected = _table(SelectedRow)
decision = _table(DecisionRow)
skip_count = _table(SkipCountRow)
outcome = _table(OutcomeRow)
request = _table(RequestRow)
api_key = _table(ApiKeyRow)
key_use = _table(KeyUseRow)

IS_WAITING = upgrade.c.state <= literal_column("2")
"""QUEUED or RUNNING, the states that a worker may claim. A literal for the same reason as IS_ACTIVE."""

IS_PAUSED = upgrade.c.state == literal_column("3")
"""With IS_WAITING, all unfinished upgrades. Claims need not look at these, so they have their own index."""

IS_ACTIVE = instance.c.status <= literal_column("2")
"""PENDING or RUNNING. A literal, because a partial index serves only queries that repeat its condition."""

Index("instance_process", instance.c.process_id, instance.c.id)
Index(
    "instance_active",
    instance.c.process_id,
    instance.c.id,
    sqlite_where=IS_ACTIVE,
    postgresql_where=IS_ACTIVE,
)
IS_UNREVOKED = api_key.c.revoked_at.is_(None)
Index("api_key_name", api_key.c.name, unique=True, sqlite_where=IS_UNREVOKED, postgresql_where=IS_UNREVOKED)
IS_FOLLOWING = upgrade.c.of_upgrade_id.is_not(None)
Index(
    "upgrade_following",
    upgrade.c.of_upgrade_id,
    upgrade.c.id,
    sqlite_where=IS_FOLLOWING,
    postgresql_where=IS_FOLLOWING,
)
IS_LINKED = process.c.link.is_not(None)
Index("process_link", process.c.link, sqlite_where=IS_LINKED, postgresql_where=IS_LINKED)
IS_OF_LINK = upgrade.c.link.is_not(None)
Index(
    "upgrade_linked",
    upgrade.c.link,
    upgrade.c.finished_at,
    sqlite_where=IS_OF_LINK,
    postgresql_where=IS_OF_LINK,
)


def may_have_unsettled(linked: FromClause) -> ColumnElement[bool]:
    """Whether an upgrade may have orders without an answer.

    Partitions count the orders of an upgrade under way; one that has ended counts its orders itself.
    """
    unsettled = linked.c.ordered + linked.c.sent > literal_column("0")
    is_under_way = (linked.c.state <= literal_column("3")) & linked.c.started_at.is_not(None)
    return linked.c.link.is_not(None) & (is_under_way | unsettled)


MAY_HAVE_UNSETTLED = may_have_unsettled(upgrade)
Index("upgrade_unsettled", upgrade.c.id, sqlite_where=MAY_HAVE_UNSETTLED, postgresql_where=MAY_HAVE_UNSETTLED)
Index("upgrade_waiting", upgrade.c.id, sqlite_where=IS_WAITING, postgresql_where=IS_WAITING)
Index("upgrade_paused", upgrade.c.id, sqlite_where=IS_PAUSED, postgresql_where=IS_PAUSED)
