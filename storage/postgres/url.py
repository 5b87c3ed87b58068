"""Reads PostgreSQL's connection URLs, by the grammar and with the names of libpq, which psql uses.

See https://www.postgresql.org/docs/current/libpq-connect.html, sections "Connection URIs" and "Parameter Key
Words". A parameter that Uplift cannot honour is refused by its name. No message shows a value, because values
may be secrets.
"""

import re
from urllib.parse import unquote_to_bytes

from sqlalchemy.engine import URL

from uplift.domain.errors import InvalidInput
from uplift.storage.postgres.parameters import DEFAULT_PORT, require_honoured
from uplift.storage.postgres.service_file import service_parameters

SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
"""The last one is SQLAlchemy's name for the driver that Uplift uses."""
PLACE = re.compile(
    r"(?P<scheme>[a-z+]+)://"
    r"(?:(?P<user>[^:@/]*)(?::(?P<password>[^@/]*))?@)?"
    r"(?P<hosts>[^/?]*)"
    r"(?:/(?P<dbname>[^?]*))?"
    r"(?:\?(?P<query>.*))?",
    re.DOTALL,
)
HOST = re.compile(r"(?:\[(?P<address>[^]]*)\]|(?P<name>[^:]*))(?::(?P<port>.*))?", re.DOTALL)
ESCAPED = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
NAME = re.compile(r"[A-Za-z_]{1,40}")


def is_postgres_url(text: str) -> bool:
    """Whether a text begins like a URL of PostgreSQL."""
    return text.partition("://")[0] in SCHEMES and "://" in text


def read_postgres_url(text: str) -> URL:
    """The URL, with decoded parts; several hosts or a folder of sockets are in its query.

    Parameters of the query win over the parts before it, and both over those of a service. Raises
    InvalidInput.
    """
    place = PLACE.fullmatch(text)
    if place is None:
        raise _invalid("to be like postgresql://<user>@<host>/<name>")
    hosts, ports = _hosts(place["hosts"])
    explicit = {
        "user": _decoded(place["user"]),
        "password": _decoded(place["password"]),
        "host": hosts,
        "port": ports,
        "dbname": _decoded(place["dbname"]),
        **_query(place["query"]),
    }
    parameters = {name: value for name, value in explicit.items() if value}
    service = parameters.pop("service", None)
    if service is not None:
        parameters = {**service_parameters(service), **parameters}
    require_honoured(parameters)
    return _url(parameters)


def _url(parameters: dict[str, str]) -> URL:
    host, port = parameters.pop("host", ""), parameters.pop("port", "")
    _require_ports(host, port)
    is_single = bool(host) and "," not in host and not host.startswith("/")
    query = {
        **({} if is_single or not host else {"host": host}),
        **({} if (is_single and "," not in port) or not port else {"port": port}),
    }
    return URL.create(
        "postgresql",
        username=parameters.pop("user", None),
        password=parameters.pop("password", None),
        host=host if is_single else None,
        port=int(port) if is_single and port else None,
        database=parameters.pop("dbname", None),
        query={**query, **parameters},
    )


def _query(query: str | None) -> dict[str, str]:
    """The parameters of the query. Like libpq, the last of a name counts, and + is no space."""
    parameters = {}
    for pair in filter(None, (query or "").split("&")):
        name, equals, value = pair.partition("=")
        if not equals or not NAME.fullmatch(name):
            raise _invalid("to have parameters as name=value, separated by &")
        # JDBC's name for sslmode=require, which libpq reads too.
        if (name, value) == ("ssl", "true"):
            name, value = "sslmode", "require"
        parameters[name] = _decoded(value)
    return parameters


def _hosts(text: str) -> tuple[str, str]:
    """The hosts and the ports, each as a list with commas; no ports if none is named."""
    if not text:
        return "", ""
    places = [HOST.fullmatch(place) for place in text.split(",")]
    hosts, ports = [], []
    for place in places:
        if place is None:
            raise _invalid("to name hosts as <host>:<port>, and an IPv6 address in brackets")
        hosts.append(_decoded(place["name"] if place["address"] is None else place["address"]))
        ports.append(_decoded(place["port"]))
    return ",".join(hosts), ",".join(port or str(DEFAULT_PORT) for port in ports) if any(ports) else ""


def _require_ports(host: str, port: str) -> None:
    ports = port.split(",") if port else []
    if not all(number.isascii() and number.isdecimal() and 0 < int(number) <= 65_535 for number in ports):
        raise _invalid("to have ports from 1 to 65535. In a password, / and @ are written as %2F and %40")
    if len(ports) > 1 and len(ports) != len(host.split(",")):
        raise _invalid(f"to have one port, or one for each of its {len(host.split(','))} hosts")


def _decoded(text: str | None) -> str:
    if text is None:
        return ""
    if ESCAPED.search(text):
        raise _invalid("to have a percent sign only before two hexadecimal digits other than 00")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError as error:
        raise _invalid("to be UTF-8") from error


def _invalid(expectation: str) -> InvalidInput:
    return InvalidInput(f"Expected the database URL {expectation}.", field=("database_url",))
