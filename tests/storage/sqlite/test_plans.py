"""An upgrade sends few statements a chunk, and each of them reads few rows."""

import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from tests.storage.recording import SentStatement, plan_of, statements_on
from uplift.domain import (
    OutcomeKind,
    ProcessKey,
    Selection,
    Status,
    VersionNumber,
    all_active,
    by_ids,
    matching,
)
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import UpgradeState
from uplift.domain.ports import (
    ANY_PROCESS,
    InstanceFilter,
    OutcomeFilter,
    ProcessFilter,
    ProcessOrder,
    UpgradeFilter,
)
from uplift.storage.chunks import sqlite as sqlite_chunks
from uplift.storage.store import SqlStore
from uplift.testing.builders import (
    NOON,
    ORDERS,
    a_key,
    a_process,
    a_stored_process,
    a_version,
    an_id,
    an_instance,
    an_upgrade,
    at,
)
from uplift.testing.chunk_work import add_upgrade, lock, moving, process_chunk, run_chunk

pytestmark = pytest.mark.anyio

BIG_TABLES = ("instance", "outcome", "selected", "version", "position", "process")
INSTANCE = re.compile(r"\binstance\b")
BOTH_WAYS = pytest.mark.parametrize("kind", [SelectionKind.BY_IDS, SelectionKind.ALL_ACTIVE])

EVERY_WAY = pytest.mark.parametrize(
    "kind", [kind for kind in SelectionKind if kind not in (SelectionKind.RETRY, SelectionKind.UNDO)]
)


def selecting(kind: SelectionKind, size: int) -> Selection:
    numbers = range(size + 1)
    if kind in (SelectionKind.MATCHING, SelectionKind.FIRST_MATCHING):
        limit = size if kind is SelectionKind.FIRST_MATCHING else None
        return matching(versions=[1, 2], elements=["go", "stay"], limit=limit, excluded=[an_id(size)])
    return all_active([an_id(size)]) if kind is SelectionKind.ALL_ACTIVE else by_ids(map(an_id, numbers))


async def fill(store: SqlStore, size: int) -> None:
    """Instances of four cohorts: one that stays, one that goes elsewhere, two that are skipped."""
    held = [
        an_instance(
            n,
            version=2 if n % 4 == 2 else 1,
            status=Status.RUNNING if n % 4 == 3 else Status.PENDING,
            position=at("go" if n % 4 == 1 else "stay"),
        )
        for n in range(size)
    ]
    await a_process(store, holding=held)


async def accesses_of_instances(store: SqlStore, sent: list[SentStatement]) -> list[str]:
    """The steps in which the statements find instances."""
    return [step for statement in sent for step in await plan_of(store, statement) if INSTANCE.search(step)]


async def statements_of_a_chunk(store: SqlStore, kind: SelectionKind, size: int) -> list[SentStatement]:
    await fill(store, size)
    selection = selecting(kind, size)
    upgrade = replace(an_upgrade(selection=kind), conditions=selection.conditions)
    async with store.transaction() as transaction:
        upgrade = await add_upgrade(transaction, upgrade, selection)
    async with store.database.writing() as connection:
        pass
    async with store.transaction() as transaction:
        locked = await lock(transaction, upgrade.id)
        with statements_on(connection) as sent:
            worked = await process_chunk(*locked, 10_000, moving({at("go"): at("gone")}))
            await transaction.upgrades.find(upgrade.id)  # sends the pending statements, too
    assert worked.moved == size // 2
    return sent


def full_scans(plan: list[str]) -> list[str]:
    """The steps that walk along a whole table. A scan of the list of ids is intended."""
    scanned = re.compile(rf"^SCAN ({'|'.join(BIG_TABLES)})\b")
    return [step for step in plan if scanned.match(step)]


@EVERY_WAY
async def test_a_chunk_takes_the_same_statements_however_many_instances_it_moves(
    tmp_path: Path, kind: SelectionKind
) -> None:
    sent = {}
    for size in (8, 4_000):
        store = await SqlStore.open(tmp_path / f"{size}.db")
        sent[size] = [statement.sql for statement in await statements_of_a_chunk(store, kind, size)]
        await store.close()
    assert sent[8] == sent[4_000]
    assert not any(sql.startswith("UPDATE upgrade") for sql in sent[8])
    assert len(sent[8]) <= 14


