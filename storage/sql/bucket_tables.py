"""Defines the tables with their column `bucket`, for the statements that name it."""

from sqlalchemy import (
    BindParameter,
    Column,
    Integer,
    MetaData,
    Table,
    bindparam,
    column,
    literal_column,
    table,
)

from uplift.storage.sql import tables
from uplift.storage.sql.tables import STATUS

BUCKET: BindParameter[int] = bindparam("of_bucket", type_=Integer)
"""The bucket that a statement reads or writes."""


def _with_bucket(without: Table) -> Table:
    # Statements need no keys. With a primary key, SQLAlchemy would ask for that of each inserted row.
    columns = (Column(found.key, found.type) for found in without.columns)
    return Table(without.name, MetaData(), *columns, Column("bucket", Integer))


instance = _with_bucket(tables.instance)
outcome = _with_bucket(tables.outcome)
selected = _with_bucket(tables.selected)
partition = _with_bucket(tables.partition)
skip_count = _with_bucket(tables.skip_count)
cohort_count = _with_bucket(tables.cohort_count)
cohort_change = _with_bucket(tables.cohort_change)
cohort_part = table(
    "cohort_part",
    column("process_id", Integer),
    column("version", Integer),
    column("status", STATUS),
    column("position_id", Integer),
    column("instances", Integer),
    column("bucket", Integer),
)
IS_ACTIVE = instance.c.status <= literal_column("2")
"""PENDING or RUNNING. A literal, because a partial index serves only queries that repeat its condition."""
