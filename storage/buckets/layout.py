"""Reads the layout of a database, and divides its tables into buckets.

Each bucketed table is made anew with a column `bucket`, distributed while it is empty, filled from the old
one, and then gets its keys.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Protocol

from sqlalchemy import insert, select, text

from uplift.domain.errors import InvalidInput
from uplift.storage.buckets.definitions import (
    CREATE_VIEW,
    FILL,
    INDEX_PLACES,
    INDEXES,
    KEYS,
    NUMBER_PLACES,
    SERIAL,
    STORAGE_OPTIONS,
    TAKE_OVER,
    TEMPORARY,
)
from uplift.storage.sql.buckets import BUCKETED, MAX_BUCKETS, Layout, LayoutEngine
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import layout, link

READ_AT_ONCE = 20_000
"""How many ids are read in one statement to find their buckets."""
LAYOUT = select(layout.c.buckets, layout.c.engine)


class Distribution(Protocol):
    """How the bucketed tables are distributed. Called within one transaction."""

    engine: LayoutEngine
    partitioning: str
    """What CREATE TABLE says about partitioning, such as `PARTITION BY HASH (bucket)`, or nothing."""

    async def choose_buckets(self, connection: Connection, count: int) -> Sequence[int]:
        """The numbers of so many buckets, each of which will lie in a shard of its own."""
        ...

    async def distribute(self, connection: Connection, table: str, count: int, options: str) -> None:
        """Distribute an empty table by its column `bucket` to `count` shards, together with those before.

        The shards have these storage options, such as `fillfactor = 50`.
        """
        ...


async def read_layout(connection: Connection) -> Layout:
    """The layout of a database with the newest schema."""
    row = (await connection.execute(LAYOUT)).one_or_none()
    if row is None:
        return Layout()
    return Layout(buckets=tuple(row.buckets), engine=LayoutEngine(row.engine))


async def apply_layout(connection: Connection, count: int, distribution: Distribution) -> Layout:
    """Divide the tables of a PostgreSQL database into `count` buckets. No other program may use it.

    Call it in a transaction of `Database.migrating`. Raises InvalidInput, with nothing written, if the
    database cannot be divided.
    """
    await _require_divisible(connection, count)
    numbers = sorted(await distribution.choose_buckets(connection, count))
    await connection.exec_driver_sql("DROP VIEW cohort_part")
    for statement in (*TAKE_OVER, *TEMPORARY):
        await connection.exec_driver_sql(statement)
    divided = Layout(buckets=tuple(numbers), engine=distribution.engine)
    await _find_buckets(connection, divided)
    for table in BUCKETED:
        await _divide(connection, table, count, distribution)
    for statement in (*INDEXES, CREATE_VIEW):
        await connection.exec_driver_sql(statement)
    row = {"id": 1, "buckets": numbers, "engine": divided.engine.value}
    await connection.execute(insert(layout), row)
    return divided


async def _require_divisible(connection: Connection, count: int) -> None:
    if connection.dialect.name != "postgresql":
        raise InvalidInput(
            "Expected a PostgreSQL database to divide into buckets, but it is an SQLite file.",
            field=("database_url",),
        )
    if not 1 <= count <= MAX_BUCKETS:
        raise InvalidInput(
            f"Expected shards to be from 1 to {MAX_BUCKETS:,}, but got {count:,}.", field=("shards",)
        )
    if (await read_layout(connection)).has_buckets:
        raise InvalidInput(
            "Expected a database without buckets, but its tables are divided already.",
            field=("database_url",),
        )
    if (await connection.execute(select(link.c.id).limit(1))).first() is not None:
        raise InvalidInput(
            "Expected a database without links to process engines, but it has some: linked processes and "
            "buckets exclude each other.",
            field=("database_url",),
        )


async def _find_buckets(connection: Connection, divided: Layout) -> None:
    """Write the bucket of each instance and of each id of a request into temporary tables."""
    await _copy(connection, "bucket_number", ((number,) for number in divided.buckets))
    instances = "SELECT id, uuid FROM instance WHERE id > {} ORDER BY id LIMIT {}"
    async for rows in _batches(connection, instances):
        found = [(row.id, divided.bucket_of(row.uuid)) for row in rows]
        await _copy(connection, "instance_bucket", found)
    upgrades = (await connection.execute(text("SELECT DISTINCT upgrade_id FROM selected"))).scalars().all()
    for upgrade_id in upgrades:
        listed = (
            f"SELECT place AS id, uuid FROM selected WHERE upgrade_id = {upgrade_id} "  # noqa: S608  a number
            "AND place > {} ORDER BY place LIMIT {}"
        )
        async for rows in _batches(connection, listed):
            places = [(upgrade_id, row.id, row.id, divided.bucket_of(row.uuid)) for row in rows]
            await _copy(connection, "selected_bucket", places)
    await connection.exec_driver_sql(INDEX_PLACES)
    await connection.exec_driver_sql(NUMBER_PLACES)


async def _batches(connection: Connection, listing: str) -> AsyncIterator[Sequence[Any]]:
    after = 0
    while rows := (await connection.exec_driver_sql(listing.format(after, READ_AT_ONCE))).all():
        yield rows
        after = rows[-1].id


async def _copy(connection: Connection, table: str, rows: Iterable[tuple[int, ...]]) -> None:
    # SQLAlchemy has no COPY, so it is called on the driver's connection.
    raw: Any = (await connection.get_raw_connection()).driver_connection
    await raw.copy_records_to_table(table, records=rows)


async def _divide(connection: Connection, table: str, count: int, distribution: Distribution) -> None:
    """Replace a table by one with buckets."""
    options = STORAGE_OPTIONS.get(table, "")
    created = f"CREATE TABLE {table} (LIKE plain_{table} INCLUDING DEFAULTS, bucket INTEGER NOT NULL)"
    if distribution.partitioning:
        created = f"{created} {distribution.partitioning}"
    elif options:
        created = f"{created} WITH ({options})"
    await connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO plain_{table}")
    await connection.exec_driver_sql(created)
    if table in SERIAL:
        # Otherwise dropping the old table would drop the sequence.
        await connection.exec_driver_sql(f"ALTER SEQUENCE {table}_id_seq OWNED BY {table}.id")
    await distribution.distribute(connection, table, count, options)
    if table in FILL:
        await connection.exec_driver_sql(FILL[table])
    await connection.exec_driver_sql(f"DROP TABLE plain_{table}")
    for key in KEYS[table]:
        await connection.exec_driver_sql(f"ALTER TABLE {table} ADD {key}")
