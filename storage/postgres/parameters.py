"""Defines which parameters of libpq Uplift honours, with which values."""

from collections.abc import Callable, Mapping

from uplift.domain.errors import InvalidInput

DEFAULT_PORT = 5432
TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SYSTEM_ROOTS = "system"
"""The value of sslrootcert that stands for the certificate authorities that the system trusts."""

Check = Callable[[str], str | None]
"""Returns what is expected of a value, or None if it is valid."""


def _any(_: str) -> str | None:
    return None


def _among(*allowed: str) -> Check:
    return lambda value: None if value in allowed else f"to be {' or '.join(allowed)}"


def _number(value: str) -> str | None:
    is_number = value.removeprefix("-").isascii() and value.removeprefix("-").isdecimal() and len(value) < 10
    return None if is_number else "to be an integer"


HONOURED: Mapping[str, Check] = {
    "host": _any,
    "port": _any,
    "user": _any,
    "password": _any,
    "dbname": _any,
    "passfile": _any,
    "target_session_attrs": _among("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "connect_timeout": _number,
    "application_name": _any,
    "fallback_application_name": _any,
    "options": _any,
    "keepalives": _number,
    "keepalives_idle": _number,
    "keepalives_interval": _number,
    "keepalives_count": _number,
    "tcp_user_timeout": _number,
    "sslmode": _among(*SSL_MODES),
    "sslnegotiation": _among("postgres", "direct"),
    "sslcert": _any,
    "sslkey": _any,
    "sslpassword": _any,
    "sslrootcert": _any,
    "sslcrl": _any,
    "ssl_min_protocol_version": _among(*TLS_VERSIONS),
    "ssl_max_protocol_version": _among(*TLS_VERSIONS),
    "krbsrvname": _any,
    "gsslib": _among("gssapi", "sspi"),
    # The driver does what these values say, and nothing else.
    "client_encoding": _among("UTF8", "utf8", "UTF-8", "utf-8", "auto"),
    "channel_binding": _among("disable", "prefer"),
    "gssencmode": _among("disable", "prefer"),
    "load_balance_hosts": _among("disable"),
    "sslcompression": _among("0"),
    "sslsni": _among("1"),
}
"""Each parameter that Uplift honours, with the check of its value."""
PASSED_ON = frozenset(
    {
        "passfile",
        "sslmode",
        "sslnegotiation",
        "sslcert",
        "sslkey",
        "sslpassword",
        "sslrootcert",
        "sslcrl",
        "ssl_min_protocol_version",
        "ssl_max_protocol_version",
        "krbsrvname",
        "gsslib",
    }
)
"""The parameters that the driver reads itself."""


def require_honoured(parameters: Mapping[str, str]) -> None:
    """Raise InvalidInput for a parameter, or a value of one, that Uplift cannot honour."""
    for name, value in parameters.items():
        if name not in HONOURED:
            raise InvalidInput(
                f"Expected the database URL to use parameters that Uplift honours, but it has {name}. "
                f"It honours {', '.join(HONOURED)} and service; settings of the server go into options, "
                "as options=-c%20name%3Dvalue.",
                field=("database_url",),
            )
        if (expectation := HONOURED[name](value)) is not None:
            raise InvalidInput(
                f"Expected {name} in the database URL {expectation}, but it has another value, "
                "which Uplift cannot honour.",
                field=("database_url",),
            )
    if (
        parameters.get("sslrootcert") == SYSTEM_ROOTS
        and parameters.get("sslmode", "verify-full") != "verify-full"
    ):
        raise InvalidInput(
            "Expected sslmode in the database URL to be verify-full, because sslrootcert is system, "
            "but it is weaker.",
            field=("database_url",),
        )
