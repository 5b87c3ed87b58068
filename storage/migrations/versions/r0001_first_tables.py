"""Creates the first tables."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision = None

ID = sa.LargeBinary(16).with_variant(sa.Uuid(), "postgresql")
TIME = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade(op: Operations) -> None:
    _create_processes(op)
    _create_instances(op)
    _create_upgrades(op)
    _create_what_belongs_to_an_upgrade(op)
    _create_api_keys(op)


def _create_processes(op: Operations) -> None:
    op.create_table(
        "process",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("namespace", NAME, nullable=False),
        sa.Column("code", NAME, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("folded_title", NAME, nullable=False),
        sa.Column("folded_name", sa.String, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_index("process_key", "process", ["namespace", "code"], unique=True)
    op.create_index("process_title", "process", ["folded_title", "id"])
    op.create_table(
        "version",
        sa.Column("process_id", sa.Integer, sa.ForeignKey("process.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("published_at", TIME),
        sa.Column("model_process_id", sa.String),
        sa.Column("model", sa.LargeBinary),
    )
    op.create_table(
        "position",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("process_id", sa.Integer, sa.ForeignKey("process.id"), nullable=False),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("elements", sa.Text, nullable=False),
    )
    op.create_index("position_digest", "position", ["process_id", "digest"], unique=True)


def _create_instances(op: Operations) -> None:
    op.create_table(
        "instance",
        sa.Column("id", LONG, primary_key=True),
        sa.Column("uuid", ID, nullable=False, unique=True),
        sa.Column("process_id", sa.Integer, sa.ForeignKey("process.id"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("position_id", sa.Integer, nullable=False),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("instance_process", "instance", ["process_id", "id"])
    # Created last, because SQLite prefers the newer of two indexes that fit equally well.
    is_active = sa.text("status <= 2")
    op.create_index(
        "instance_active",
        "instance",
        ["process_id", "id"],
        sqlite_where=is_active,
        postgresql_where=is_active,
    )


def _create_upgrades(op: Operations) -> None:
    op.create_table(
        "upgrade",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uuid", ID, nullable=False, unique=True),
        sa.Column("process_id", sa.Integer, nullable=False),
        sa.Column("selection", sa.SmallInteger, nullable=False),
        sa.Column("target_version", sa.Integer),
        sa.Column("of_upgrade_id", sa.Integer, sa.ForeignKey("upgrade.id")),
        sa.Column("retried", sa.String, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("lease_worker", sa.String),
        sa.Column("lease_until", TIME),
        sa.Column("requested_by", sa.String, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("mappings", sa.Text, nullable=False),
        sa.Column("conditions", sa.Text),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("finished_at", TIME),
        sa.Column("pruned_at", TIME),
        sa.Column("worked", sa.BigInteger, nullable=False),
        sa.Column("last_key", LONG, nullable=False),
        sa.Column("cursor", LONG, nullable=False),
        sa.Column("expected", sa.Integer, nullable=False),
        sa.Column("upgraded", sa.Integer, nullable=False),
        sa.Column("skipped", sa.Integer, nullable=False),
        sa.Column("excluded", sa.Integer, nullable=False),
        sa.Column("error", sa.String),
        sa.Column("first_instance_id", LONG),
        sa.Column("last_instance_id", LONG),
        sa.ForeignKeyConstraint(["process_id", "target_version"], ["version.process_id", "version.number"]),
    )
    op.create_index("upgrade_process", "upgrade", ["process_id", "id"])
    op.create_index("upgrade_span", "upgrade", ["process_id", "first_instance_id", "last_instance_id"])
    is_waiting = sa.text("state <= 2")
    op.create_index(
        "upgrade_waiting", "upgrade", ["id"], sqlite_where=is_waiting, postgresql_where=is_waiting
    )
    is_paused = sa.text("state = 3")
    op.create_index("upgrade_paused", "upgrade", ["id"], sqlite_where=is_paused, postgresql_where=is_paused)


def _create_what_belongs_to_an_upgrade(op: Operations) -> None:
    op.create_table(
        "selected",
        sa.Column("upgrade_id", sa.Integer, primary_key=True),
        sa.Column("place", LONG, primary_key=True),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("uuid", ID, nullable=False),
        sa.Column("instance_id", LONG),
        sqlite_with_rowid=False,
    )
    op.create_index("selected_ordinal", "selected", ["upgrade_id", "ordinal"])
    op.create_table(
        "decision",
        sa.Column("upgrade_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("status", sa.SmallInteger, primary_key=True),
        sa.Column("position_id", sa.Integer, sa.ForeignKey("position.id"), primary_key=True),
        sa.Column("origin_version", sa.Integer, primary_key=True),
        sa.Column("origin_position_id", sa.Integer, primary_key=True),
        sa.Column("put_version", sa.Integer),
        sa.Column("put_position_id", sa.Integer, sa.ForeignKey("position.id")),
        sa.Column("to_version", sa.Integer),
        sa.Column("to_position_id", sa.Integer, sa.ForeignKey("position.id")),
        sa.Column("codes", sa.String, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("warnings", sa.Text, nullable=False),
        sa.Column("instances", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("decision_position", "decision", ["position_id"])
    op.create_index("decision_to_position", "decision", ["to_position_id"])
    op.create_index("decision_put_position", "decision", ["put_position_id"])
    op.create_table(
        "outcome",
        sa.Column("upgrade_id", sa.Integer, primary_key=True),
        sa.Column("instance_id", LONG, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("position_id", sa.Integer, nullable=False),
        sa.Column("origin_version", sa.Integer, nullable=False, server_default="0"),
        sa.Column("origin_position_id", sa.Integer, nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "request",
        sa.Column("caller", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("upgrade_id", sa.Integer, sa.ForeignKey("upgrade.id"), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_request_requested_at", "request", ["requested_at"])


def _create_api_keys(op: Operations) -> None:
    op.create_table(
        "api_key",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("role", sa.SmallInteger, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
    )
