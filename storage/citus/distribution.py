"""Distributes the tables with buckets to the shards of Citus, and makes Citus know all others."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from uplift.domain.errors import InvalidInput
from uplift.storage.buckets.layout import apply_layout, read_layout
from uplift.storage.citus.examination import MIN_VERSION, SEQUENTIAL
from uplift.storage.citus.nodes import find_kinds, find_nodes, find_version
from uplift.storage.schema import NEWEST, find_revision
from uplift.storage.sql.buckets import BUCKETED, LayoutEngine
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import LOCK_WAIT

FIRST: Final = BUCKETED[0]
"""The table that is distributed first. The others lie beside it."""
MIN_SHARDS = 2
TRIED = 16
"""For each shard so many numbers are hashed at first. The last shard is hit after some ln(shards) a shard."""
# As Citus, which divides the range of 32-bit hashes evenly and gives the rest to the last shard.
CHOOSE = (
    "SELECT min(number) FROM generate_series(0, $1::integer) AS number GROUP BY least("
    "(worker_hash(number)::bigint + 2147483648) / (4294967296 / $2::integer), $2::integer - 1)"
)
DISTRIBUTE_FIRST = (
    "SELECT create_distributed_table('{}', 'bucket', shard_count => {}, colocate_with => 'none')"
)
DISTRIBUTE = "SELECT create_distributed_table('{}', 'bucket', colocate_with => '{}')"
UNDISTRIBUTE = "SELECT undistribute_table('{}', cascade_via_foreign_keys => true)"
# With all tables that foreign keys connect to it.
ADD_LOCAL = "SELECT citus_add_local_table_to_metadata('{}', cascade_via_foreign_keys => true)"
SETTINGS: Final = {
    "lock_timeout": LOCK_WAIT,
    "jit": "off",
    "citus.multi_shard_modify_mode": SEQUENTIAL,
    # SET LOCAL lock_timeout reaches the workers.
    "citus.propagate_set_commands": "local",
}
"""What each session has on each node. Settings of a session of the coordinator do not reach the workers."""
SET_ALWAYS = "ALTER DATABASE {} SET {} = '{}'"
INSTANCES = "SELECT coalesce(sum(instances), 0)::bigint FROM cohort_part"
NEW_SNAPSHOT = "SELECT pg_stat_clear_snapshot()"
DATABASE = "SELECT quote_ident(current_database())"
OTHERS = (
    "SELECT coalesce(nullif(application_name, ''), 'without a name') FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND application_name !~ '^citus_internal' AND application_name <> 'Citus Maintenance Daemon' "
    "AND (backend_type IS NULL OR backend_type = 'client backend') ORDER BY 1"
)
SHOWN_PROGRAMS = 3
ENDING_SECONDS = 2.0
"""A connection that was closed just now, such as one of this program, may still be listed."""


class CitusDistribution:
    """Implements uplift.storage.buckets.layout.Distribution."""

    engine = LayoutEngine.CITUS
    partitioning = ""

    async def choose_buckets(self, connection: Connection, count: int) -> Sequence[int]:
        tried = TRIED * count
        while True:
            found = await connection.exec_driver_sql(CHOOSE, (tried, count))
            numbers: list[int] = list(found.scalars())
            if len(numbers) == count:
                return numbers
            tried *= 2

    async def distribute(self, connection: Connection, table: str, count: int, options: str) -> None:
        del options  # shards have those of the table
        statement = (
            DISTRIBUTE_FIRST.format(table, count) if table == FIRST else DISTRIBUTE.format(table, FIRST)
        )
        await connection.exec_driver_sql(statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a distribution does, or has done. `workers` counts the nodes that may have shards."""

    is_distributed: bool
    """Whether the database was distributed before, so that it is only repaired."""
    instances: int
    shards: int
    workers: int


