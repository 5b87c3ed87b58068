"""A chunk moves the same instances, whether it finds them along an index or by reading a range of ids."""

from pathlib import Path

import pytest

from tests.support.stores import an_open_database
from uplift.domain import Selection, Status, all_active, matching, register_instances, upgrade_instances
from uplift.domain.model.request import UpgradeRequest
from uplift.storage.chunks import sqlite as sqlite_chunks
from uplift.testing.builders import ADMIN, INVOICES, ORDERS, a_process, a_worker, an_id, an_instance, at
from uplift.testing.stores import outcomes_of, require_right_counts

pytestmark = pytest.mark.anyio

COUNT = 60


@pytest.mark.parametrize(
    "selection",
    [all_active([an_id(9), an_id(24)]), matching(versions=[1], elements=["go"], excluded=[an_id(9)])],
    ids=["all active", "matching"],
)
async def test_both_ways_move_the_same_instances(
    tmp_path: Path, selection: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for dense in (0, COUNT):
        monkeypatch.setattr(sqlite_chunks, "DENSE", dense)
        async with an_open_database(tmp_path / f"{dense}.db") as store:
            for process in (ORDERS, INVOICES):
                await a_process(store, process)
            for number in range(COUNT):
                held = an_instance(
                    number,
                    process=INVOICES if number % 4 == 2 else ORDERS,
                    status=Status.COMPLETED if number % 5 == 0 else Status.PENDING,
                    position=at("go" if number % 3 == 0 else "stay"),
                )
                await register_instances(store, process=held.process, instances=[held], caller=ADMIN)
            request = UpgradeRequest(process=ORDERS, selection=selection)
            done = await upgrade_instances(store, request, caller=ADMIN, worker=a_worker(size=7))
            assert done.upgraded > 7
            await require_right_counts(store)
            results.append((done.upgraded, done.skipped, await outcomes_of(store, done.id)))
    assert results[0] == results[1]
