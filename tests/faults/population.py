"""A large population for fault tests, and checks of its database by plain SQL."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid5

from tests.support.long_mode import IS_LONG
from uplift.domain import (
    Caller,
    Instance,
    InstanceId,
    ProcessKey,
    Role,
    Status,
    VersionNumber,
    create_process,
    publish_version,
    register_instances,
    save_draft,
)
from uplift.domain.model.instance import ElementId
from uplift.gateway.auth.keys import create_key
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore

ADMIN = Caller(name="faults", role=Role.SYSTEM_ADMIN)
PROCESS = ProcessKey(namespace="faults", code="order")
ACTIVE = 200_000 if IS_LONG else 100_000
ENDED = ACTIVE // 20
TARGET = 3
POSITIONS = [frozenset({ElementId(f"task-{number}")}) for number in range(20)]
NAMES = UUID("0b1f3a52-6a57-4f0e-9df5-1f6f3c0e8a11")

COUNT_ALL = """
DELETE FROM cohort_count;
DELETE FROM cohort_change;
INSERT INTO cohort_count (process_id, version, status, position_id, instances)
SELECT process_id, version, status, position_id, count(*) FROM instance
GROUP BY process_id, version, status, position_id;
"""
"""Counts the cohorts anew, after instances were added by plain SQL. The same in both databases."""
WRONG_COUNTS = """
SELECT count(*) FROM (
    SELECT sum(kept) - sum(counted) AS difference FROM (
        SELECT process_id, version, status, position_id, instances AS kept, 0 AS counted FROM cohort_part
        UNION ALL SELECT process_id, version, status, position_id, 0, 1 FROM instance
    ) AS members GROUP BY process_id, version, status, position_id
) AS compared WHERE difference <> 0
"""
"""The number of cohorts whose kept count is wrong. The same in both databases."""
PENDING, RUNNING, COMPLETED = 1, 2, 3
"""Statuses as the file has them."""
UPGRADE_COMPLETED = 4


def instance_id(number: int) -> InstanceId:
    return InstanceId(uuid5(NAMES, str(number)))


async def add_process(store: SqlStore) -> None:
    """Add the process with its three versions."""
    await create_process(store, namespace=PROCESS.namespace, code=PROCESS.code, title=None, caller=ADMIN)
    for _ in range(TARGET):
        await save_draft(store, process=PROCESS, model=None, caller=ADMIN)
        await publish_version(store, process=PROCESS, caller=ADMIN)


async def add_few(store: SqlStore) -> str:
    """Add the process, and one instance at each position.

    Returns the key of a system administrator.
    """
    await add_process(store)
    few = [an_instance(number) for number in range(len(POSITIONS))]
    await register_instances(store, process=PROCESS, instances=few, caller=ADMIN)
    _, key = await create_key(SqlKeys(store.database), name="faults", role=Role.SYSTEM_ADMIN)
    return key


async def populate(file: Path) -> str:
    """Fill a new file: a process of three versions, active instances on the first two, and some that ended.

    Returns the key of a system administrator.
    """
    store = await SqlStore.open(file)
    key = await add_few(store)
    await store.close()
    _add_the_rest(file, len(POSITIONS))
    return key


def _add_the_rest(file: Path, begin: int) -> None:
    """Registers instances by plain SQL, which is faster."""
    statuses = {Status.PENDING: PENDING, Status.RUNNING: RUNNING, Status.COMPLETED: COMPLETED}
    with closing(sqlite3.connect(file)) as connection:
        numbers = {
            frozenset(json.loads(elements)): number
            for number, elements in connection.execute("SELECT id, elements FROM position")
        }
        rest = map(an_instance, range(begin, ACTIVE + ENDED))
        connection.executemany(
            "INSERT INTO instance (uuid, process_id, version, status, position_id) VALUES (?, 1, ?, ?, ?)",
            (
                (instance.id.bytes, instance.version, statuses[instance.status], numbers[instance.position])
                for instance in rest
            ),
        )
        connection.executescript(COUNT_ALL)


def an_instance(number: int) -> Instance:
    has_ended = number % 21 == 20
    return Instance(
        id=instance_id(number),
        process=PROCESS,
        version=VersionNumber(1 + number % 2),
        status=Status.COMPLETED if has_ended else Status.RUNNING if number % 50 == 7 else Status.PENDING,
        position=POSITIONS[number % 20],
    )


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an upgrade has come, as the file has it; `worker` has the one partition of it."""

    state: int
    worker: str | None
    total: int

    @property
    def is_completed(self) -> bool:
        return self.state == UPGRADE_COMPLETED


def progress_of(file: Path, upgrade: UUID) -> Progress:
    """How far an upgrade has come."""
    query = """
        SELECT state, lease_worker, upgrade.upgraded + upgrade.skipped
               + coalesce(partition.upgraded + partition.skipped, 0)
        FROM upgrade LEFT JOIN partition ON partition.upgrade_id = upgrade.id WHERE uuid = ?"""
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        rows = connection.execute(query, (upgrade.bytes,)).fetchall()
    assert rows != [], f"upgrade {upgrade} is lost"
    assert len(rows) == 1, f"upgrade {upgrade} is divided: {rows}"
    [(state, worker, total)] = rows
    return Progress(state=state, worker=worker, total=total)


