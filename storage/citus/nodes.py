"""Reads what a cluster of Citus is: its version, its nodes, and how it knows the tables."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from uplift.domain.errors import StoreUnavailable
from uplift.storage.schema import REVISIONS
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import metadata

TABLES: Final = (*sorted(metadata.tables), REVISIONS.name)
"""All tables of Uplift."""
HAS_CITUS = "SELECT to_regproc('citus_version') IS NOT NULL"
VERSION = "SELECT citus_version()"
NODES = (
    "SELECT groupid, shouldhaveshards FROM pg_dist_node "
    "WHERE noderole = 'primary' AND isactive ORDER BY groupid"
)
# Shards of local tables are in the same schema, but Citus hides them here.
KINDS = (
    "SELECT relname, (SELECT partmethod::text || repmodel::text FROM pg_dist_partition "
    "WHERE logicalrelid = pg_class.oid) AS kind FROM pg_class "
    "WHERE relnamespace = current_schema()::regnamespace AND relname = ANY ($1::text[])"
)
ON_ALL_NODES = "SELECT success, result FROM run_command_on_all_nodes($1)"


class Node(NamedTuple):
    """An active node. The group 0 is that of the coordinator."""

    group: int
    has_shards: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableKinds:
    """How Citus knows the tables of Uplift, by their names."""

    distributed: frozenset[str]
    reference: frozenset[str]
    local: frozenset[str]
    """Tables of the coordinator whose transactions commit in two phases."""
    unknown: frozenset[str]
    """Tables of the coordinator that commit after the workers have, without a second phase."""


async def find_version(connection: Connection) -> tuple[int, ...] | None:
    """The version of Citus in this database, such as (13, 2, 2); None without Citus."""
    if not (await connection.exec_driver_sql(HAS_CITUS)).scalar_one():
        return None
    text = str((await connection.exec_driver_sql(VERSION)).scalar_one())
    numbers = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(number) for number in numbers[0].split(".")) if numbers else (0,)


async def find_nodes(connection: Connection) -> Sequence[Node]:
    """The active nodes, the coordinator first if the cluster knows its address."""
    rows = await connection.exec_driver_sql(NODES)
    return [Node(row.groupid, row.shouldhaveshards) for row in rows]


async def find_kinds(connection: Connection) -> TableKinds:
    """How Citus knows the tables of Uplift."""
    rows = await connection.exec_driver_sql(KINDS, (list(TABLES),))
    kinds: Mapping[str, str | None] = {row.relname: row.kind for row in rows}

    def tables(matches: Sequence[str | None]) -> frozenset[str]:
        return frozenset(name for name, kind in kinds.items() if kind in matches)

    reference, local, unknown = tables(["nt"]), tables(["ns"]), tables([None])
    return TableKinds(
        distributed=frozenset(kinds) - reference - local - unknown,
        reference=reference,
        local=local,
        unknown=unknown,
    )


async def on_all_nodes(connection: Connection, query: str) -> Sequence[str]:
    """What the first value of a query is on each node. Raises StoreUnavailable if a node does not answer."""
    rows = (await connection.exec_driver_sql(ON_ALL_NODES, (query,))).all()
    if not all(row.success for row in rows):
        raise StoreUnavailable("a node of its cluster does not answer")
    return [row.result for row in rows]
