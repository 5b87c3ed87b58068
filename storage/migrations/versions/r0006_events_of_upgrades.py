"""Adds the events of upgrades: what operators did to them, and when."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0006"
down_revision = "0005"

TIME = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade(op: Operations) -> None:
    op.create_table(
        "upgrade_event",
        sa.Column(
            "upgrade_id", sa.Integer, sa.ForeignKey("upgrade.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("caller", sa.String, nullable=False),
        sqlite_with_rowid=False,
    )
