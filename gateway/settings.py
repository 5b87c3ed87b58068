"""What can be set, and by which names?

Each setting is an environment variable with the prefix UPLIFT_; the command line's options win over them.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from uplift.domain.errors import InvalidInput
from uplift.domain.use_cases.run import ChunkPolicy, OnChunk, Worker, ignore_chunk
from uplift.gateway.limit_settings import LimitSettings

DEFAULT_DATABASE_URL = "sqlite:///uplift.sqlite"
PARTITION_SIZE = 100_000
"""Instances that a worker takes of an upgrade at a time in PostgreSQL: a fraction of a second's work."""


class Settings(LimitSettings, BaseSettings):
    """The settings of a gateway."""

    model_config = SettingsConfigDict(env_prefix="UPLIFT_", env_file=None, extra="ignore")

    database_url: Annotated[
        str, Field(description="The database, sqlite:///<file> or postgresql://<user>@<host>/<name>")
    ] = DEFAULT_DATABASE_URL
    host: Annotated[str, Field(description="The address to listen at")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535, description="The port to listen at; 0 takes a free one")] = (
        8000
    )
    worker: Annotated[bool, Field(description="Whether the server works off upgrades itself")] = True
    worker_concurrency: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="Partitions that one program works on at once; on SQLite an upgrade is one partition",
        ),
    ] = 2
    chunk_ms: Annotated[
        int, Field(ge=1, le=10_000, description="How long a chunk may hold the write lock, in milliseconds")
    ] = 50
    lease_seconds: Annotated[
        int, Field(ge=2, le=3_600, description="How long a dead worker's partition waits for another")
    ] = 10
    wait_seconds: Annotated[
        float, Field(ge=0, le=3_600, description="How long upgradeInstances waits for the end")
    ] = 30
    stop_seconds: Annotated[
        int,
        Field(ge=1, le=3_600, description="How long requests and chunks under way may take to end at a stop"),
    ] = 5
    metrics_port: Annotated[
        int | None,
        Field(ge=0, le=65_535, description="The port of /metrics, without a key; none unless it is set"),
    ] = None
    metrics_host: Annotated[str, Field(description="The address of /metrics")] = "127.0.0.1"
    access_log: Annotated[bool, Field(description="Whether each request gets a line in the log")] = True
    log_format: Annotated[Literal["console", "json"], Field(description="How log lines look")] = "console"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="The least important line that is logged"),
    ] = "info"

    @property
    def database(self) -> Path | URL:
        """The SQLite file or the PostgreSQL database. Raises InvalidInput when the URL names neither."""
        return database_at(self.database_url)

    def worker_named(self, name: str, *, on_chunk: OnChunk = ignore_chunk) -> Worker:
        """A worker at the pace that is set."""
        chunk_policy = ChunkPolicy(target_duration=timedelta(milliseconds=self.chunk_ms))
        if not isinstance(self.database, Path):
            # A chunk in PostgreSQL locks no more than its own rows: nobody waits for a rest between two.
            # Several can write, and so share an upgrade.
            chunk_policy = replace(chunk_policy, pause=timedelta(), partition_size=PARTITION_SIZE)
        return Worker(
            name=name,
            on_chunk=on_chunk,
            chunk_policy=chunk_policy,
            lease_for=timedelta(seconds=self.lease_seconds),
        )


def database_at(database_url: str) -> Path | URL:
    """The SQLite file or PostgreSQL database that a URL names. Raises InvalidInput for any other URL."""
    with suppress(ArgumentError, ValueError):
        url = make_url(database_url)
        if url.get_backend_name() == "postgresql":
            return url
        if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
            return Path(str(url.database))
    raise InvalidInput(
        "Expected the database URL to be sqlite:///<file> or postgresql://<user>@<host>/<name>, "
        f"but got {without_password(database_url)!r}.",
        field=("database_url",),
    )


def without_password(url: str) -> str:
    """A URL as it may be shown: without what stands before the last `@`, or in its query."""
    before, at, place = url.rpartition("@")
    scheme, colons, _ = before.rpartition("://")
    return (f"{scheme}{colons}***@{place}" if at else url).partition("?")[0]
