"""Opens the sockets on which a server listens."""

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from uplift.domain.errors import InvalidInput

ALL_IPV6, ALL_IPV4 = "::", "0.0.0.0"  # noqa: S104  an operator asks for it
UNIX = "unix:"
"""How the host of a Unix socket begins; its path follows."""
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""The machine has no such address, or none of its family: in many containers, those of IPv6."""

_ATTEMPTS = 10
"""Free ports that are tried until one is free at all addresses."""


@contextmanager
def listening(host: str, port: int, *, setting_prefix: str = "") -> Iterator[Sequence[socket.socket]]:
    """Sockets that listen at each address of this host, at one port; port 0 picks a free one.

    `::` and an empty host mean all addresses of both families; `unix:` and a path mean a Unix socket, without
    a port. Of several addresses, those that this machine does not have are left out. Raises InvalidInput when
    it can listen at none, or when a port is in use. It names the settings `host` and `port` with this prefix.
    """
    with ExitStack() as stack:
        try:
            listeners = stack.enter_context(
                _unix_listener(Path(host.removeprefix(UNIX)))
                if host.startswith(UNIX)
                else _listeners(_addresses(host, port), port)
            )
        except (OSError, ValueError) as error:  # ValueError for a text that cannot be a host name
            why = (getattr(error, "strerror", None) or str(error)).partition(" (while")[0]
            raise InvalidInput(
                f"Expected to listen at {_authority(host, port)}, but: {why}.",
                field=(f"{setting_prefix}host", f"{setting_prefix}port"),
            ) from error
        yield listeners


def url_of(listener: socket.socket) -> str:
    """The base URL of a server that listens on this socket; `unix:` and the path of a Unix socket."""
    if listener.family == socket.AF_UNIX:
        return f"{UNIX}{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://{_authority(host, port)}"


@contextmanager
def _unix_listener(path: Path) -> Iterator[Sequence[socket.socket]]:
    _remove_abandoned(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        try:
            path.chmod(0o666)  # the folder decides who may connect
            listener.listen()
            yield (listener,)
        finally:
            path.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Remove the socket of a program that was killed. Raises OSError if a program listens on it."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, "Address already in use")


def _addresses(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, each once, in the order of the resolver."""
    if host in ("", ALL_IPV6):
        return (ALL_IPV6, ALL_IPV4)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


@contextmanager
def _listeners(addresses: Sequence[str], port: int) -> Iterator[Sequence[socket.socket]]:
    for attempt in range(1, _ATTEMPTS + 1):
        with ExitStack() as stack:
            try:
                listeners = _listen(addresses, port, stack)
            except OSError as error:
                # The first address picked a port that another program uses at the second one.
                if port == 0 and error.errno == errno.EADDRINUSE and attempt < _ATTEMPTS:
                    continue
                raise
            yield listeners
            return


def _listen(addresses: Sequence[str], port: int, stack: ExitStack) -> Sequence[socket.socket]:
    listeners: list[socket.socket] = []
    missing = OSError(errno.EADDRNOTAVAIL, "The host has no address")
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            # Each socket serves one family. One socket for both would show IPv4 clients as ::ffff:192.0.2.1.
            listener = stack.enter_context(socket.create_server((address, port), family=family))
            # Accepted connections inherit it. uvloop sets it; asyncio does not for sockets made like
            # this one, and the second write of a response would wait some 40 ms until the client
            # acknowledged the first.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            missing = error
        else:
            port = listener.getsockname()[1]
            listeners.append(listener)
    if not listeners:
        raise missing
    return listeners


def _authority(host: str, port: int) -> str:
    if host.startswith(UNIX):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
