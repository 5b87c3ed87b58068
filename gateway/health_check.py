"""Asks a server or a worker on this machine whether it is ready; for the health check of a container.

    python -m uplift.gateway.health_check            # the server, at UPLIFT_HOST
    python -m uplift.gateway.health_check --metrics  # a worker, at UPLIFT_METRICS_HOST

Exits with 0 if it is ready. It reads the environment only, and imports little: it starts every few seconds.
"""

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException

TIMEOUT = 5
"""Seconds."""
UNIX = "unix:"
DEFAULT_PORT = "8000"
BOTH = ("127.0.0.1", "::1")
ADDRESSES = {"": BOTH, "::": BOTH, "0.0.0.0": BOTH[:1]}  # noqa: S104  what a server may listen on
"""The addresses of this machine to call, for each host that means all addresses."""


def places(environment: Mapping[str, str], *, metrics: bool) -> list[tuple[str, int]]:
    """The hosts and port where the program listens, by the defaults of the settings."""
    prefix = "UPLIFT_METRICS_" if metrics else "UPLIFT_"
    host = environment.get(f"{prefix}HOST", "127.0.0.1")
    port = int(environment.get(f"{prefix}PORT", DEFAULT_PORT))
    return [(address, port) for address in addresses_of(host)]


def addresses_of(host: str) -> tuple[str, ...]:
    """Where to call a program that listens on this host."""
    return ADDRESSES.get(host, (host,))


def is_ready(host: str, port: int) -> bool:
    """Whether the program there says that it is ready. Raises OSError if none answers."""
    is_unix = host.startswith(UNIX)
    connection = HTTPConnection("localhost" if is_unix else host, port, timeout=TIMEOUT)
    try:
        if is_unix:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(TIMEOUT)
            connection.sock.connect(host.removeprefix(UNIX))
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except HTTPException:
        return False
    finally:
        connection.close()


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    for host, port in places(os.environ, metrics="--metrics" in arguments):
        try:
            return 0 if is_ready(host, port) else 1
        except OSError as error:
            sys.stderr.write(
                f"Expected an answer of {host} at port {port}, but: {error.strerror or error}.\n"
            )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
