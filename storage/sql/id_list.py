"""Passes a list of ids or digests to a statement as one bound parameter, unpacked into a table.

An IN list is limited in length and slow to bind; a temporary table needs an INSERT for each id.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, bindparam, column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from uplift.storage.sql.types import DIGESTS, ID, IDS, Bytes

IN_SQLITE = (
    "(WITH RECURSIVE place(n) AS"
    " (SELECT 1 WHERE length({}) > 0 UNION ALL SELECT n + 1 FROM place WHERE n < length({}) / 16)"
    " SELECT n AS ordinal, substr({}, 16 * n - 15, 16) AS uuid FROM place)"
)
IN_POSTGRESQL = "(SELECT * FROM unnest((SELECT {})) WITH ORDINALITY AS place(uuid, ordinal))"
"""The inner SELECT hides the length of the array: for a long one PostgreSQL would plan a sequential scan."""


class _UnpackedIds(FunctionElement[Any]):
    """A table function that unpacks a list of values of 16 bytes into rows `(ordinal, uuid)`."""

    inherit_cache = True
    name = "unpacked"


@compiles(_UnpackedIds, "sqlite")
def _unpacked_in_sqlite(element: _UnpackedIds, compiler: SQLCompiler, **options: Any) -> str:
    # Binding the value three times is faster than passing it on as a column of the recursion.
    return IN_SQLITE.format(*(compiler.process(element.clauses, **options) for _ in range(3)))


@compiles(_UnpackedIds, "postgresql")
def _unpacked_in_postgresql(element: _UnpackedIds, compiler: SQLCompiler, **options: Any) -> str:
    return IN_POSTGRESQL.format(compiler.process(element.clauses, **options))


ID_LIST = _UnpackedIds(bindparam("id_list", type_=IDS)).table_valued(
    column("ordinal", Integer), column("uuid", ID), name="id_list"
)
"""A table `(ordinal, uuid)` of the ids bound by `bind_ids`, numbered from 1 in their order."""


DIGEST_LIST = _UnpackedIds(bindparam("digest_list", type_=DIGESTS)).table_valued(
    column("ordinal", Integer), column("uuid", Bytes(16)), name="digest_list"
)
"""A table `(ordinal, uuid)` of the digests bound as `digest_list`, numbered from 1 in their order."""


def bind_ids(ids: Sequence[UUID]) -> dict[str, Any]:
    """The parameters of a statement that reads ID_LIST."""
    return {"id_list": ids}
