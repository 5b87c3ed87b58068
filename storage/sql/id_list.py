"""Passes a list of ids to a statement as one bound parameter, which the database unpacks into a table.

A list of parameters is limited in length and slow to bind; a temporary table costs a statement an id.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, bindparam, column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from uplift.storage.sql.types import ID, IDS

IN_SQLITE = (
    "(WITH RECURSIVE place(n) AS"
    " (SELECT 1 WHERE length({}) > 0 UNION ALL SELECT n + 1 FROM place WHERE n < length({}) / 16)"
    " SELECT n AS ordinal, substr({}, 16 * n - 15, 16) AS uuid FROM place)"
)
IN_POSTGRESQL = "(SELECT * FROM unnest((SELECT {})) WITH ORDINALITY AS place(uuid, ordinal))"
"""The inner SELECT hides how many there are: for thousands PostgreSQL would rather read the whole table."""


class _UnpackedIds(FunctionElement[Any]):
    """The rows `(ordinal, uuid)` that a list of ids stands for."""

    inherit_cache = True
    name = "unpacked"


@compiles(_UnpackedIds, "sqlite")
def _unpacked_in_sqlite(element: _UnpackedIds, compiler: SQLCompiler, **options: Any) -> str:
    # The same value thrice: to bind it costs less than to hand it on from one part to the next.
    return IN_SQLITE.format(*(compiler.process(element.clauses, **options) for _ in range(3)))


@compiles(_UnpackedIds, "postgresql")
def _unpacked_in_postgresql(element: _UnpackedIds, compiler: SQLCompiler, **options: Any) -> str:
    return IN_POSTGRESQL.format(compiler.process(element.clauses, **options))


ID_LIST = _UnpackedIds(bindparam("id_list", type_=IDS)).table_valued(
    column("ordinal", Integer), column("uuid", ID), name="id_list"
)
"""A table `(ordinal, uuid)` of the ids bound by `bind_ids`, numbered from 1 in their order."""


def bind_ids(ids: Sequence[UUID]) -> dict[str, Any]:
    """The parameters that a statement over ID_LIST takes."""
    return {"id_list": ids}
