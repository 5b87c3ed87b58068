"""Divides the tables of a plain PostgreSQL database into hash partitions, one for each bucket."""

from collections.abc import Sequence

from uplift.storage.sql.buckets import LayoutEngine
from uplift.storage.sql.connection import Connection

NUMBERS_TRIED = 20
"""For each bucket so many numbers are tried: some hash partitions would get none of the first few."""


class HashPartitions:
    """Implements uplift.storage.buckets.layout.Distribution."""

    engine = LayoutEngine.PLAIN
    partitioning = "PARTITION BY HASH (bucket)"

    async def choose_buckets(self, connection: Connection, count: int) -> Sequence[int]:
        await connection.exec_driver_sql(f"CREATE TABLE probe (bucket INTEGER) {self.partitioning}")
        found = await connection.exec_driver_sql(
            "SELECT min(number) FROM generate_series(0, $1::integer) AS number, "
            "generate_series(0, $2::integer - 1) AS place "
            "WHERE satisfies_hash_partition('probe'::regclass, $2, place, number) GROUP BY place",
            (NUMBERS_TRIED * count, count),
        )
        numbers = list(found.scalars())
        await connection.exec_driver_sql("DROP TABLE probe")
        assert len(numbers) == count, "each partition has a number"
        return numbers

    async def distribute(self, connection: Connection, table: str, count: int, options: str) -> None:
        stored = f"WITH ({options})" if options else ""
        for place in range(count):
            await connection.exec_driver_sql(
                f"CREATE TABLE {table}_{place} PARTITION OF {table} "
                f"FOR VALUES WITH (MODULUS {count}, REMAINDER {place}) {stored}"
            )
