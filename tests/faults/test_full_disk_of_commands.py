"""Commands that change a file run out of disk space: they say so, and a second run completes."""

import asyncio
import json
import resource
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from tests.faults.conftest import Template
from tests.faults.population import must_be_all_done, must_tell_the_truth, progress_of, upgrades_in
from tests.faults.programs import TIMEOUT, Program, started, until
from tests.faults.test_full_disk import LITTLE
from tests.support.long_mode import IS_LONG, long_only
from uplift.storage.store import SqlStore

pytestmark = pytest.mark.faults

IMPORTED = 200_000 if IS_LONG else 5_000


def limit(program: Program, size: int = LITTLE) -> None:
    """Make writes beyond this size fail, as on a full disk."""
    resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def must_say_so(program: Program) -> None:
    assert program.process.wait(TIMEOUT) == 1, program.log
    assert "Traceback" not in program.log
    assert "Expected the store to answer, but the database says" in program.log
    assert "Nothing was written; try again later." in " ".join(program.log.split())


def an_import(folder: Path) -> Path:
    records: list[dict[str, object]] = [
        {"type": "process", "namespace": "crm", "code": "orders"},
        {"type": "version", "namespace": "crm", "code": "orders", "number": 1},
    ]
    records += [
        {
            "type": "instance",
            "namespace": "crm",
            "code": "orders",
            "id": str(UUID(int=number)),
            "version": 1,
            "status": "PENDING",
            "position": [f"task-{number % 7}"],
        }
        for number in range(1, IMPORTED + 1)
    ]
    file = folder / "instances.jsonl"
    file.write_text("\n".join(map(json.dumps, records)))
    return file


async def make_database(file: Path) -> None:
    store = await SqlStore.open(file)
    await store.close()


def count_of(file: Path) -> tuple[int, int]:
    """The number of instances, and the sum of the kept counts."""
    with closing(sqlite3.connect(file)) as connection:
        query = (
            "SELECT (SELECT count(*) FROM instance), (SELECT coalesce(sum(instances), 0) FROM cohort_part)"
        )
        instances, counted = connection.execute(query).fetchone()
    return instances, counted


def test_an_import_without_space_says_so_and_a_second_one_completes(tmp_path: Path) -> None:
    records, file = an_import(tmp_path), tmp_path / "imported.sqlite"
    asyncio.run(make_database(file))
    with started("import", file, "", str(records)) as program:
        # In the long mode the first batches fit, and a later one does not.
        limit(program, 8_000_000 if IS_LONG else LITTLE)
        must_say_so(program)
    instances, counted = count_of(file)
    assert instances == counted < IMPORTED
    assert not IS_LONG or instances > 0
    with started("import", file, "", str(records)) as program:
        assert program.process.wait(TIMEOUT) == 0, program.log
    assert count_of(file) == (IMPORTED, IMPORTED)


@long_only
def test_an_upgrade_by_the_command_line_without_space_goes_on_in_a_second_run(
    template: Template, file: Path
) -> None:
    request = ("faults/order", "--all-active", "--idempotency-key", "once")
    with started("upgrade", file, template.key, *request) as program:
        until(lambda: upgrades_in(file) != [], "the upgrade is stored")
        [upgrade] = upgrades_in(file)
        until(lambda: progress_of(file, upgrade).total > 20_000, "the upgrade is under way")
        limit(program)
        must_say_so(program)
    assert not must_tell_the_truth(file, upgrade, template.file).is_completed
    with started("upgrade", file, template.key, *request) as program:
        assert program.process.wait(TIMEOUT) == 0, program.log
    must_be_all_done(file, upgrade, template.file)
    assert upgrades_in(file) == [upgrade]
