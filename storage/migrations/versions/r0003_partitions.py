"""Moves the cursor and the lease of an upgrade to partitions, so that several workers may run it.

Partitions count what they do, and what they skip by each decision.
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0003"
down_revision = "0002"

TIME = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade(op: Operations) -> None:
    op.create_table(
        "partition",
        sa.Column("upgrade_id", sa.Integer, sa.ForeignKey("upgrade.id"), primary_key=True),
        sa.Column("last_key", LONG, primary_key=True),
        sa.Column("cursor", LONG, nullable=False),
        sa.Column("lease_worker", sa.String),
        sa.Column("lease_until", TIME),
        *(
            sa.Column(name, sa.Integer, nullable=False, server_default="0")
            for name in ("upgraded", "skipped", "ordered")
        ),
        sa.Column("worked", sa.BigInteger, nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "skip_count",
        sa.Column("upgrade_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("position_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("origin_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("origin_position_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last_key", LONG, primary_key=True, autoincrement=False),
        sa.Column("instances", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    # A COMPLETED (4) upgrade has no partition. That of another ended one covers what it did not process.
    op.execute(
        "INSERT INTO partition (upgrade_id, last_key, cursor, lease_worker, lease_until) "
        "SELECT id, last_key, cursor, lease_worker, lease_until FROM upgrade "
        "WHERE state <> 4 AND (pruned_at IS NULL OR first_instance_id IS NOT NULL)"
    )
    for name in ("lease_worker", "lease_until", "last_key", "cursor"):
        op.drop_column("upgrade", name)
