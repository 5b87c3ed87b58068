"""How many ids reach a statement at once: as one bound value, unpacked by the database into a table.

A list of parameters is limited in length and slow to bind; a temporary table costs a statement an id.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, text

from storage.types import CompactUuid

GIVEN = (
    text(
        "WITH RECURSIVE place(n) AS (SELECT 1 WHERE :given_count > 0"
        " UNION ALL SELECT n + 1 FROM place WHERE n < :given_count)"
        " SELECT n AS ordinal, substr(:given_ids, 16 * n - 15, 16) AS uuid FROM place"
    )
    .columns(ordinal=Integer, uuid=CompactUuid)
    .subquery("given")
)
"""A table `(ordinal, uuid)` of the ids bound by `given`, numbered from 1 in their order."""


def given(ids: Sequence[UUID]) -> dict[str, Any]:
    """The parameters that a statement over GIVEN takes."""
    return {"given_ids": b"".join(one.bytes for one in ids), "given_count": len(ids)}
