"""The settings of a gateway or worker, from environment variables with the prefix UPLIFT_ and from files.

A folder of secrets has a file for each setting that comes from it, named like the variable in lower case. It
is the folder UPLIFT_SECRETS_DIR, else the one in which systemd keeps a service's credentials.
"""

import os
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from uplift.domain.clock import Clock, utc_now
from uplift.domain.errors import InvalidInput
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.rules.comparer import Comparer, InProcessComparer
from uplift.domain.rules.joining import JoinPolicy
from uplift.domain.use_cases.worker import OnChunk, Worker, ignore_chunk
from uplift.gateway.http.forwarded import TrustedProxies, read_root_path
from uplift.gateway.limit_settings import LimitSettings
from uplift.storage.postgres.url import is_postgres_url, read_postgres_url

DEFAULT_DATABASE_URL = "sqlite:///uplift.sqlite"
PREFIX = "UPLIFT_"
SECRETS_DIR = f"{PREFIX}SECRETS_DIR"
CREDENTIALS_DIR = "CREDENTIALS_DIRECTORY"
"""Set by systemd for a service with LoadCredential= (systemd.exec)."""
PARTITION_SIZE = 100_000
"""Instances in one partition of an upgrade on PostgreSQL: a fraction of a second of work."""
JOIN_POLICY = JoinPolicy()
"""When a further worker joins an upgrade that others run on PostgreSQL."""


def _checked_proxies(listed: tuple[str, ...]) -> tuple[str, ...]:
    TrustedProxies(listed)
    return listed


class Settings(LimitSettings, BaseSettings):
    """The settings of one program.

    Values passed to the constructor win over environment variables, and these over files of secrets. Raises
    InvalidInput when there is no such folder.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=None, extra="ignore")

    database_url: Annotated[
        str, Field(description="The database: sqlite:///<file> or postgresql://<user>@<host>/<name>")
    ] = DEFAULT_DATABASE_URL
    host: Annotated[str, Field(description="The address to listen on, or unix:<path> for a Unix socket")] = (
        "127.0.0.1"
    )
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
            "count, and unix for callers through a Unix socket; the variable is a JSON list, the option can "
            "be repeated"
        ),
    ] = ()
    worker: Annotated[bool, Field(description="Run upgrades in the server process")] = True
    worker_concurrency: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="At most so many partitions run concurrently in one program; "
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
    webhook_private_addresses: Annotated[
        bool,
        Field(
            description="Send webhooks to private, loopback and link-local addresses too, when engines that "
            "fetch their orders run there"
        ),
    ] = False
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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  not read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  of a folder that is always the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        folder = secrets_folder()
        if folder is None:
            return (init_settings, env_settings)
        return (init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=folder))

    @property
    def database(self) -> Path | URL:
        """The SQLite file or the PostgreSQL URL. Raises InvalidInput when `database_url` is neither."""
        return database_at(self.database_url)

    def build_worker(
        self,
        name: str,
        *,
        clock: Clock = utc_now,
        on_chunk: OnChunk = ignore_chunk,
        comparer: Comparer | None = None,
    ) -> Worker:
        """A worker with the configured chunk policy and lease. By default it compares in process."""
        chunk_policy = ChunkPolicy(target_duration=timedelta(milliseconds=self.chunk_ms))
        if not isinstance(self.database, Path):
            # A chunk in PostgreSQL locks only its own rows, so other writers need no pause between chunks.
            # Several workers can write at the same time, so an upgrade is divided into partitions.
            chunk_policy = replace(chunk_policy, pause=timedelta(), partition_size=PARTITION_SIZE)
        return Worker(
            name=name,
            clock=clock,
            on_chunk=on_chunk,
            comparer=comparer or InProcessComparer(limits=self.document_limits()),
            chunk_policy=chunk_policy,
            join_policy=JOIN_POLICY,
            lease_for=timedelta(seconds=self.lease_seconds),
        )


def secrets_folder() -> Path | None:
    """The folder with files of secrets, if there is one. Raises InvalidInput when it is missing."""
    named = os.environ.get(SECRETS_DIR) or os.environ.get(CREDENTIALS_DIR)
    if not named:
        return None
    folder = Path(named)
    if not folder.is_dir():
        name = SECRETS_DIR if os.environ.get(SECRETS_DIR) else CREDENTIALS_DIR
        raise InvalidInput(f"Expected {name} to be a folder, but got {named!r}.")
    for entry in folder.iterdir():
        if entry.name.upper().startswith(PREFIX) and not entry.is_file():
            raise InvalidInput(f"Expected the secret {entry} to be a file, but it is none.")
    return folder


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
