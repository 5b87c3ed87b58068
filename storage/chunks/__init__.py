"""Records and moves the chunks of an upgrade, with separate statements for each database."""

from typing import Final

from uplift.storage.chunks.chunks import ChunksFactory
from uplift.storage.chunks.postgres import postgres_chunks
from uplift.storage.chunks.sqlite import sqlite_chunks

CHUNKS: Final[dict[str, ChunksFactory]] = {"sqlite": sqlite_chunks, "postgresql": postgres_chunks}
"""The factory of the chunks of a partition, by the name of the SQL dialect."""
