"""Adds the table of the layout, which is empty unless the large tables are divided into buckets."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0008"
down_revision = "0007"


def upgrade(op: Operations) -> None:
    op.create_table(
        "layout",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("buckets", sa.ARRAY(sa.Integer).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("engine", sa.String, nullable=False),
    )
