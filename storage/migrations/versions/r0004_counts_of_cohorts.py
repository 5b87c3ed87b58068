"""Adds the counts of cohorts, and counts the instances that exist."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0004"
down_revision = "0003"

LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NUMBERS = sa.ARRAY(sa.Integer).with_variant(sa.Text(), "sqlite")


def upgrade(op: Operations) -> None:
    op.create_table(
        "cohort_count",
        sa.Column("process_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("position_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("instances", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    # One statement reads the table once and keeps only the groups in memory, so it needs no batches.
    op.execute(
        "INSERT INTO cohort_count (process_id, version, status, position_id, instances) "
        "SELECT process_id, version, status, position_id, count(*) FROM instance "
        "GROUP BY process_id, version, status, position_id"
    )
    op.create_table(
        "cohort_change",
        sa.Column("id", LONG, primary_key=True),
        sa.Column("process_id", sa.Integer, nullable=False, index=True),
        sa.Column("versions", NUMBERS, nullable=False),
        sa.Column("statuses", NUMBERS, nullable=False),
        sa.Column("position_ids", NUMBERS, nullable=False),
        sa.Column("counts", NUMBERS, nullable=False),
    )
    changes = (
        "SELECT process_id, unnest(versions), unnest(statuses), unnest(position_ids), unnest(counts) "
        "FROM cohort_change"
    )
    counts = "SELECT process_id, version, status, position_id, instances FROM cohort_count"
    is_postgres = op.get_context().dialect.name == "postgresql"
    op.execute(f"CREATE VIEW cohort_part AS {counts}" + f" UNION ALL {changes}" * is_postgres)
