"""Adds links to workflow engines, the orders that they carry out, and what sweeps of them see."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0007"
down_revision = "0006"

TIME = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.LargeBinary(16).with_variant(sa.Uuid(), "postgresql")
NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade(op: Operations) -> None:
    op.create_table(
        "link",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uuid", ID, nullable=False, unique=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("namespace", NAME, nullable=False),
        sa.Column("url", sa.String),
        sa.Column("tenant", sa.String),
        sa.Column("credentials", sa.Text),
        sa.Column("max_rate", sa.Float),
        sa.Column("webhook", sa.Text),
        sa.Column("sweep_interval", sa.BigInteger, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.Column("removed_at", TIME),
        sa.Column("next_number", LONG, nullable=False),
        sa.Column("next_batch", LONG, nullable=False),
        sa.Column("lease_worker", sa.String),
        sa.Column("lease_until", TIME),
        sa.Column("sweep_started_at", TIME),
        sa.Column("swept_at", TIME),
        sa.Column("sweep_requested_at", TIME),
        sa.Column("sweep_error", sa.Text),
        sa.Column("unreachable_since", TIME),
        sa.Column("clock_difference", sa.BigInteger),
        sa.Column("webhook_error", sa.Text),
        sa.Column("announced_until", TIME),
    )
    _index(op, "link_name", "link", ["name"], "removed_at IS NULL", unique=True)
    op.create_table(
        "linked_version",
        sa.Column("process_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("engine_id", sa.String, nullable=False),
        sa.ForeignKeyConstraint(["process_id", "number"], ["version.process_id", "version.number"]),
        sqlite_with_rowid=False,
    )
    cohort = ("version", "position_id", "origin_version", "origin_position_id")
    op.create_table(
        "move_order",
        sa.Column("upgrade_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("instance_id", LONG, primary_key=True, autoincrement=False),
        sa.Column("link_id", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in cohort),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("number", LONG),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("sent_at", TIME),
        sa.Column("code", sa.String),
        sa.Column("message", sa.Text),
        sqlite_with_rowid=False,
    )
    by_cohort = ["upgrade_id", *cohort, "instance_id"]
    _index(op, "move_order_ordered", "move_order", by_cohort, "state = 1")
    _index(op, "move_order_sent", "move_order", ["link_id", "number"], "state = 2")
    _index(op, "move_order_number", "move_order", ["link_id", "number"], "number IS NOT NULL", unique=True)
    op.create_table(
        "sighting",
        sa.Column("link_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("uuid", ID, primary_key=True),
        sa.Column("process_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("element", sa.String, primary_key=True),
        sa.Column("engine_id", sa.String),
        sa.Column("batch", LONG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.add_column("process", sa.Column("link", ID))
    op.add_column("process", sa.Column("engine_key", sa.String))
    _index(op, "process_link", "process", ["link"], "link IS NOT NULL")
    op.add_column("instance", sa.Column("engine_id", sa.String))
    op.add_column("upgrade", sa.Column("link", ID))
    op.add_column("upgrade", sa.Column("ordered", sa.Integer, nullable=False, server_default="0"))
    op.add_column("upgrade", sa.Column("sent", sa.Integer, nullable=False, server_default="0"))
    op.add_column("upgrade", sa.Column("refusals", sa.Text))
    may_have_unsettled = "link IS NOT NULL AND (state <= 3 AND started_at IS NOT NULL OR ordered + sent > 0)"
    _index(op, "upgrade_unsettled", "upgrade", ["id"], may_have_unsettled)
    _index(op, "upgrade_linked", "upgrade", ["link", "finished_at"], "link IS NOT NULL")


def _index(
    op: Operations, name: str, table: str, columns: list[str], where: str, *, unique: bool = False
) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