def upgrades_in(file: Path) -> list[UUID]:
    """The ids of all upgrades, the oldest first."""
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        return [UUID(bytes=uuid) for (uuid,) in connection.execute("SELECT uuid FROM upgrade ORDER BY id")]


def must_tell_the_truth(file: Path, upgrade: UUID, untouched: Path) -> Progress:
    """Check, at any moment of an upgrade, that its outcomes explain all changes since the first file.

    Every recorded instance was recorded as it was, and moved if and only if its decision says so; every
    other one is as it was, and is left to do if it is active; and the counts are those of the records.
    """
    with closing(sqlite3.connect(file, timeout=60, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS first", (str(untouched),))
        connection.execute("BEGIN")
        number, upgraded, skipped = connection.execute(
            """
            SELECT id, upgrade.upgraded + coalesce(sum(partition.upgraded), 0),
                   upgrade.skipped + coalesce(sum(partition.skipped), 0)
            FROM upgrade LEFT JOIN partition ON partition.upgrade_id = upgrade.id
            WHERE uuid = ? GROUP BY upgrade.id""",
            (upgrade.bytes,),
        ).fetchone()
        lost = """
            SELECT count(*) FROM first.instance AS before LEFT JOIN main.instance AS now USING (id)
            WHERE now.uuid IS NOT before.uuid"""
        assert connection.execute(lost).fetchall() == [(0,)]
        ids = "SELECT (SELECT count(*) FROM first.instance), (SELECT count(*) FROM main.instance)"
        before, now = connection.execute(ids).fetchone()
        assert now == before
        assert connection.execute(WRONG_COUNTS).fetchall() == [(0,)]
        recorded = """
            SELECT outcome.instance_id IS NOT NULL AS has_outcome,
                   decision.to_version IS NOT NULL AS is_moved,
                   before.status AS status,
                   now.version = coalesce(decision.to_version, before.version)
                   AND now.status = before.status
                   AND now.position_id = before.position_id
                   AND (outcome.instance_id IS NULL OR (
                        outcome.version = before.version AND outcome.status = before.status
                        AND outcome.position_id = before.position_id AND decision.upgrade_id IS NOT NULL))
                   AS is_true,
                   EXISTS (SELECT 1 FROM main.partition
                           WHERE upgrade_id = ? AND cursor < before.id AND last_key >= before.id) AS is_left,
                   count(*)
            FROM first.instance AS before
            JOIN main.instance AS now USING (id)
            LEFT JOIN main.outcome ON outcome.upgrade_id = ? AND outcome.instance_id = before.id
            LEFT JOIN main.decision ON decision.upgrade_id = ? AND decision.version = outcome.version
                 AND decision.status = outcome.status AND decision.position_id = outcome.position_id
            GROUP BY 1, 2, 3, 4, 5"""
        found = {row[:5]: row[5] for row in connection.execute(recorded, (number, number, number))}
        assert {key for key in found if not key[3]} == set(), found
        assert {key for key in found if key[1] and key[2] != PENDING} == set(), (
            "only waiting instances are moved"
        )
        assert {key for key in found if key[0] and not key[1] and key[2] == PENDING} == set(), found
        assert {key for key in found if key[2] <= RUNNING and key[0] == key[4]} == set(), found
        assert sum(count for key, count in found.items() if key[0] and key[1]) == upgraded
        assert sum(count for key, count in found.items() if key[0] and not key[1]) == skipped
        skips = """
            SELECT (SELECT coalesce(sum(instances), 0) FROM decision WHERE upgrade_id = ?)
                 + (SELECT coalesce(sum(instances), 0) FROM skip_count WHERE upgrade_id = ?)"""
        assert connection.execute(skips, (number, number)).fetchone() == (skipped,)
        connection.execute("ROLLBACK")
    return progress_of(file, upgrade)


def must_be_all_done(file: Path, upgrade: UUID, untouched: Path) -> None:
    """Check that the upgrade is completed, and that every active instance has its outcome."""
    progress = must_tell_the_truth(file, upgrade, untouched)
    with closing(sqlite3.connect(untouched)) as connection:
        active, waiting = connection.execute(
            "SELECT sum(status <= 2), sum(status = 1) FROM instance"
        ).fetchone()
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        done = connection.execute(
            "SELECT upgraded, skipped, expected, finished_at IS NOT NULL,"
            " (SELECT count(*) FROM partition WHERE upgrade_id = upgrade.id) FROM upgrade WHERE uuid = ?",
            (upgrade.bytes,),
        ).fetchone()
        moved = connection.execute("SELECT count(*) FROM instance WHERE version = ?", (TARGET,)).fetchone()
    assert (active, moved) == (ACTIVE, (waiting,))
    assert progress.is_completed
    assert done == (waiting, active - waiting, active, 1, 0)
