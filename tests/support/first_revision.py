"""Creates a database at the first revision of the schema, with rows in every table.

The rows are plain SQL, because today's code has other tables: one process with two versions, three pending
instances, and an upgrade of two of them by ids.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.engine import URL

from uplift.storage.database import Database
from uplift.storage.migrations.running import migrate

FIRST = "0001"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
KEY = "uplift_Yw9kU4xqV3eOmYfgB5PYdif7fF26tLxaGBgbg17bm2P2s4ehs"
"""The API key whose digest is among the rows."""
UPGRADED, ALSO_UPGRADED, LEFT_ALONE, UNKNOWN, UPGRADE, KEY_ID = (
    UUID("9e210e62-140f-589a-9c12-9e45a01743c3"),
    UUID("83b466ea-dad7-520a-88b6-930fecaac8ec"),
    UUID("951131e8-37cf-577f-81b9-a7f734eb916e"),
    UUID("46635a6b-0d4f-5080-a796-4c7d63775f01"),
    UUID("1b2ffa96-9a3e-4343-830f-668c1c76f510"),
    UUID("8a143779-cd0e-4cfa-9daa-956624c2624e"),
)
RUNNING, CANCELLED = (
    UUID("5d3d7e0a-6f3c-4b7e-9a0e-0b1f9b6e1a11"),
    UUID("c2a4c1de-2c54-4d0b-8c65-4a9b0e7d2b22"),
)
DIGEST_OF_KEY = bytes.fromhex("04099aa7e5d6e7ed48141a9648a28bb535495463218749ee69b9a280aa47b5cb")
DIGEST_OF_POSITION = bytes.fromhex("8ed123bc8794be1f6f057a28b285a1a1")
MODEL = b"<the first version had a document>"

Row = tuple[str, str, tuple[Any, ...]]
"""Table, columns, values."""

ROWS: Sequence[Row] = (
    (
        "process",
        "namespace, code, title, folded_title, folded_name, created_at",
        ("crm", "orders", "Orders", "orders", "crm/orders", NOON),
    ),
    (
        "version",
        "process_id, number, state, created_at, published_at, model_process_id, model",
        (1, 1, 2, NOON, NOON, "orders", MODEL),
    ),
    ("version", "process_id, number, state, created_at, published_at, model", (1, 2, 2, NOON, NOON, None)),
    ("position", "process_id, digest, elements", (1, DIGEST_OF_POSITION, '["approve"]')),
    ("instance", "uuid, process_id, version, status, position_id", (UPGRADED, 1, 2, 1, 1)),
    ("instance", "uuid, process_id, version, status, position_id", (ALSO_UPGRADED, 1, 2, 1, 1)),
    ("instance", "uuid, process_id, version, status, position_id", (LEFT_ALONE, 1, 1, 1, 1)),
    (
        "upgrade",
        """uuid, process_id, selection, target_version, retried, state, requested_by, reason, mappings,
        requested_at, started_at, finished_at, worked, last_key, cursor, expected, upgraded, skipped,
        excluded, first_instance_id, last_instance_id""",
        (UPGRADE, 1, 1, 2, "", 4, "ci", "news", "[]", NOON, NOON, NOON, 5_000, 3, 3, 3, 2, 1, 0, 1, 2),
    ),
    ("selected", "upgrade_id, place, ordinal, uuid, instance_id", (1, 1, 3, UNKNOWN, None)),
    ("selected", "upgrade_id, place, ordinal, uuid, instance_id", (1, 2, 1, UPGRADED, 1)),
    ("selected", "upgrade_id, place, ordinal, uuid, instance_id", (1, 3, 2, ALSO_UPGRADED, 2)),
    (
        "decision",
        """upgrade_id, version, status, position_id, origin_version, origin_position_id, to_version,
        to_position_id, codes, reasons, warnings, instances""",
        (1, 1, 1, 1, 0, 0, 2, 1, "", "[]", "[]", 0),
    ),
    ("outcome", "upgrade_id, instance_id, version, status, position_id", (1, 1, 1, 1, 1)),
    ("outcome", "upgrade_id, instance_id, version, status, position_id", (1, 2, 1, 1, 1)),
    ("request", "caller, key, digest, upgrade_id, requested_at", ("ci", "once", bytes(16), 1, NOON)),
    ("api_key", "id, name, role, digest, created_at", (KEY_ID, "ci", 1, DIGEST_OF_KEY, NOON)),
)


UPGRADE_COLUMNS = """uuid, process_id, selection, target_version, retried, state, lease_worker, lease_until,
requested_by, reason, mappings, requested_at, started_at, finished_at, worked, last_key, cursor, expected,
upgraded, skipped, excluded"""
UNFINISHED_ROWS: Sequence[Row] = (
    # An upgrade of all active instances: one instance remains, and the worker that holds the lease died.
    (
        "upgrade",
        UPGRADE_COLUMNS,
        (RUNNING, 1, 2, 2, "", 2, "gone", NOON, "ci", "", "[]", NOON, NOON, None, 7, 3, 2, 3, 0, 2, 0),
    ),
    # An upgrade of two ids that was cancelled after the first.
    (
        "upgrade",
        UPGRADE_COLUMNS,
        (CANCELLED, 1, 1, 2, "", 5, None, None, "ci", "", "[]", NOON, NOON, NOON, 7, 2, 1, 2, 0, 1, 0),
    ),
    ("selected", "upgrade_id, place, ordinal, uuid, instance_id", (3, 1, 2, UNKNOWN, None)),
    ("selected", "upgrade_id, place, ordinal, uuid, instance_id", (3, 2, 1, LEFT_ALONE, 3)),
)
"""Two unfinished upgrades."""


async def make_first_revision(where: Path | URL) -> None:
    """Migrate an empty database to the first revision and insert `ROWS`."""
    await bring_to(where, FIRST)
    await add_rows(where, ROWS)


async def add_rows(where: Path | URL, rows: Sequence[Row]) -> None:
    """Insert rows into the tables of the first revision."""
    if isinstance(where, Path):
        await asyncio.to_thread(_fill_sqlite, where, rows)
    else:
        await _fill_postgres(where, rows)


async def bring_to(where: Path | URL, revision: str) -> None:
    """Migrate to this revision, without the check that it is the newest."""
    database = Database.at(where)
    async with database.migrating() as connection:
        await connection.run_sync(migrate, revision)
    await database.close()


def _fill_sqlite(file: Path, rows: Sequence[Row]) -> None:
    connection = sqlite3.connect(file)
    with connection:
        for table, columns, row in rows:
            marks = ", ".join("?" for _ in row)
            connection.execute(
                f"INSERT INTO {table} ({columns}) VALUES ({marks})",
                [_sqlite_value(value) for value in row],
            )
    connection.close()


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.bytes
    return (value - EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else value


async def _fill_postgres(url: URL, rows: Sequence[Row]) -> None:
    connection = await asyncpg.connect(url.render_as_string(), ssl=False)
    for table, columns, row in rows:
        marks = ", ".join(f"${number}" for number, _ in enumerate(row, start=1))
        await connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", *row)
    await connection.close()
