"""Runs a private PostgreSQL server for a test run, with a fresh database for each test that needs it."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import URL

from tests.support.at_the_end import AT_THE_END
from uplift.storage.sql.tables import metadata
from uplift.storage.store import SqlStore

NAMED = os.environ.get("UPLIFT_POSTGRES")
"""The folder of PostgreSQL binaries from the environment, to test another version."""
SEARCHED = Path("/usr/lib/postgresql")
"""Where Debian keeps the binaries, a folder for each version."""
UNPRIVILEGED = "postgres"
"""Who runs the server when root runs the tests: PostgreSQL refuses to be run by root."""
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "listen_addresses": "127.0.0.1",
    "autovacuum": "off",
}
CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
EMPTY = f"""
DO $$ BEGIN
IF pg_relation_size('instance') + pg_relation_size('outcome') > 1000000
THEN TRUNCATE {", ".join(metadata.tables)};
ELSE {"; ".join(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables))};
END IF;
PERFORM setval(seqrelid, 1, false) FROM pg_sequence;
END $$
"""
"""Empties all tables. Deleting takes a tenth of the time of truncating, as long as there is little."""
NUMBERS = count(1)


@cache
def binaries() -> Path | None:
    """The folder of the server's binaries: the chosen one, or the newest; None when there is none."""
    if NAMED is not None:
        folder = Path(NAMED).resolve()
        assert (folder / "initdb").exists(), f"Expected initdb in UPLIFT_POSTGRES, but it is not in {folder}."
        return folder
    found = [path.parent for path in SEARCHED.glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    return max(found, key=lambda path: (path.parent.name.zfill(4), str(path)), default=None)


def tool(name: str) -> Path:
    """A program that talks to servers, like pg_dump: the server's own, or the newest there is.

    Folders of a server alone lack it, and a newer one understands older servers.
    """
    folder = binaries()
    assert folder is not None, "there is no server to talk to"
    places = [folder / name, *sorted(SEARCHED.glob(f"*/bin/{name}"), reverse=True)]
    on_path = shutil.which(name)
    if on_path is not None:
        places.append(Path(on_path))
    found = next((place for place in places if place.exists()), None)
    assert found is not None, f"Expected {name} in {folder}, in {SEARCHED} or on the PATH."
    return found


@dataclass(frozen=True)
class Server:
    """A running server that anyone on this machine may log in to."""

    folder: Path
    port: int
    spare: list[str] = field(default_factory=list)

    def url(self, database: str = "postgres") -> URL:
        """Where a database of this server is."""
        return URL.create("postgresql", "uplift", host="127.0.0.1", port=self.port, database=database)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        options = f"-p {self.port} -k {self.folder} {settings}"
        _run("pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-w", "-o", options, "start")

    def stop(self, *, mode: str = "fast") -> None:
        """Stop it; `immediate` is as good as a crash."""
        _run("pg_ctl", "-D", f"{self.folder}/data", "-m", mode, "-w", "stop")

    def promote(self) -> None:
        """Make a standby take writes, and wait until it does."""
        _run("pg_ctl", "-D", f"{self.folder}/data", "-w", "promote")

    @asynccontextmanager
    async def database(self) -> AsyncIterator[URL]:
        """A database with empty tables, for the block only. Emptied databases are reused, to save time."""
        name = self.spare.pop() if self.spare else await self._new_database()
        yield self.url(name)
        await self.execute(f"{CUT_OFF};{EMPTY}", database=name)
        self.spare.append(name)

    @asynccontextmanager
    async def empty_database(self) -> AsyncIterator[URL]:
        """A database without any tables, for the block only."""
        name = f"uplift_{next(NUMBERS)}"
        await self.execute(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def execute(self, sql: str, *, database: str = "postgres") -> None:
        """Have an administrator of the server execute some statements."""
        connection = await asyncpg.connect(self.url(database).render_as_string(), ssl=False)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def _new_database(self) -> str:
        name = f"uplift_{next(NUMBERS)}"
        await self.execute(f"CREATE DATABASE {name}")
        store = await SqlStore.open(self.url(name))
        await store.close()
        return name


@cache
def the_server() -> Server:
    """The server of this test run, started on first use. Skips the test if there is no PostgreSQL."""
    if binaries() is None:
        pytest.skip(f"there is no PostgreSQL server in {SEARCHED} or on the PATH: apt-get install postgresql")
    return AT_THE_END.enter_context(a_server())


def a_server() -> AbstractContextManager[Server]:
    """A new server in a temporary folder, stopped when the block ends."""
    new = ("-U", "uplift", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    return _a_server_made_by("initdb", *new)


def a_standby(primary: Server) -> AbstractContextManager[Server]:
    """A server that follows another one, and takes no writes, until it is promoted."""
    source = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "uplift")
    # -R writes the configuration of a standby, and a fast checkpoint saves minutes.
    return _a_server_made_by("pg_basebackup", *source, "-R", "--checkpoint=fast", "--no-sync")


@contextmanager
def _a_server_made_by(program: str, *options: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="uplift-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, UNPRIVILEGED)
        _run(program, "-D", f"{folder}/data", *options)
        server = Server(folder=folder, port=_free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop(mode="immediate")


def _run(program: str, *options: str) -> None:
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    done = subprocess.run(
        [str(tool(program)), *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    assert done.returncode == 0, f"{program} said: {done.stderr}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
