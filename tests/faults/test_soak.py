"""Concurrent clients leave a consistent database, and the verdict detects a corrupted one."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from bench.soak.ledger import BARE, Ledger, RequestedUpgrade
from bench.soak.soak import Report, complaints, soak
from bench.soak.verdict import broken_laws
from bench.soak.world import ADMIN, populate
from tests.support.postgres import the_server
from uplift.domain import (
    InstanceId,
    InstanceReport,
    ReasonCode,
    Status,
    Upgrade,
    all_active,
    by_ids,
    report_instances,
    request_retry,
    request_undo,
    request_upgrade,
)
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.storage.store import SqlStore
from uplift.testing.builders import a_worker, an_upgrade_id

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

LARGE = 13_000
"""Of all instances, four of five are in one process: its upgrades are queued and run in chunks."""
ALWAYS_DONE = {
    "REST all active",
    "REST all active, respond-async",
    "REST by ids",
    "REST by ids, repeated",
    "cohorts",
    "comparison",
    "dry run",
    "followed by WebSocket",
    "followed by server-sent events",
    "instance with history",
    "page of instances",
    "publishVersion",
    "registerInstances",
    "registerInstances again",
    "reportInstances",
    "upgrade all active",
    "upgrade as planned",
    "upgrade requested again",
    "upgrade by ids",
    "upgrade under a used key",
    "upgrade with mappings",
    "upgrades with outcomes",
}


def must_be_good(report: Report) -> None:
    assert report.measures.unexpected == []
    assert report.broken == []
    assert ALWAYS_DONE - report.measures.took.keys() == set()
    assert list(report.lines())[-2:] == ["unexpected answers: 0", "broken laws: 0"]


@pytest.fixture(scope="session")
def each(is_long: bool) -> int:
    """The number of clients of each kind, and of repetitions."""
    return 4 if is_long else 1


async def test_everything_at_once_leaves_an_sqlite_file_in_order(tmp_path: Path, each: int) -> None:
    file = tmp_path / "soak.sqlite"
    must_be_good(await soak(file, tmp_path, seed=1, instances=LARGE, each=each, rounds=each, heavy=each > 1))


async def test_everything_at_once_leaves_a_postgresql_database_in_order(tmp_path: Path, each: int) -> None:
    async with the_server().database() as url:
        must_be_good(
            await soak(url, tmp_path, seed=2, instances=LARGE, each=each, rounds=each, heavy=each > 1)
        )


class Life(NamedTuple):
    """A small database, and the ledger of its clients."""

    file: Path
    ledger: Ledger


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return asyncio.run(a_short_life(tmp_path_factory.mktemp("soak") / "untouched.sqlite"))


@pytest.fixture
def life(untouched: Life, tmp_path: Path) -> Life:
    """A copy that a test can corrupt."""
    return Life(Path(shutil.copy(untouched.file, tmp_path / "life.sqlite")), untouched.ledger)


async def a_short_life(file: Path) -> Life:
    """Thirty instances, one of which has ended; an upgrade of all active ones but one, its undo, its retry,
    and one of three ids, one of which no instance has.
    """
    world = await populate(file, 30, Random(1))
    ledger = world.ledger
    store = await SqlStore.open(file)
    ended = world.held[0]
    report = InstanceReport(id=ended.id, status=Status.COMPLETED, position=ended.position)
    ledger.will_say(ended.id, report.status, report.position)
    await report_instances(store, reports=[report], caller=ADMIN)
    ledger.was_said(ended.id, report.status, report.position)
    excluded = frozenset([world.held[EXCLUDED - 1].id])
    newest = [
        instance.id
        for instance in world.held
        if (instance.process, instance.version, instance.status) == NEWEST
    ]
    ids = [*newest[:2], InstanceId(UUID(int=404))]

    def note(done: Upgrade, **more: Any) -> None:
        request = RequestedUpgrade(process=BARE, selection=done.selection, moment=ledger.now(), **more)
        ledger.seen(ledger.requested(done.id, request), done.state)

    may: dict[str, Any] = {"caller": ADMIN, "worker": a_worker(size=1_000)}
    done = await request_upgrade(store, UpgradeRequest(process=BARE, selection=all_active(excluded)), **may)
    note(done, ids=excluded)
    undone = await request_undo(store, UndoRequest(upgrade_id=done.id), **may)
    note(undone, of=done.id)
    reasons = frozenset([ReasonCode.ALREADY_LATEST])
    retried = await request_retry(store, RetryRequest(upgrade_id=done.id, reasons=reasons), **may)
    note(retried, of=done.id, reasons=reasons)
    note(
        await request_upgrade(store, UpgradeRequest(process=BARE, selection=by_ids(ids)), **may),
        ids=frozenset(ids),
    )
    await store.close()
    assert 0 < done.upgraded == undone.upgraded < done.total == 22
    assert retried.skipped == retried.total > 0
    return Life(file, ledger)


async def test_a_short_life_keeps_all_laws(life: Life) -> None:
    assert await broken_laws(life.file, life.ledger) == []


EXCLUDED = 7
NEWEST = (BARE, 2, Status.PENDING)
ONE_MOVED = "(SELECT min(outcome.instance_id) FROM outcome WHERE upgrade_id = 2)"
"""An instance that was upgraded, and brought back by the undo."""


def an_outcome_more(upgrade: int, instance: int | str) -> str:
    """Add an outcome for an instance, as if the upgrade had processed its cohort."""
    columns = "version, status, position_id, origin_version, origin_position_id"
    of = f"FROM outcome WHERE upgrade_id = {upgrade} LIMIT 1"
    return f"INSERT INTO outcome SELECT {upgrade}, {instance}, {columns} {of}"


def a_partition_of(upgrade: int, cursor: int, last: int) -> str:
    """Leave a partition of an upgrade, as if it had not been run."""
    return f"INSERT INTO partition (upgrade_id, last_key, cursor) VALUES ({upgrade}, {last}, {cursor})"


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        ("DELETE FROM instance WHERE id = 30", "was registered, but is lost"),
        ("UPDATE cohort_count SET instances = instances + 1", "the kept count of"),
        ("UPDATE instance SET status = 4 WHERE id = 30", "is CANCELLED at {"),
        ("UPDATE instance SET position_id = 1 + position_id % 2 WHERE id = 20", "but its engine reported {"),
        ("UPDATE instance SET version = 9 WHERE id = 30", "is on version 9, which was never published"),
        (f"UPDATE instance SET version = 2 WHERE id = {ONE_MOVED}", "does not lead from version 1 to 2"),
        (
            "UPDATE upgrade SET upgraded = upgraded + 1 WHERE id = 1",
            "skipped, but its outcomes are",
        ),
        ("DELETE FROM outcome WHERE upgrade_id = 1 AND instance_id = 20", "did without 1 that were active"),
        (an_outcome_more(1, EXCLUDED), "did something to 1 that were left out"),
        (
            "DELETE FROM outcome WHERE upgrade_id = 2 AND instance_id = " + ONE_MOVED,
            "has no outcome for 1 that it follows up",
        ),
        (an_outcome_more(2, EXCLUDED), "has an outcome for 1 that it does not follow up"),
        (an_outcome_more(3, ONE_MOVED), "has an outcome for 1 that it does not follow up"),
        ("DELETE FROM outcome WHERE upgrade_id = 4", "has no outcome for 2 that it names"),
        (
            "DELETE FROM selected WHERE upgrade_id = 4 AND instance_id IS NULL",
            "has no outcome for 1 that it names",
        ),
        (an_outcome_more(4, EXCLUDED), "has an outcome for 1 that it does not name"),
        (
            f"UPDATE instance SET process_id = 2 WHERE id = {ONE_MOVED}",
            "did something to 1 of another process",
        ),
        (
            "UPDATE upgrade SET last_instance_id = first_instance_id WHERE id = 2",
            "of another process, or outside of its own bounds",
        ),
        ("UPDATE decision SET instances = instances + 1 WHERE to_version IS NULL", "counts reasons {"),
        ("UPDATE upgrade SET state = 1 WHERE id = 1", "has not ended"),
        (
            "UPDATE upgrade SET state = 1 WHERE id = 1; " + a_partition_of(1, 20, 30),
            "still waits for a worker",
        ),
        ("UPDATE upgrade SET state = 6, error = 'no' WHERE id = 1", "failed: no"),
        (a_partition_of(1, 40, 50), "is COMPLETED, but left"),
        (a_partition_of(1, 50, 40), "has partitions that are reversed or overlap"),
        (
            a_partition_of(1, 40, 50) + "; " + a_partition_of(1, 49, 60),
            "has partitions that are reversed or overlap",
        ),
        (a_partition_of(1, 20, 30), "has an outcome for 4 that a partition of it covers"),
        (a_partition_of(4, 0, 3), "has an outcome for 2 that a partition of it covers"),
    ],
)
async def test_the_verdict_reports_what_a_corrupted_database_breaks(life: Life, fault: str, law: str) -> None:
    with closing(sqlite3.connect(life.file)) as connection:
        for statement in fault.split("; "):
            assert connection.execute(statement).rowcount >= 1
        connection.commit()
    assert [broken for broken in await broken_laws(life.file, life.ledger) if law in broken] != []


async def test_the_verdict_reports_a_lost_upgrade(life: Life) -> None:
    known = life.ledger.upgrades
    [first, *_] = known.values()
    ledger = replace(life.ledger, upgrades={**known, an_upgrade_id(404): first})
    [broken] = await broken_laws(life.file, ledger)
    assert broken == f"upgrades that were not requested, or are lost: {{{an_upgrade_id(404)!r}}}"


async def test_the_verdict_reports_an_upgrade_that_was_not_requested(life: Life) -> None:
    [(first, _), *others] = life.ledger.upgrades.items()
    ledger = replace(life.ledger, upgrades=dict(others))
    [broken] = await broken_laws(life.file, ledger)
    assert broken == f"upgrades that were not requested, or are lost: {{{first!r}}}"


def test_reads_the_errors_in_the_log_of_the_server() -> None:
    log = 'Uplift serves\n{"event": "fine", "level": "info"}\n{"event": "upgrade failed", "level": "error"}\n'
    [complaint] = complaints(log)
    assert "upgrade failed" in complaint
