"""Starts the servers of benchmarks, each on a free port."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 300.0
"""Seconds for the start of a server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A server that listens."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """The CPU time of its process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def started(module: str, *arguments: str) -> Iterator[Started]:
    """Run a module of Python, whose arguments have `{port}` for its port, until the block ends."""
    port = free_port()
    chosen = [argument.format(port=port) for argument in arguments]
    with _running([sys.executable, "-m", module, *chosen], port) as server:
        yield server


@contextmanager
def uplift_on(file: Path, *options: str) -> Iterator[Started]:
    """An `uplift serve` on an SQLite file, with more options, until the block ends."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("uplift")), "serve", "--port", str(port)]
    command += ["--log-level", "error", "--no-access-log", "--database-url", f"sqlite:///{file}", *options]
    with _running(command, port) as server:
        yield server


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[Started]:
    process = subprocess.Popen(command)
    try:
        _wait_until_it_listens(process, port)
        yield Started(port=port, pid=process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + TIMEOUT
    while process.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"Expected a server on port {port}, but it did not start: {process.args!r}")
