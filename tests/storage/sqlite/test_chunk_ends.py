"""The end of a chunk is found in the pause before it, while other programs may write."""

import re

import pytest

from uplift.domain import all_active, matching, upgrade_instances
from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import Selection
from uplift.storage.sqlite.driver import SqliteConnection
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, an_upgrade, instances
from uplift.testing.chunk_work import add_upgrade
from uplift.testing.upgrade_work import SMALL

pytestmark = pytest.mark.anyio

FINDS_AN_END = re.compile(r"SELECT instance\.id\s.*\bOFFSET\b", re.DOTALL)
BOTH_SELECTIONS = pytest.mark.parametrize("selection", [all_active(), matching()], ids=lambda it: it.kind)


@BOTH_SELECTIONS
async def test_the_store_finds_the_end_of_a_chunk(store: SqlStore, selection: Selection) -> None:
    await a_process(store, holding=instances(range(5)))
    async with store.transaction() as transaction:
        upgrade = await add_upgrade(transaction, an_upgrade(selection=selection.kind), selection)
    [partition] = (await store.partitions.remaining([upgrade.id]))[upgrade.id]
    ends = [await store.partitions.end_of_chunk(upgrade, partition, size) for size in (2, 4, 5, 6)]
    assert None not in ends
    assert len(set(ends)) == 3
    assert ends[2:] == [partition.last] * 2


@BOTH_SELECTIONS
async def test_a_chunk_looks_for_its_end_before_its_transaction(
    store: SqlStore, selection: Selection
) -> None:
    await a_process(store, holding=instances(range(10)))
    executed: list[str] = []
    async with store.database.writing(in_background=True) as connection:
        assert isinstance(connection, SqliteConnection)
        await connection.run_in_thread(lambda raw: raw.set_trace_callback(executed.append))
    executed.clear()
    request = UpgradeRequest(process=ORDERS, selection=selection)
    assert (await upgrade_instances(store, request, caller=ADMIN, worker=SMALL)).upgraded == 10
    within, outside = looks_for_ends(executed)
    assert (within, outside) == (1, 4)  # nothing precedes the first of five chunks


async def test_a_chunk_finds_its_end_itself_if_the_file_was_locked_before_it(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_process(store, holding=instances(range(10)))

    async def locked(*_: object) -> int | None:
        raise StoreUnavailable("database is locked")

    monkeypatch.setattr(type(store.partitions), "end_of_chunk", locked)
    request = UpgradeRequest(process=ORDERS, selection=all_active())
    assert (await upgrade_instances(store, request, caller=ADMIN, worker=SMALL)).upgraded == 10


def looks_for_ends(executed: list[str]) -> tuple[int, int]:
    """How many statements look for the end of a chunk within a transaction that writes, and outside."""
    counts = {True: 0, False: 0}
    is_writing = False
    for statement in executed:
        if statement.startswith("BEGIN IMMEDIATE"):
            is_writing = True
        elif statement.startswith(("COMMIT", "ROLLBACK")):
            is_writing = False
        elif FINDS_AN_END.match(statement):
            counts[is_writing] += 1
    return counts[True], counts[False]
