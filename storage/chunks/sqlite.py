"""Records and moves chunks in SQLite, where one transaction writes at a time."""

from collections.abc import Collection, Iterator

from sqlalchemy import Update, select, tuple_, update

from uplift.domain.model.decision import Decision
from uplift.domain.model.instance import Status
from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.storage.chunks.chunks import RecordThenMove, SqlChunks, UndoChunks
from uplift.storage.chunks.statements import FORWARD, IN_CHUNK, TARGET, UPGRADE_ID
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import decision, instance
from uplift.storage.sql.upgrade_keys import UpgradeKeys


def sqlite_chunks(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    upgrade_keys: UpgradeKeys,
    upgrade: Upgrade,
    partition: Partition,
) -> SqlChunks:
    """The chunks of a partition that this transaction has locked."""
    chunks = UndoChunks if upgrade.selection is SelectionKind.UNDO else SqliteChunks
    return chunks(connection, surrogate_keys, upgrade_keys, upgrade, partition)


class SqliteChunks(RecordThenMove):
    """The chunks of an upgrade or a retry. No statement of SQLite both moves and records."""

    def _moves(self, decisions: Collection[Decision]) -> Iterator[Update]:
        if any(decision.to_position == decision.cohort.position for decision in decisions):
            yield MOVE_IN_PLACE[self._kind]
        if any(decision.to_position != decision.cohort.position for decision in decisions):
            yield MOVE_ELSEWHERE[self._kind]


def _move_in_place(kind: SelectionKind) -> Update:
    """Move instances that keep their position, which are most instances of nearly every upgrade."""
    staying = select(decision.c.version, decision.c.position_id).where(
        decision.c.upgrade_id == UPGRADE_ID,
        decision.c.status == Status.PENDING,
        decision.c.to_position_id == decision.c.position_id,
    )
    return (
        update(instance)
        .where(
            IN_CHUNK[kind],
            instance.c.status == Status.PENDING,
            tuple_(instance.c.version, instance.c.position_id).in_(staying),
        )
        .values(version=TARGET)
    )


def _move_elsewhere(kind: SelectionKind) -> Update:
    """Move instances whose position changes."""
    return (
        update(instance)
        .where(
            IN_CHUNK[kind],
            instance.c.status == Status.PENDING,
            decision.c.upgrade_id == UPGRADE_ID,
            decision.c.status == Status.PENDING,
            decision.c.version == instance.c.version,
            decision.c.position_id == instance.c.position_id,
            decision.c.to_position_id != decision.c.position_id,
        )
        .values(version=TARGET, position_id=decision.c.to_position_id)
    )


MOVE_IN_PLACE = {kind: _move_in_place(kind) for kind in FORWARD}
MOVE_ELSEWHERE = {kind: _move_elsewhere(kind) for kind in FORWARD}
