"""Where do the BPMN documents of versions come from, again and again?

A published version never changes, so its document is read once; every upgrade compares a few of them.
"""

from sqlalchemy import bindparam, select

from uplift.domain.model.process import VersionNumber, VersionState
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import version

MAX_KEPT = 200
"""Documents kept in memory, the oldest dropped first."""

MODEL = select(version.c.model, version.c.state).where(
    version.c.process_id == bindparam("process_id"), version.c.number == bindparam("wanted")
)


class ModelCache:
    """The documents that have been read so far. Ask it only on connections that have not changed versions."""

    def __init__(self) -> None:
        self._published: dict[tuple[int, VersionNumber], bytes | None] = {}

    async def find(self, connection: Connection, process_id: int, number: VersionNumber) -> bytes | None:
        """The document of a version; None when the version has none or does not exist."""
        wanted = (process_id, number)
        if wanted in self._published:
            return self._published[wanted]
        row = (await connection.execute(MODEL, {"process_id": process_id, "wanted": number})).one_or_none()
        if row is None:
            return None
        document: bytes | None = row.model
        if row.state is VersionState.PUBLISHED:
            self._keep(wanted, document)
        return document

    def _keep(self, wanted: tuple[int, VersionNumber], document: bytes | None) -> None:
        if len(self._published) >= MAX_KEPT:
            del self._published[next(iter(self._published))]
        self._published[wanted] = document
