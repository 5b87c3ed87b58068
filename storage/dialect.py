"""What SQL says differently from one database to another."""

from collections.abc import Sequence

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite import Insert, insert


def upsert(table: Table, *, keys: Sequence[str], replaced: Sequence[str]) -> Insert:
    """An INSERT that gives a row with the same keys, if there is one, new values in columns `replaced`."""
    statement = insert(table)
    changes = {name: statement.excluded[name] for name in replaced}
    return statement.on_conflict_do_update(index_elements=list(keys), set_=changes)


def insert_new(table: Table) -> Insert:
    """An INSERT that leaves a row alone that has the same primary key."""
    return insert(table).on_conflict_do_nothing()
