"""An export of a large audit is cut off half way: no part of a file is ever taken for the whole."""

import logging
import re
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Template
from tests.faults.population import ACTIVE, progress_of
from tests.faults.postgres_world import World, a_database
from tests.faults.programs import TIMEOUT, Program, served, started, until
from tests.support.long_mode import long_only
from tests.support.postgres import Server

pytestmark = [pytest.mark.faults, long_only]
# The short form is tests/gateway/files/test_replaced_file.py.

logger = logging.getLogger(__name__)

UPGRADES = 5
OUTCOMES = UPGRADES * ACTIVE
MAX_GROWTH = 48.0
"""MiB that an export may take more in its second half than in its first."""
OLD = "the audit of last month\n"


@pytest.fixture(scope="module")
def audited(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file with a million outcomes: those of an upgrade, and copies of it."""
    file = tmp_path_factory.mktemp("audited") / "uplift.sqlite"
    file.write_bytes(template.file.read_bytes())
    with served(file, template.key) as server:
        upgrade = server.upgrade_all_by_rest("one")
        until(lambda: progress_of(file, upgrade).is_completed, "the upgrade ends")
        assert server.stop() == 0
    with closing(sqlite3.connect(file)) as connection:
        for number in range(2, UPGRADES + 1):
            for table, key in (("upgrade", "id"), ("decision", "upgrade_id"), ("outcome", "upgrade_id")):
                names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                new = {key: str(number), "uuid": "randomblob(16)"}
                values = ", ".join(new.get(name, name) for name in names)
                connection.execute(f"INSERT INTO {table} SELECT {values} FROM {table} WHERE {key} = 1")
        connection.commit()
    yield file
    file.unlink()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """The file of an earlier export."""
    output = tmp_path / "audit.jsonl"
    output.write_text(OLD)
    return output


def export(place: Any, output: Path) -> Any:
    return started("export-audit", place, "", "--output", str(output), folder=output.parent)


def parts(output: Path) -> list[Path]:
    return sorted(output.parent.glob(f"{output.name}.*.part"))


def until_half(program: Program, output: Path, bytes_: int = 100_000_000) -> None:
    """Wait until this much is written."""
    until(
        lambda: not program.is_running or any(part.stat().st_size > bytes_ for part in parts(output)),
        "the export is under way",
    )
    assert program.is_running, program.log


def peak_memory(program: Program) -> float:
    """The largest memory of a program so far, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{program.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1_024


def test_a_whole_export_replaces_the_file_and_its_memory_is_flat(audited: Path, output: Path) -> None:
    with export(audited, output) as program:
        until_half(program, output, 20_000_000)
        early = peak_memory(program)
        until_half(program, output, 250_000_000)
        late = peak_memory(program)
        assert output.read_text() == OLD
        assert program.process.wait(TIMEOUT * 5) == 0, program.log
        assert f"Wrote {OUTCOMES:,} records to {output}." in program.log
    logger.info("%.0f MiB after 20 MB, %.0f MiB after 250 MB", early, late)
    assert late - early < MAX_GROWTH
    with output.open("rb") as lines:
        assert sum(1 for _ in lines) == OUTCOMES
    assert parts(output) == []


def test_a_killed_export_leaves_the_file_as_it_was(audited: Path, output: Path) -> None:
    with export(audited, output) as program:
        until_half(program, output)
        program.kill()
    assert output.read_text() == OLD
    assert len(parts(output)) == 1, "what was written has another name"


def test_an_interrupted_export_leaves_the_file_as_it_was(audited: Path, output: Path) -> None:
    with export(audited, output) as program:
        until_half(program, output)
        program.process.send_signal(2)
        assert program.process.wait(TIMEOUT) == 130, program.log
    assert output.read_text() == OLD
    assert parts(output) == []


def test_an_export_without_space_says_so_and_leaves_the_file_as_it_was(audited: Path, output: Path) -> None:
    with export(audited, output) as program:
        until_half(program, output)
        resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        assert program.process.wait(TIMEOUT) == 1
        assert f"Expected to use {output}, but: File too large." in program.log
    assert output.read_text() == OLD
    assert parts(output) == []


def test_an_export_whose_reader_goes_away_ends_at_once(audited: Path, tmp_path: Path) -> None:
    uplift = [str(Path(sys.executable).with_name("uplift")), "export-audit"]
    with subprocess.Popen(
        [*uplift, "--database-url", f"sqlite:///{audited}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline().startswith(b'{"upgrade":')
        program.stdout.close()
        assert program.wait(TIMEOUT) == 0
        assert program.stderr.read() == b""


def test_an_export_whose_database_ends_says_so_and_leaves_the_file_as_it_was(
    server: Server, key: str, output: Path
) -> None:
    url = a_database(server)
    with served(url, key, folder=output.parent) as gateway:
        world = World(server, url, (gateway,))
        world.must_come_to_the_truth(world.upgrade_all())
    with export(url, output) as program:
        until_half(program, output, 2_000_000)
        server.stop(mode="immediate")
        try:
            assert program.process.wait(TIMEOUT) == 1, program.log
        finally:
            server.start()
        assert "Traceback" not in program.log
        assert "Expected the store to answer, but the database says" in program.log
    assert output.read_text() == OLD
    assert parts(output) == []
