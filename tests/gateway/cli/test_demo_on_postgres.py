"""`uplift demo --postgres` runs on a PostgreSQL of its own, of which nothing is left at the end."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.gateway.gateway_world import error_of, output_of, started, until
from tests.support.postgres import binaries
from uplift.gateway.demo import temporary_postgres
from uplift.gateway.demo.temporary_postgres import PostgresError, find_binaries

needs_postgres = pytest.mark.skipif(binaries() is None, reason="there is no PostgreSQL server")
DEMO = ("demo", "--postgres", "--port", "0", "--instances", "50", "--log-level", "warning")
DATABASE = r"Database +(postgresql://uplift@/postgres\?host=/\S+)"


def folder_of(database: str) -> Path:
    return Path(database.partition("host=")[2])


@needs_postgres
def test_serves_until_ctrl_c_and_leaves_nothing(folder: Path) -> None:
    with started(*DEMO, folder=folder) as demo:
        url, database = demo.url(), demo.wait_for(DATABASE)
        assert httpx2.get(f"{url}/readyz").status_code == 200
        assert "newest revision" in output_of("db", "check", "--database-url", database)
        assert folder_of(database).stat().st_mode & 0o777 == 0o700
        server = server_in(folder_of(database))
        assert demo.stop(signal.SIGINT) == 0
        assert demo.errors == ""
    assert not folder_of(database).exists()
    assert not is_running(server)


def server_in(folder: Path) -> int:
    """The id of the process of the server."""
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def is_running(process: int) -> bool:
    return subprocess.run(["ps", "-p", str(process)], capture_output=True, check=False).returncode == 0


KILLED = """
import os, signal
from uplift.gateway.demo.temporary_postgres import temporary_postgres
with temporary_postgres() as url:
    print(url.query["host"], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@needs_postgres
def test_nothing_is_left_of_a_killed_demo() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    until(lambda: not Path(done.stdout.strip()).exists())


def test_without_postgresql_the_error_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporary_postgres, "SEARCHED", folder)
    message = error_of(*DEMO, PATH=str(folder))
    assert f"there is no initdb in {folder} or on the PATH" in " ".join(message.split())
    assert "apt install postgresql" in message


def test_the_newest_postgresql_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9", "15", "17"):
        (folder / version / "bin").mkdir(parents=True)
        (folder / version / "bin" / "initdb").touch()
    monkeypatch.setattr(temporary_postgres, "SEARCHED", folder)
    monkeypatch.setenv("PATH", "")
    assert find_binaries() == folder / "17" / "bin"


@pytest.fixture
def programs() -> Iterator[Path]:
    """A folder in which the user of the server may run programs, unlike in the folders of tests."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_an_error_of_initdb_is_shown(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (programs / "initdb").write_text("#!/bin/sh\necho the disk is full >&2\nexit 1\n")
    (programs / "initdb").chmod(0o755)
    monkeypatch.setattr(temporary_postgres, "find_binaries", lambda: programs)
    with (
        pytest.raises(PostgresError, match="initdb says: the disk is full"),
        temporary_postgres.temporary_postgres(),
    ):
        pass
