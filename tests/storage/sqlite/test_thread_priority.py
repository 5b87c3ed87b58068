"""Only the threads of background connections have a lower priority."""

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from uplift.domain import all_active, upgrade_instances
from uplift.domain.model.request import UpgradeRequest
from uplift.storage.sqlite.driver import SqliteConnection
from uplift.storage.sqlite.thread_priority import NICE, SLICE_NS, lower_thread_priority
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, instances

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.uname().sysname != "Linux", reason="only Linux has a niceness for each thread"),
]

KERNEL = tuple(int(number) for number in os.uname().release.split("-")[0].split(".")[:2])


def niceness(_: sqlite3.Connection | None = None) -> int:
    """The niceness of the calling thread."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


async def niceness_of_writers(store: SqlStore, *, in_background: bool) -> int:
    async with store.database.writing(in_background=in_background) as connection:
        assert isinstance(connection, SqliteConnection)
        nice: int = await connection.run_in_thread(niceness)
    return nice


async def test_chunks_let_requests_go_first(store: SqlStore) -> None:
    own = niceness()
    await a_process(store, holding=instances(range(5)))
    done = await upgrade_instances(
        store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN
    )
    assert done.upgraded == 5
    assert await niceness_of_writers(store, in_background=True) == max(NICE, own)
    assert await niceness_of_writers(store, in_background=False) == own == niceness()


def test_only_the_calling_thread_gets_a_lower_priority_and_may_call_again() -> None:
    with ThreadPoolExecutor(1) as behind, ThreadPoolExecutor(1) as beside:
        for _ in range(2):
            behind.submit(lower_thread_priority).result()
        assert behind.submit(niceness).result() == max(NICE, niceness())
        assert beside.submit(niceness).result() == niceness()


@pytest.mark.skipif(KERNEL < (6, 12), reason="Linux knows slices since 6.12")
def test_the_thread_asks_for_long_slices() -> None:
    with ThreadPoolExecutor(1) as behind:
        thread = behind.submit(threading.get_native_id).result()
        behind.submit(lower_thread_priority).result()
        scheduling = Path(f"/proc/self/task/{thread}/sched").read_text()
    slices = [line for line in scheduling.splitlines() if line.startswith("se.slice")]
    assert [line.split(":")[1].strip() for line in slices] == [str(SLICE_NS)]


def test_a_thread_that_was_nicer_before_stays_so() -> None:
    def be_nicer_first() -> int:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
        lower_thread_priority()
        return niceness()

    with ThreadPoolExecutor(1) as behind:
        assert behind.submit(be_nicer_first).result() == 15


def test_a_thread_that_must_not_change_its_niceness_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", forbid)
    with ThreadPoolExecutor(1) as behind:
        behind.submit(lower_thread_priority).result()
