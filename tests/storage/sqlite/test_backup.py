"""A backup of a database in use can be opened, and its unfinished upgrades go on from their cursors."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from uplift.domain import UpgradeState
from uplift.storage.store import SqlStore
from uplift.testing.builders import EVENING, ORDERS, a_clock, a_process, a_worker, an_instance, instances
from uplift.testing.stores import everything_in, instances_of
from uplift.testing.upgrade_work import request, work, work_and_die

pytestmark = pytest.mark.anyio

LATER = a_worker("later", size=2, clock=a_clock(EVENING))
"""A worker that starts after the lease of the dead worker has expired."""


def by_vacuum(file: Path, copy: Path) -> None:
    """As `sqlite3 file "VACUUM INTO 'copy'"`."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))


def by_backup(file: Path, copy: Path) -> None:
    """As `sqlite3 file ".backup copy"`."""
    with closing(sqlite3.connect(file)) as connection, closing(sqlite3.connect(copy)) as target:
        connection.backup(target)


@pytest.mark.parametrize("back_up", [by_vacuum, by_backup])
async def test_a_backup_of_a_running_upgrade_goes_on_where_it_was(
    store: SqlStore, file: Path, tmp_path: Path, back_up: Callable[[Path, Path], None]
) -> None:
    await a_process(store, holding=[*instances(range(6)), an_instance(6, version=2)])
    queued = await request(store)
    await work_and_die(store, queued.id, chunks=1)
    before, copy = await everything_in(store), tmp_path / "copy.sqlite"
    back_up(file, copy)
    await work(store, queued.id, LATER)
    restored = await SqlStore.open(copy)
    assert await everything_in(restored) == before
    done = await work(restored, queued.id, LATER)
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 6, 1)
    assert await instances_of(restored, ORDERS) == await instances_of(store, ORDERS)
    await restored.close()
