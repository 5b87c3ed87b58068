"""Reads the BPMN documents of versions, and keeps those of published versions in memory.

A published version never changes, and every upgrade compares a few of them.
"""

from sqlalchemy import bindparam, select

from uplift.domain.bounded_cache import BoundedCache
from uplift.domain.model.process import VersionNumber, VersionState
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import version

MAX_BYTES = 32 * 2**20
"""Most bytes of documents that are kept."""
OVERHEAD = 200
"""Bytes that an entry takes besides its document, about; versions without a document are kept, too."""

MODEL = select(version.c.model, version.c.state).where(
    version.c.process_id == bindparam("of_process"), version.c.number == bindparam("of_number")
)


class ModelCache:
    """The documents that were read so far. Use it only on connections that have not changed versions."""

    def __init__(self) -> None:
        self._published = BoundedCache[tuple[int, VersionNumber], tuple[bytes | None]](MAX_BYTES)

    async def find(self, connection: Connection, process_id: int, number: VersionNumber) -> bytes | None:
        """The document of a version; None when the version has none or does not exist."""
        kept = self._published.get((process_id, number))
        if kept is not None:
            return kept[0]
        bound = {"of_process": process_id, "of_number": number}
        row = (await connection.execute(MODEL, bound)).one_or_none()
        if row is None:
            return None
        document: bytes | None = row.model
        if row.state is VersionState.PUBLISHED:
            self._published.put((process_id, number), (document,), len(document or b"") + OVERHEAD)
        return document
