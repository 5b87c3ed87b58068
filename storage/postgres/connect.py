"""Connects to the hosts of a PostgreSQL URL in turn, with the timeout and socket options that it has."""

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL

from uplift.domain.errors import InvalidInput
from uplift.storage.postgres.errors import NO_MATCHING_HOST
from uplift.storage.postgres.parameters import DEFAULT_PORT, PASSED_ON, SYSTEM_ROOTS, require_honoured
from uplift.storage.sql.sqlstate import sqlstate

if TYPE_CHECKING:
    from asyncpg import Connection

CONNECT_SECONDS = 5
"""Seconds to wait for each host, unless the URL has a connect_timeout."""
CERTIFICATE_FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl")
SET_BY_OPTIONS = re.compile(r"(?:-c\s*|--)([A-Za-z_.-]+)=")
"""A setting of the server in the parameter options."""
NEXT_HOST_STATES = ("57P03", "53300")
"""SQLSTATEs of a server that starts or is full: another host may take the connection. Wrong logins end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """What a URL says about connections. `hosts` has a DSN for each host, in the order of attempts."""

    hosts: tuple[str, ...]
    roles: tuple[str | None, ...]
    timeout: float | None
    application_name: str
    options: str | None
    ssl_context: ssl.SSLContext | None
    socket_options: tuple[tuple[int, int, int], ...]

    @property
    def set_by_options(self) -> frozenset[str]:
        """The names of the server's settings that the URL sets itself."""
        names = SET_BY_OPTIONS.findall(self.options or "")
        return frozenset(name.lower().replace("-", "_") for name in names)


def connect_options(url: URL) -> ConnectOptions:
    """The options of a URL as `read_postgres_url` returns it. Raises InvalidInput."""
    parameters = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    require_honoured(parameters)
    _require_files(parameters)
    role = parameters.get("target_session_attrs")
    # The driver itself would try all hosts within one timeout, so a first host that is off would be the last.
    roles = ("standby", "any") if role == "prefer-standby" else (role,)
    seconds = int(parameters.get("connect_timeout", CONNECT_SECONDS))
    names = (parameters.get(f"{prefix}application_name") for prefix in ("", "fallback_"))
    return ConnectOptions(
        hosts=tuple(_dsns(url, parameters)),
        roles=roles,
        timeout=seconds if seconds > 0 else None,
        application_name=next(filter(None, names), "uplift"),
        options=parameters.get("options"),
        ssl_context=_system_roots() if parameters.get("sslrootcert") == SYSTEM_ROOTS else None,
        socket_options=tuple(_socket_options(parameters)),
    )


async def connect(options: ConnectOptions, **driver_options: Any) -> "Connection":
    """A connection of the driver to the first host that answers and has the role. Raises the last error."""
    from asyncpg import connect as connect_to

    if options.ssl_context is not None:
        driver_options["ssl"] = options.ssl_context
    last_error: Exception | None = None
    for role in options.roles:
        for dsn in options.hosts:
            try:
                connection = await connect_to(
                    dsn, timeout=options.timeout, target_session_attrs=role, **driver_options
                )
            except Exception as error:
                if not _may_another_host_help(error):
                    raise
                last_error = error
            else:
                _set_socket_options(connection, options.socket_options)
                return connection
    assert last_error is not None, "a URL has at least one host"
    raise last_error


def _may_another_host_help(error: Exception) -> bool:
    has_other_role = type(error).__name__ == NO_MATCHING_HOST
    return isinstance(error, OSError) or has_other_role or sqlstate(error) in NEXT_HOST_STATES


def _dsns(url: URL, parameters: Mapping[str, str]) -> Iterator[str]:
    """A DSN for each host, with what the driver reads itself."""
    passed_on = {
        name: value
        for name, value in parameters.items()
        if name in PASSED_ON and (name, value) != ("sslrootcert", SYSTEM_ROOTS)
    }
    base = url.set(drivername="postgresql", query=passed_on)
    hosts, ports = parameters.get("host", ""), parameters.get("port", "")
    if not hosts:
        # Without a host the driver tries PGHOST, and then the usual folders of sockets.
        query = {**passed_on, **({"port": ports} if ports else {})}
        yield base.set(query=query).render_as_string(hide_password=False)
        return
    names = hosts.split(",")
    numbers = [int(port) for port in ports.split(",")] if ports else [DEFAULT_PORT]
    for name, number in zip(names, numbers * len(names) if len(numbers) == 1 else numbers, strict=True):
        if name.startswith("/"):
            place = base.set(host="", query={**passed_on, "host": name, "port": str(number)})
        else:
            place = base.set(host=name, port=number)
        yield place.render_as_string(hide_password=False)


def _require_files(parameters: Mapping[str, str]) -> None:
    for name in CERTIFICATE_FILES:
        file = parameters.get(name)
        if file is not None and (name, file) != ("sslrootcert", SYSTEM_ROOTS) and not Path(file).is_file():
            raise InvalidInput(
                f"Expected {name} in the database URL to be a file, but there is none at {file}.",
                field=("database_url",),
            )


def _system_roots() -> ssl.SSLContext:
    return ssl.create_default_context()


def _socket_options(parameters: Mapping[str, str]) -> Iterator[tuple[int, int, int]]:
    """The options that libpq sets for keepalives. Zero stands for the default of the system."""
    numbers = {name: int(value) for name, value in parameters.items() if name.startswith(("keep", "tcp"))}
    if numbers.pop("keepalives", 1) == 0:
        yield socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0
        return
    yield socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1
    for name, option in (
        ("keepalives_idle", "TCP_KEEPIDLE"),
        ("keepalives_interval", "TCP_KEEPINTVL"),
        ("keepalives_count", "TCP_KEEPCNT"),
        ("tcp_user_timeout", "TCP_USER_TIMEOUT"),
    ):
        if numbers.get(name, 0) > 0 and hasattr(socket, option):  # not every system has all of them
            yield socket.IPPROTO_TCP, getattr(socket, option), numbers[name]


def _set_socket_options(connection: "Connection", options: tuple[tuple[int, int, int], ...]) -> None:
    # The driver has no public name for its transport; tests/storage/postgres/test_urls.py checks this one.
    transport: Any = connection._transport  # noqa: SLF001
    opened = transport.get_extra_info("socket")
    if opened is not None and opened.family in (socket.AF_INET, socket.AF_INET6):
        for level, name, value in options:
            opened.setsockopt(level, name, value)
