"""Several workers may work on one upgrade: what is left of it, and who has it, are rows of their own."""

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
        sqlite_with_rowid=False,
    )
    # Of one that is COMPLETED (4) nothing is left; of another that ended it tells what was not reached.
    op.execute(
        "INSERT INTO partition (upgrade_id, last_key, cursor, lease_worker, lease_until) "
        "SELECT id, last_key, cursor, lease_worker, lease_until FROM upgrade "
        "WHERE state <> 4 AND (pruned_at IS NULL OR first_instance_id IS NOT NULL)"
    )
    for name in ("lease_worker", "lease_until", "last_key", "cursor"):
        op.drop_column("upgrade", name)
