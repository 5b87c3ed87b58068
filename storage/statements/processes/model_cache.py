"""Reads the BPMN documents of versions, and caches those of published versions.

A published version never changes, and each upgrade compares a few versions.
"""

from sqlalchemy import bindparam, select

from uplift.domain.bounded_cache import BoundedCache
from uplift.domain.model.process import VersionModel, VersionNumber, VersionState
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import version
from uplift.storage.sqlite.prepared import RUN_IN_THREAD

MAX_BYTES = 32 * 2**20
"""Size of all cached documents in bytes, at most."""
OVERHEAD = 200
"""About how many bytes an entry takes besides its document. A version without one has an entry, too."""

MODEL = (
    select(version.c.model, version.c.model_process_id, version.c.state)
    .where(version.c.process_id == bindparam("of_process"), version.c.number == bindparam("of_number"))
    .execution_options(**RUN_IN_THREAD)
)
"""A document may have megabytes."""


class ModelCache:
    """Caches documents. Use it only on connections that have not changed versions."""

    def __init__(self) -> None:
        self._published = BoundedCache[tuple[int, VersionNumber], tuple[VersionModel | None]](MAX_BYTES)

    async def find(
        self, connection: Connection, process_id: int, number: VersionNumber
    ) -> VersionModel | None:
        """The model of a version; None when the version has none or does not exist."""
        cached = self._published.get((process_id, number))
        if cached is not None:
            return cached[0]
        bound = {"of_process": process_id, "of_number": number}
        row = (await connection.execute(MODEL, bound)).one_or_none()
        if row is None:
            return None
        document: bytes | None = row.model
        model = None if document is None else VersionModel(document=document, process_id=row.model_process_id)
        if row.state is VersionState.PUBLISHED:
            self._published.put((process_id, number), (model,), len(document or b"") + OVERHEAD)
        return model
