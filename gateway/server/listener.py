"""Opens the socket on which a server listens."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from uplift.domain.errors import InvalidInput


@contextmanager
def listening(host: str, port: int, *, setting_prefix: str = "") -> Iterator[socket.socket]:
    """A socket that listens at this host and port; port 0 picks a free port.

    Raises InvalidInput when that is impossible. It names the settings `host` and `port` with this prefix.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server((str(address[0]), port), family=family)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while")[0]
        raise InvalidInput(
            f"Expected to listen at {_authority(host, port)}, but: {why}.",
            field=(f"{setting_prefix}host", f"{setting_prefix}port"),
        ) from error
    with listener:
        yield listener


def url_of(listener: socket.socket) -> str:
    """The base URL of a server that listens on this socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{_authority(host, port)}"


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