@EVERY_WAY
async def test_no_statement_of_a_chunk_walks_along_a_whole_table(
    store: SqlStore, kind: SelectionKind
) -> None:
    sent = await statements_of_a_chunk(store, kind, 8)
    plans = {
        statement.sql: await plan_of(store, statement)
        for statement in sent
        if not statement.sql.startswith("BEGIN")
    }
    assert {sql: full_scans(plan) for sql, plan in plans.items() if full_scans(plan)} == {}
    assert len(plans) >= 6


@pytest.mark.parametrize("kind", [SelectionKind.ALL_ACTIVE, SelectionKind.MATCHING])
@pytest.mark.parametrize(
    ("dense", "found"),
    [
        (0, r"INDEX instance_active \(process_id=\? AND id>\? AND id<\?\)"),
        (3, r"INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)"),
    ],
    ids=["sparse", "dense"],
)
async def test_active_instances_are_found_by_their_own_index_unless_they_lie_close(
    store: SqlStore, kind: SelectionKind, dense: int, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_chunks, "DENSE", dense)
    sent = await statements_of_a_chunk(store, kind, 8)
    end_of_chunk, *steps = await accesses_of_instances(store, sent)
    assert "INDEX instance_active (process_id=? AND id>? AND id<?)" in end_of_chunk
    assert len(steps) >= 3
    assert [step for step in steps if not re.search(found, step)] == []


async def test_named_instances_are_found_by_their_numbers(store: SqlStore) -> None:
    sent = await statements_of_a_chunk(store, SelectionKind.BY_IDS, 8)
    steps = await accesses_of_instances(store, sent)
    assert len(steps) >= 3
    assert {step for step in steps if "USING INTEGER PRIMARY KEY" not in step} == set()


@BOTH_WAYS
async def test_lists_are_read_along_an_index_and_never_sorted(store: SqlStore, kind: SelectionKind) -> None:
    await fill(store, 20)
    selection = selecting(kind, 20)
    async with store.transaction() as transaction:
        upgrade = await add_upgrade(transaction, an_upgrade(selection=selection.kind), selection)
        await run_chunk(transaction, upgrade.id, 10_000)
    page = PageRequest(first=5, after=2)
    async with store.database.reading() as connection:
        pass
    with statements_on(connection) as sent:
        for status in (None, *Status):
            for version in (None, VersionNumber(1)):
                which = InstanceFilter(
                    statuses=None if status is None else frozenset({status}),
                    versions=None if version is None else frozenset({version}),
                )
                await store.instances.pages([ORDERS], which, page)
        await store.instances.pages([ORDERS], InstanceFilter(elements=at("go", "stay")), page)
        await store.upgrades.outcome_pages([upgrade.id], OutcomeFilter(), page)
        skipped = OutcomeFilter(kinds=frozenset({OutcomeKind.SKIPPED}))
        await store.upgrades.outcome_pages([upgrade.id], skipped, page)
        await store.upgrades.page(ORDERS, page)
        await store.upgrades.page(None, page)
        for order in ProcessOrder:
            for which_processes in (ANY_PROCESS, ProcessFilter(search="x")):
                await store.processes.page(page, which_processes, order=order)
                await store.processes.page(PageRequest(first=5), which_processes, order=order)
    assert len(sent) >= 28
    for statement in sent:
        plan = await plan_of(store, statement)
        assert [step for step in plan if "TEMP B-TREE FOR ORDER BY" in step] == [], statement.sql
        # A first page, and one of all upgrades, reads a table in the order of the list up to its LIMIT.
        scans = [step for step in full_scans(plan) if not step.startswith(("SCAN upgrade", "SCAN process"))]
        assert scans == [], statement.sql


@pytest.mark.parametrize("process", [None, ORDERS])
async def test_upgrades_that_run_are_found_by_their_own_index(
    store: SqlStore, process: ProcessKey | None
) -> None:
    await fill(store, 4)
    async with store.database.reading() as connection:
        pass
    runs = UpgradeFilter(states=frozenset({UpgradeState.RUNNING}))
    with statements_on(connection) as sent:
        await store.upgrades.page(process, PageRequest(first=5), runs)
        await store.upgrades.count(process, runs)
    plans = [await plan_of(store, statement) for statement in sent if "FROM upgrade" in statement.sql]
    steps = [step for plan in plans for step in plan if re.search(r"(SCAN|SEARCH) upgrade\b", step)]
    assert len(steps) == 3
    assert [step for step in steps if "INDEX upgrade_waiting" not in step] == []


