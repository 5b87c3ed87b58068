"""Reads the parameters of a service from libpq's connection service file."""

import os
from pathlib import Path

from uplift.domain.errors import InvalidInput


def service_parameters(service: str) -> dict[str, str]:
    """The parameters of a service, from the user's file, else from the system's. Raises InvalidInput.

    See https://www.postgresql.org/docs/current/libpq-pgservice.html.
    """
    for file in _files():
        if not file.is_file():
            continue
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeError):
            continue
        found = _section(lines, service)
        if found is not None:
            return found
    raise InvalidInput(
        "Expected to find the service of the database URL in PGSERVICEFILE, ~/.pg_service.conf or "
        "PGSYSCONFDIR/pg_service.conf, but it is in none of them.",
        field=("database_url",),
    )


def _files() -> list[Path]:
    named = os.environ.get("PGSERVICEFILE")
    files = [Path(named) if named else Path("~/.pg_service.conf").expanduser()]
    if folder := os.environ.get("PGSYSCONFDIR"):
        files.append(Path(folder) / "pg_service.conf")
    return files


def _section(lines: list[str], service: str) -> dict[str, str] | None:
    found: dict[str, str] | None = None
    for line in map(str.strip, lines):
        if line.startswith("["):
            if found is not None:
                break
            found = {} if line == f"[{service}]" else None
        elif found is not None and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name.strip()] = value.strip()
    return found