async def plan_distribution(connection: Connection, shards: int | None) -> Planned:
    """What `distribute` would do. Raises InvalidInput if the database may not be distributed."""
    if connection.dialect.name != "postgresql":
        raise InvalidInput(
            "Expected a PostgreSQL database with the extension Citus, but it is an SQLite file.",
            field=("database_url",),
        )
    revision = await find_revision(connection)
    if revision != NEWEST:
        raise InvalidInput(
            f"Expected the schema to be at revision {NEWEST}, but it is at {revision or 'none'}. "
            "Run 'uplift db upgrade'."
        )
    layout = await read_layout(connection)
    if layout.has_buckets and layout.engine is not LayoutEngine.CITUS:
        raise InvalidInput("Expected a database without buckets, but its tables are divided already.")
    if layout.has_buckets and shards not in (None, len(layout.buckets)):
        raise InvalidInput(
            f"Expected the shards to be the {len(layout.buckets)} that the database has, because their "
            f"number cannot be changed, but got {shards}.",
            field=("shards",),
        )
    if not layout.has_buckets and (shards is None or shards < MIN_SHARDS):
        found = "got none" if shards is None else f"got {shards}"
        raise InvalidInput(f"Expected at least {MIN_SHARDS} shards, but {found}.", field=("shards",))
    version = await find_version(connection)
    if version is None or version < MIN_VERSION:
        found = "none" if version is None else ".".join(map(str, version))
        raise InvalidInput(
            f"Expected the database to have the extension Citus {MIN_VERSION[0]} or newer, "
            f"but it has {found}."
        )
    nodes = await find_nodes(connection)
    if not nodes or nodes[0].group != 0:
        raise InvalidInput(
            "Expected the cluster to know the address of the coordinator, but it does not: SELECT "
            "citus_set_coordinator_host('HOST', 5432)."
        )
    if not any(node.has_shards for node in nodes):
        raise InvalidInput(
            "Expected a node that may have shards, but there is none: SELECT citus_add_node('HOST', 5432)."
        )
    return Planned(
        is_distributed=layout.has_buckets,
        instances=(await connection.exec_driver_sql(INSTANCES)).scalar_one(),
        shards=len(layout.buckets) or shards or 0,
        workers=sum(node.has_shards for node in nodes),
    )


async def require_alone(connection: Connection) -> None:
    """Raise InvalidInput if another program is connected to the database, such as a gateway."""
    deadline = asyncio.get_running_loop().time() + ENDING_SECONDS
    while names := [name for (name,) in await connection.exec_driver_sql(OTHERS)]:
        if asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
            await connection.exec_driver_sql(NEW_SNAPSHOT)
            continue
        shown = ", ".join(names[:SHOWN_PROGRAMS]) + (", …" if len(names) > SHOWN_PROGRAMS else "")
        raise InvalidInput(
            "Expected no other program to be connected to the database, because gateways and workers know "
            f"its layout from their start, but there are connections of: {shown}. Stop these programs."
        )


async def distribute(connection: Connection, shards: int | None) -> Planned:
    """Distribute a database, or repair a distributed one. Returns what was planned, which is done now.

    Call it in a transaction of `Database.migrating`, so that all of it is done or nothing. Raises
    InvalidInput if the database is not one that may be distributed now.
    """
    planned = await plan_distribution(connection, shards)
    await require_alone(connection)
    await carry_out(connection, planned)
    return planned


async def carry_out(connection: Connection, planned: Planned) -> None:
    """Distribute or repair a database as it was planned, without a look at its state."""
    # Citus changes all shards over one connection to each node, which it needs to see what it did before.
    await connection.exec_driver_sql(f"SET LOCAL citus.multi_shard_modify_mode = '{SEQUENTIAL}'")
    if planned.is_distributed:
        await _distribute_restored(connection, planned.shards)
    else:
        await apply_layout(connection, planned.shards, CitusDistribution())
    await add_local_tables(connection)
    database = (await connection.exec_driver_sql(DATABASE)).scalar_one()
    for name, value in SETTINGS.items():
        await connection.exec_driver_sql(SET_ALWAYS.format(database, name, value))


async def _distribute_restored(connection: Connection, shards: int) -> None:
    """Distribute tables that have buckets already, with their rows: pg_dump does not save where they lie."""
    unknown = (await find_kinds(connection)).unknown
    for table in BUCKETED:
        if table in unknown:
            await CitusDistribution().distribute(connection, table, shards, options="")


async def add_new_tables(connection: Connection) -> None:
    """After a migration: make Citus know the tables that are new in a distributed database."""
    if (await read_layout(connection)).engine is LayoutEngine.CITUS:
        await add_local_tables(connection)


async def add_local_tables(connection: Connection) -> None:
    """Make Citus know all tables that stay on the coordinator, so that it commits in two phases."""
    for table in sorted((await find_kinds(connection)).reference):
        # Another one may have taken it along.
        if table in (await find_kinds(connection)).reference:
            await connection.exec_driver_sql(UNDISTRIBUTE.format(table))
    while unknown := (await find_kinds(connection)).unknown - frozenset(BUCKETED):
        await connection.exec_driver_sql(ADD_LOCAL.format(min(unknown)))
