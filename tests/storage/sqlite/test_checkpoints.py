"""Checkpoints move commits from the WAL into the file without making writers wait."""

import logging
import math
from asyncio import all_tasks, gather
from pathlib import Path

import pytest

from uplift.domain import register_instances
from uplift.storage.sqlite import backend as sqlite
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, INVOICES, ORDERS, a_process, instances

pytestmark = pytest.mark.anyio


async def wal_after_many_commits(file: Path) -> int:
    """The size of the WAL in bytes. SQLite reuses the file and never shortens it."""
    store = await SqlStore.open(file)
    others = all_tasks()
    await a_process(store)
    for number in range(40):
        batch = instances(range(200 * number, 200 * number + 200))
        await register_instances(store, process=ORDERS, instances=batch, caller=ADMIN)
        await gather(*(all_tasks() - others))  # a checkpoint, if there is one
    size = file.with_name(f"{file.name}-wal").stat().st_size
    await store.close()
    return size


async def test_the_wal_begins_anew_while_there_are_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "WAL_RESET_PAGES", 1)
    monkeypatch.setattr(sqlite, "CHECKPOINT_INTERVAL", math.inf)
    without_reset = await wal_after_many_commits(tmp_path / "without-reset.sqlite")
    monkeypatch.setattr(sqlite, "CHECKPOINT_INTERVAL", 0)
    assert await wal_after_many_commits(tmp_path / "reset.sqlite") < without_reset / 3


async def test_a_checkpoint_that_fails_is_logged_and_harms_nobody(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite, "CHECKPOINT", "PRAGMA wal_checkpoint(")
    store = await SqlStore.open(file)
    with caplog.at_level(logging.WARNING, logger="uplift.storage.sqlite.backend"):
        await a_process(store)
        await store.close()
    assert "Expected to move the WAL into the file, but the database says" in caplog.text
    again = await SqlStore.open(file)
    assert await again.processes.find(ORDERS) is not None
    assert await again.processes.find(INVOICES) is None
    await again.close()
