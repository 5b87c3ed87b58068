"""Runs a private PgBouncer in front of the PostgreSQL server of a test run."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
from sqlalchemy.engine import URL

from tests.support.postgres import UNPRIVILEGED, the_server

SEARCHED = "/usr/sbin:/usr/bin"
"""Where Debian keeps the program, beside the PATH."""
CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server} user=uplift
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
{more}
"""
START_SECONDS = 30


@contextmanager
def pooled(database: URL, mode: str, *, size: int = 3, more: str = "") -> Iterator[URL]:
    """The URL of a database behind a pooler with few connections. Skips the test if there is no PgBouncer."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:{SEARCHED}")
    if program is None:
        pytest.skip("there is no PgBouncer: apt-get install pgbouncer")
    with tempfile.TemporaryDirectory(prefix="uplift-pgbouncer-", ignore_cleanup_errors=True) as folder:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(
            CONFIGURATION.format(server=the_server().port, port=port, mode=mode, size=size, more=more)
        )
        user = UNPRIVILEGED if os.geteuid() == 0 else None  # it refuses to be run by root
        if user is not None:
            shutil.chown(folder, user)
            shutil.chown(file, user)
        process = subprocess.Popen(
            [program, "-q", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
        try:
            _wait_until_it_listens(process, port)
            yield database.set(port=port)
        finally:
            process.kill()
            process.wait()


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, "PgBouncer has ended at its start"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert monotonic() < deadline, "PgBouncer does not listen"
            sleep(0.02)
        else:
            return
