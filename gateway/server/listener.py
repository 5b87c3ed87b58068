"""Where does a program listen?"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from uplift.domain.errors import InvalidInput


@contextmanager
def listening(host: str, port: int, *, of: str = "") -> Iterator[socket.socket]:
    """A socket at this host and port, settings whose names begin with `of`; port 0 means a free one.

    Raises InvalidInput when there cannot be one.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server((str(address[0]), port), family=family)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while")[0]
        raise InvalidInput(
            f"Expected to listen at {_authority(host, port)}, but: {why}.", field=(f"{of}host", f"{of}port")
        ) from error
    with listener:
        yield listener


def url_of(listener: socket.socket) -> str:
    """The address of what listens there."""
    host, port = listener.getsockname()[:2]
    return f"http://{_authority(host, port)}"


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
