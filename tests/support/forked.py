"""Starts the command line as a program of its own, without the second that its imports take.

One program imports the command line, and waits. Each program that a test starts is a fork of it: a process
like any other, which can be killed and suspended, and whose parent is the test's process. Only how it came to
its imports differs; `tests/packaging` and the tests that name a command start the real one.
"""

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import IO, Any, Protocol

from tests.support.at_the_end import AT_THE_END
from tests.support.project import ROOT

CAN_FORK = sys.platform == "linux"
"""Elsewhere no process can become the parent of what its child has forked."""
PR_SET_CHILD_SUBREAPER = 36
"""From <linux/prctl.h>: orphans among the descendants of the calling process become its children."""
ONE_AT_A_TIME = Lock()
MAX_REQUEST = 128 * 1024
"""Bytes."""


class Process(Protocol):
    """What tests use of a `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> Any: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


class ForkedProcess:
    """A child of this process that `subprocess` did not start."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._look(os.WNOHANG)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit code, negative after a signal. Raises TimeoutExpired."""
        if timeout is not None and self.returncode is None:
            descriptor = os.pidfd_open(self.pid)
            try:
                ended = select.poll()
                ended.register(descriptor, select.POLLIN)
                has_ended = ended.poll(timeout * 1000)
            finally:
                os.close(descriptor)
            if not has_ended:
                raise subprocess.TimeoutExpired(f"program {self.pid}", timeout)
        code = self._look(0)
        assert code is not None
        return code

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def program(
    module: str,
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    out: IO[Any],
    err: IO[Any],
) -> Process:
    """Run this module, whose `start` runs the command line, in a process of its own.

    `environment` has what differs from that of the tests.
    """
    changed = {**os.environ, **environment}
    if not (CAN_FORK and all(name.startswith("UPLIFT_") for name in environment)):
        # The interpreter and the C library read variables of their own before a program begins.
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, cwd=folder, env=changed, stdout=out, stderr=err)
    request = {"module": module, "arguments": arguments, "folder": str(folder), "environment": changed}
    with ONE_AT_A_TIME:
        connection = _the_first()
        socket.send_fds(connection, [json.dumps(request).encode()], [out.fileno(), err.fileno()])
        pid = int(connection.recv(MAX_REQUEST))
        assert connection.recv(MAX_REQUEST) == b"adopted"
    return ForkedProcess(pid)


@cache
def _the_first() -> socket.socket:
    """The connection to the program that is forked. It ends when the connection does."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        first = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    AT_THE_END.callback(first.wait)
    AT_THE_END.callback(ours.close)
    return ours


def _fork_on_request(connection: socket.socket) -> str | None:
    """Fork for each request. Returns its module in the fork, and None in the first program at its end."""
    while True:
        message, files, _, _ = socket.recv_fds(connection, MAX_REQUEST, 2)
        if not message:
            return None
        between = os.fork()
        if between == 0:
            pid = os.fork()
            if pid == 0:
                connection.close()
                return _become(json.loads(message), files)
            connection.send(str(pid).encode())
            os._exit(0)
        for descriptor in files:
            os.close(descriptor)
        # When the process between has ended, the test's process is the parent of the fork.
        os.waitpid(between, 0)
        connection.send(b"adopted")


def _become(request: dict[str, Any], files: list[int]) -> str:
    for target, descriptor in enumerate(files, start=1):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv = ["uplift", *request["arguments"]]
    module: str = request["module"]
    return module


if __name__ == "__main__":
    from uplift.gateway.__main__ import load

    load()

    to_run = _fork_on_request(socket.socket(fileno=int(sys.argv[1])))
    if to_run is not None:
        import_module(to_run).start()