async def test_few_instances_are_found_by_their_ids(store: SqlStore) -> None:
    await fill(store, 20)
    async with store.database.reading() as connection:
        pass
    with statements_on(connection) as sent:
        which = InstanceFilter(ids=frozenset(map(an_id, range(9))), statuses=frozenset({Status.PENDING}))
        pages = await store.instances.pages([ORDERS], which, PageRequest(first=5, after=2))
    assert len(pages[ORDERS].items) == 5
    steps = await accesses_of_instances(store, sent)
    assert [step for step in steps if "(uuid=?)" not in step] == []
    assert steps


async def test_who_looks_for_work_looks_at_no_upgrade_that_has_ended(store: SqlStore) -> None:
    """A worker looks twice a second, and nearly all upgrades have ended."""
    await fill(store, 1)
    async with store.database.reading() as connection:
        pass
    with statements_on(connection) as sent:
        assert await store.upgrades.claimable(NOON) is None
    assert len(sent) == 4
    for statement in sent:
        steps = [step for step in await plan_of(store, statement) if step.startswith("SCAN upgrade")]
        assert steps == ["SCAN upgrade USING INDEX upgrade_waiting"], statement.sql


@pytest.mark.parametrize("namespaces", [None, frozenset({"crm"})])
async def test_unfinished_upgrades_are_found_without_those_that_have_ended(
    store: SqlStore, namespaces: frozenset[str] | None
) -> None:
    """Every console asks once a second, and nearly all upgrades have ended."""
    await fill(store, 1)
    async with store.database.reading() as connection:
        pass
    with statements_on(connection) as sent:
        assert await store.upgrades.unfinished(100, namespaces=namespaces) == ()
    [statement] = sent
    assert [step for step in await plan_of(store, statement) if " upgrade " in step] == [
        "SCAN upgrade USING INDEX upgrade_waiting",
        "SCAN upgrade USING INDEX upgrade_paused",
    ]


async def test_states_of_processes_are_read_without_instances_and_old_versions(store: SqlStore) -> None:
    """Every console asks once a second."""
    await fill(store, 20)
    async with store.database.reading() as connection:
        pass
    with statements_on(connection) as sent:
        assert (await store.processes.states([ORDERS])).keys() == {ORDERS}
    [statement] = sent
    plan = await plan_of(store, statement)
    assert full_scans(plan) == []
    assert [step for step in plan if "cohort_count" in step] == [
        "SEARCH cohort_count USING PRIMARY KEY (process_id=?)"
    ]
    assert not any(INSTANCE.search(step) for step in plan)


async def test_a_page_of_many_processes_takes_no_statement_a_process(
    store: SqlStore, neighbour: SqlStore
) -> None:
    keys = [a_key(f"process-{number}") for number in range(300)]
    async with store.transaction() as transaction:
        for key in keys:
            await transaction.processes.add(a_stored_process(key))
            await transaction.processes.put_version(key, a_version(1), None)
            await transaction.instances.register(key, [an_instance(process=key)])
    async with neighbour.database.reading() as connection:
        pass
    with statements_on(connection) as sent:
        await neighbour.processes.page(PageRequest(first=300))
        await neighbour.processes.find_many(keys)
        await neighbour.processes.versions(keys)
        await neighbour.instances.cohorts(keys)
        await neighbour.instances.pages(keys, InstanceFilter(), PageRequest(first=3))
    assert len(sent) <= 10


async def test_pages_of_outcomes_take_few_different_statements_whichever_upgrades_they_are_of(
    store: SqlStore,
) -> None:
    """SQLAlchemy caches each statement: one statement for each mixture of upgrades would be a leak."""
    await fill(store, 2)
    ids = []
    for number, kind in enumerate([SelectionKind.BY_IDS, SelectionKind.ALL_ACTIVE] * 3):
        selection = selecting(kind, 2)
        async with store.transaction() as transaction:
            upgrade = await add_upgrade(transaction, an_upgrade(number, selection=kind), selection)
            await run_chunk(transaction, upgrade.id, 10)
        ids.append(upgrade.id)
    mixtures = [chosen for count in range(1, 7) for chosen in combinations(ids, count)]
    async with store.database.reading() as connection:
        pass
    with statements_on(connection) as sent:
        for chosen in mixtures:
            pages = await store.upgrades.outcome_pages(chosen, OutcomeFilter(), PageRequest(first=5))
            assert all(pages[upgrade_id].items for upgrade_id in chosen)
    listings = {statement.sql for statement in sent if "outcome" in statement.sql}
    assert len(mixtures) == 63
    assert len(listings) == 6, "a statement for each number of upgrades of a kind"
