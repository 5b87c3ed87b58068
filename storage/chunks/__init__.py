"""Records and moves the chunks of an upgrade, with separate statements for each database."""

from typing import Final

from uplift.storage.chunks.chunks import ChunksOf
from uplift.storage.chunks.postgres import postgres_chunks
from uplift.storage.chunks.sqlite import sqlite_chunks

CHUNKS: Final[dict[str, ChunksOf]] = {"sqlite": sqlite_chunks, "postgresql": postgres_chunks}
"""The chunks of upgrades by the name of the SQL dialect."""
