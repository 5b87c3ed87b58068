"""The settings of a gateway or worker, read from environment variables with the prefix UPLIFT_."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from uplift.domain.errors import InvalidInput
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.use_cases.worker import OnChunk, Worker, ignore_chunk
from uplift.gateway.http.forwarded import TrustedProxies, read_root_path
from uplift.gateway.limit_settings import LimitSettings
from uplift.storage.postgres.url import is_postgres_url, read_postgres_url

DEFAULT_DATABASE_URL = "sqlite:///uplift.sqlite"
PREFIX = "UPLIFT_"
PARTITION_SIZE = 100_000
"""Instances in one partition of an upgrade on PostgreSQL: a fraction of a second of work."""


def _checked_proxies(listed: tuple[str, ...]) -> tuple[str, ...]:
    TrustedProxies(listed)
    return listed


class Settings(LimitSettings, BaseSettings):
    """The settings of one program. Values passed to the constructor win over environment variables."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=None, extra="ignore")

    database_url: Annotated[
        str, Field(description="The database: sqlite:///<file> or postgresql://<user>@<host>/<name>")
    ] = DEFAULT_DATABASE_URL
    host: Annotated[str, Field(description="The address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535, description="The port to listen on; 0 picks a free port")] = (
        8000
    )
    root_path: Annotated[
        str,
        AfterValidator(read_root_path),
        Field(description="The path below which a proxy in front serves Uplift, such as /tools/uplift"),
    ] = ""
    trusted_proxies: Annotated[
        tuple[str, ...],
        AfterValidator(_checked_proxies),
        Field(
            description="Addresses and networks of proxies whose X-Forwarded-For, -Proto, -Host and -Prefix "
            "count; the variable is a JSON list, the option can be repeated"
        ),
    ] = ()
    worker: Annotated[bool, Field(description="Run upgrades in the server process")] = True
    worker_concurrency: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="Number of partitions that one program runs concurrently; "
            "on SQLite each upgrade is one partition",
        ),
    ] = 2
    chunk_ms: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="Target duration of a chunk's transaction, which holds locks, in milliseconds",
        ),
    ] = 50
    lease_seconds: Annotated[
        int,
        Field(
            ge=2,
            le=3_600,
            description="Time until another worker takes over the partition of a dead worker, in seconds",
        ),
    ] = 10
    wait_seconds: Annotated[
        float,
        Field(
            ge=0, le=3_600, description="Time that upgradeInstances waits for an upgrade to end, in seconds"
        ),
    ] = 30
    stop_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=3_600,
            description="Time in which open requests and chunks may finish at shutdown, in seconds",
        ),
    ] = 5
    metrics_port: Annotated[
        int | None,
        Field(
            ge=0, le=65_535, description="The port of /metrics, which needs no API key; no metrics if unset"
        ),
    ] = None
    metrics_host: Annotated[str, Field(description="The address of /metrics")] = "127.0.0.1"
    access_log: Annotated[bool, Field(description="Write a log line for each request")] = True
    log_format: Annotated[
        Literal["console", "json"], Field(description="Format of log lines: text for people, or JSON objects")
    ] = "console"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="Lowest level of the lines that are logged"),
    ] = "info"

    @property
    def database(self) -> Path | URL:
        """The SQLite file or the PostgreSQL URL. Raises InvalidInput when `database_url` is neither."""
        return database_at(self.database_url)

    def build_worker(self, name: str, *, on_chunk: OnChunk = ignore_chunk) -> Worker:
        """A worker with the configured chunk policy and lease."""
        chunk_policy = ChunkPolicy(target_duration=timedelta(milliseconds=self.chunk_ms))
        if not isinstance(self.database, Path):
            # A chunk in PostgreSQL locks only its own rows, so other writers need no pause between chunks.
            # Several workers can write at the same time, so an upgrade is divided into partitions.
            chunk_policy = replace(chunk_policy, pause=timedelta(), partition_size=PARTITION_SIZE)
        return Worker(
            name=name,
            on_chunk=on_chunk,
            chunk_policy=chunk_policy,
            lease_for=timedelta(seconds=self.lease_seconds),
        )


def environment_variable(setting: str) -> str:
    """The environment variable that a setting is read from."""
    return f"{PREFIX}{setting.upper()}"


def database_at(database_url: str) -> Path | URL:
    """The SQLite file or PostgreSQL URL that a database URL names. Raises InvalidInput for any other URL."""
    if is_postgres_url(database_url):
        return read_postgres_url(database_url)
    with suppress(ArgumentError, ValueError):
        url = make_url(database_url)
        is_sqlite = url.drivername in ("sqlite", "sqlite+aiosqlite")
        if is_sqlite and not url.host and url.database not in (None, "", ":memory:"):
            _require_no_query(database_url)
            return Path(str(url.database))
    raise InvalidInput(
        "Expected the database URL to be sqlite:///<file> or postgresql://<user>@<host>/<name>, "
        f"but got {without_password(database_url)!r}.",
        field=("database_url",),
    )


def _require_no_query(sqlite_url: str) -> None:
    _, mark, query = sqlite_url.partition("?")
    if mark:
        names = ", ".join(pair.partition("=")[0] for pair in query.split("&"))
        raise InvalidInput(
            "Expected the SQLite URL to have no parameters, because Uplift sets those of its connections "
            f"itself, but it has {names or 'an empty query'}. In the name of a file, ? is written as %3F.",
            field=("database_url",),
        )


def without_password(url: str) -> str:
    """A URL that is safe to show: without user information and query, where passwords may be."""
    place, _, query = url.partition("?")
    if "@" in query:  # it may be the end of a password with a question mark
        return f"{place.partition('://')[0]}://***"
    before, at, host = place.rpartition("@")
    scheme, colons, _ = before.rpartition("://")
    return f"{scheme}{colons}***@{host}" if at else place
