"""What SQL says differently from one database to another."""

from collections.abc import Sequence

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite import Insert, insert


def upsert(
    table: Table, *, keys: Sequence[str], replaced: Sequence[str] | None = None, added: Sequence[str] = ()
) -> Insert:
    """An INSERT that changes the row that has the same keys, if there is one.

    Of that row the columns `replaced` (all but the keys unless given) take the new value; `added` are summed.
    """
    statement = insert(table)
    names = (
        [column.name for column in table.columns if column.name not in keys] if replaced is None else replaced
    )
    changes = {name: statement.excluded[name] for name in names if name not in added}
    sums = {name: table.c[name] + statement.excluded[name] for name in added}
    return statement.on_conflict_do_update(index_elements=list(keys), set_={**changes, **sums})
