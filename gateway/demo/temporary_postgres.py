"""Runs a PostgreSQL server in a temporary folder, and removes both at the end.

A program of its own keeps the server. It stops when the pipe to it closes, so nothing is left over, however
the demo ends: also when it is killed. The server listens on no port, and the folder of its socket is private,
so nobody else can connect.
"""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.engine import URL

SEARCHED = Path("/usr/lib/postgresql")
"""Where Debian keeps the binaries, a folder for each version."""
UNPRIVILEGED = ("postgres", "nobody")
"""Who runs the server for root, the first of them that exists: PostgreSQL refuses to be run by root."""
USER = "uplift"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.05
INITDB = ("--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
SETTINGS = {
    "listen_addresses": "",  # its socket is the only way to it
    "fsync": "off",  # what is removed at the end need not survive a power cut
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


class PostgresError(Exception):
    """The server cannot be run. The message is for the user."""


def find_binaries() -> Path:
    """The folder of PostgreSQL's programs, the newest if there are several. Raises PostgresError."""
    found = [path.parent for path in SEARCHED.glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    if not found:
        raise PostgresError(
            f"Expected a PostgreSQL server to be installed, but there is no initdb in {SEARCHED} or on the "
            "PATH. Install one (on Debian: apt install postgresql), or run the demo without --postgres."
        )
    return max(found, key=lambda path: (path.parent.name.zfill(4), str(path)))


@contextmanager
def temporary_postgres() -> Iterator[URL]:
    """A database on a server of its own, for the block only. Raises PostgresError."""
    binaries = find_binaries()
    with subprocess.Popen(  # noqa: S603  (this program, and a folder that was found)
        [sys.executable, "-m", "uplift.gateway.demo.temporary_postgres", str(binaries)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl+C reaches the demo, which stops before its database
    ) as keeper:
        assert keeper.stdout is not None
        answer = json.loads(keeper.stdout.readline() or '{"error": "the program that runs it has ended"}')
        if "error" in answer:
            raise PostgresError(f"Expected to run a temporary PostgreSQL, but: {answer['error']}.")
        yield URL.create("postgresql", USER, database="postgres", query={"host": answer["folder"]})


def keep(binaries: Path) -> None:
    """Run a server until standard input ends. Writes where its socket is, or an error, as a line of JSON."""
    with TemporaryDirectory(prefix="uplift-demo-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            user = _server_user()
            if user is not None:
                shutil.chown(folder, user)
            server = _start(binaries, folder, user)
        except (PostgresError, OSError) as error:
            _answer(error=str(error))
            return
        try:
            _wait_until_ready(server, folder)
        except PostgresError as error:
            _answer(error=str(error))
        else:
            _answer(folder=name)
            sys.stdin.read()
        finally:
            _stop(server)


def _answer(**fields: str) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def _server_user() -> str | None:
    """Who runs the server: the user of this program, which is None here, unless it is root."""
    if os.geteuid() != 0:
        return None
    users = {entry.pw_name for entry in pwd.getpwall()}
    for name in UNPRIVILEGED:
        if name in users:
            return name
    raise PostgresError(f"root may not run it, and there is no user {' or '.join(UNPRIVILEGED)}")


def _start(binaries: Path, folder: Path, user: str | None) -> subprocess.Popen[bytes]:
    groups: list[str] | None = None if user is None else []
    data, log = folder / "data", folder / "log"
    made = subprocess.run(  # noqa: S603  (a program that was found)
        [binaries / "initdb", "--pgdata", data, *INITDB],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd="/",
        user=user,
        group=_group_of(user),
        extra_groups=groups,
        check=False,
    )
    if made.returncode != 0:
        raise PostgresError(f"initdb says: {made.stderr.decode(errors='replace').strip()}")
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603  (a program that was found)
            [binaries / "postgres", "-D", data, "-k", folder, *settings],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            user=user,
            group=_group_of(user),
            extra_groups=groups,
        )


def _group_of(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid


def _wait_until_ready(server: subprocess.Popen[bytes], folder: Path) -> None:
    # The last line of this file is the state of the server, as pg_ctl reads it.
    state = folder / "data" / "postmaster.pid"
    deadline = time.monotonic() + START_SECONDS
    while not (state.exists() and state.read_text().rstrip().endswith("ready")):
        if server.poll() is not None or time.monotonic() > deadline:
            log = (folder / "log").read_text(errors="replace").strip()
            raise PostgresError(f"the server does not start: {log}")
        time.sleep(POLL_SECONDS)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Stop the server in its fast mode, which ends the sessions of clients."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
