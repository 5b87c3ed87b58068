"""Adds to API keys their expiry, their scope, who created and revoked them, and how often they are used."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0002"
down_revision = "0001"

ID = sa.LargeBinary(16).with_variant(sa.Uuid(), "postgresql")
TIME = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade(op: Operations) -> None:
    op.add_column("api_key", sa.Column("created_by", sa.String))
    op.add_column("api_key", sa.Column("expires_at", TIME))
    op.add_column("api_key", sa.Column("revoked_by", sa.String))
    op.add_column("api_key", sa.Column("namespaces", sa.String))
    is_unrevoked = sa.text("revoked_at IS NULL")
    op.create_index(
        "api_key_name",
        "api_key",
        ["name"],
        unique=True,
        sqlite_where=is_unrevoked,
        postgresql_where=is_unrevoked,
    )
    op.create_table(
        "key_use",
        sa.Column("key_id", ID, sa.ForeignKey("api_key.id"), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("accepted", sa.Boolean, primary_key=True),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sqlite_with_rowid=False,
    )
