"""An import is killed half way: the kept counts are right, and importing the file again completes it."""

import asyncio
import csv
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import URL

from tests.faults.population import ACTIVE, ENDED, PROCESS, WRONG_COUNTS, add_process, an_instance
from tests.faults.programs import started, until
from tests.support.long_mode import long_only
from tests.support.postgres import binaries, the_server
from uplift.storage.store import SqlStore

pytestmark = pytest.mark.faults

FIRST = ACTIVE + ENDED
"""The first number that no other population uses."""
SIZE, LONG_SIZE = 41_000, 300_000
KILLS, LONG_KILLS = 1, 20
ON_BOTH = pytest.mark.parametrize(
    "kind",
    [
        pytest.param("sqlite", marks=long_only),
        pytest.param("postgres", marks=pytest.mark.skipif(binaries() is None, reason="no PostgreSQL")),
    ],
)


def write_file(path: Path, size: int) -> None:
    """Instances of all statuses, in cohorts that each batch changes."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["namespace", "code", "id", "version", "status", "position"])
        for number in range(FIRST, FIRST + size):
            instance = an_instance(number)
            table.writerow(
                [
                    PROCESS.namespace,
                    PROCESS.code,
                    instance.id,
                    instance.version,
                    instance.status,
                    *instance.position,
                ]
            )


async def prepare(where: Path | URL) -> None:
    store = await SqlStore.open(where)
    await add_process(store)
    await store.close()


async def ask(where: Path | URL, sql: str) -> Any:
    """The first value of the first row."""
    if isinstance(where, Path):
        with closing(sqlite3.connect(where, timeout=60)) as file:
            return file.execute(sql).fetchone()[0]
    connection = await asyncpg.connect(where.render_as_string(), ssl=False)  # noqa: ASYNC240  not a Path
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def import_and_kill(where: Path | URL, file: Path, folder: Path, chance: Random) -> int:
    """Kill an import somewhere after its next transaction; returns how many instances there are."""

    def count() -> int:
        return int(asyncio.run(ask(where, "SELECT count(*) FROM instance")))

    before = count()
    with started("import", where, "", str(file), folder=folder) as program:
        advanced: Callable[[], bool] = lambda: not program.is_running or count() > before  # noqa: E731
        until(advanced, "the import registers instances")
        time.sleep(chance.random() / 5)
        program.kill()
    assert asyncio.run(ask(where, WRONG_COUNTS)) == 0
    return count()


async def on_a_database(kind: str, folder: Path, work: Callable[[Path | URL], None]) -> None:
    if kind == "sqlite":
        await prepare(folder / "uplift.sqlite")
        await asyncio.to_thread(work, folder / "uplift.sqlite")
        return
    async with the_server().database() as url:
        await prepare(url)
        await asyncio.to_thread(work, url)


@ON_BOTH
def test_counts_are_right_after_each_kill_of_an_import(kind: str, tmp_path: Path, is_long: bool) -> None:
    size, kills = (LONG_SIZE, LONG_KILLS) if is_long else (SIZE, KILLS)
    file, chance = tmp_path / "instances.csv", Random(1)
    write_file(file, size)

    def kill_often(where: Path | URL) -> None:
        hits = 0
        for _ in range(kills):
            found = import_and_kill(where, file, tmp_path, chance)
            hits += 0 < found < size
            if found == size:
                break
        assert hits > 0
        with started("import", where, "", str(file), folder=tmp_path) as program:
            until(lambda: not program.is_running, "the import ends")
            assert program.process.returncode == 0, program.log
        assert asyncio.run(ask(where, "SELECT count(*) FROM instance")) == size
        assert asyncio.run(ask(where, WRONG_COUNTS)) == 0

    asyncio.run(on_a_database(kind, tmp_path, kill_often))
