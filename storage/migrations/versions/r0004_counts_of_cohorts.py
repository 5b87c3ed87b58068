"""Adds the counts of cohorts, and counts the instances that exist."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0004"
down_revision = "0003"

LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade(op: Operations) -> None:
    op.create_table(
        "cohort_count",
        sa.Column("process_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("position_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("part", LONG, primary_key=True, autoincrement=False),
        sa.Column("instances", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 30},
    )
    # One statement reads the table once and keeps only the groups in memory, so it needs no batches.
    op.execute(
        "INSERT INTO cohort_count (process_id, version, status, position_id, part, instances) "
        "SELECT process_id, version, status, position_id, 0, count(*) FROM instance "
        "GROUP BY process_id, version, status, position_id"
    )
