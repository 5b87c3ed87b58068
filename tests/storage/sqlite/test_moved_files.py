"""A store refuses all work once its files are no longer in their places, and goes on when they are back."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from uplift.domain import register_instances
from uplift.domain.errors import StoreUnavailable
from uplift.storage.sqlite import files
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, an_instance, instances
from uplift.testing.stores import instances_of

pytestmark = pytest.mark.anyio

MOVED = "was moved, deleted or replaced while this program has it open"


@pytest.fixture(autouse=True)
def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHECK_INTERVAL", 0.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in a folder of its own, which can be moved."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder / "uplift.db"


def beside(file: Path, suffix: str) -> Path:
    return file.with_name(f"{file.name}{suffix}")


def names_beside(file: Path) -> set[str]:
    return {path.name for path in file.parent.iterdir()}


def delete(file: Path) -> None:
    file.unlink()


def move(file: Path) -> None:
    file.rename(beside(file, ".old"))


def replace(file: Path) -> None:
    """Put a copy in its place, as the restore of a backup does."""
    copy = Path(shutil.copyfile(file, beside(file, ".copy")))
    copy.rename(file)


def delete_wal(file: Path) -> None:
    beside(file, "-wal").unlink()


def delete_shm(file: Path) -> None:
    beside(file, "-shm").unlink()


def move_folder(file: Path) -> None:
    file.parent.rename(file.parent.with_name("elsewhere"))


def delete_folder(file: Path) -> None:
    shutil.rmtree(file.parent)


async def register(store: SqlStore, number: int) -> None:
    await register_instances(store, process=ORDERS, instances=instances([number]), caller=ADMIN)


async def must_refuse_all(store: SqlStore) -> None:
    with pytest.raises(StoreUnavailable, match=MOVED):
        await register(store, 2)
    with pytest.raises(StoreUnavailable, match=MOVED):
        await instances_of(store, ORDERS)
    with pytest.raises(StoreUnavailable, match=MOVED):
        await store.database.ping()


@pytest.mark.parametrize(
    "change", [delete, move, replace, delete_wal, delete_shm, move_folder, delete_folder]
)
async def test_all_work_is_refused_when_a_file_is_not_in_its_place(
    store: SqlStore, file: Path, change: Callable[[Path], None]
) -> None:
    await a_process(store, holding=[an_instance(1)])
    change(file)
    await must_refuse_all(store)


async def test_no_connection_creates_the_files_anew(store: SqlStore, file: Path) -> None:
    """The store has opened one connection for reads so far, and would open more for several at once."""
    await a_process(store, holding=[an_instance(1)])
    async with store.database.reading():
        delete(file)
        with pytest.raises(StoreUnavailable, match=MOVED):
            async with store.database.reading():
                pass
        assert names_beside(file) == {"uplift.db-wal", "uplift.db-shm"}
    beside(file, "-wal").unlink()
    await must_refuse_all(store)
    assert names_beside(file) == {"uplift.db-shm"}


@pytest.mark.parametrize("change", [move, move_folder])
async def test_work_goes_on_when_the_files_are_back(
    store: SqlStore, file: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    await a_process(store, holding=[an_instance(1)])
    change(file)
    await must_refuse_all(store)
    if change is move:
        beside(file, ".old").rename(file)
    else:
        (tmp_path / "elsewhere").rename(file.parent)
    await store.database.ping()
    await register(store, 3)
    assert await instances_of(store, ORDERS) == instances([1, 3])


async def test_a_commit_to_a_file_that_is_gone_is_not_acknowledged(store: SqlStore, file: Path) -> None:
    await a_process(store)

    async def write() -> None:
        async with store.transaction() as transaction:
            await transaction.instances.register(ORDERS, instances([1]))
            move(file)

    with pytest.raises(StoreUnavailable, match=MOVED):
        await write()


async def test_a_new_store_opens_whatever_file_is_there(store: SqlStore, file: Path) -> None:
    await a_process(store)
    await store.close()
    delete(file)
    again = await SqlStore.open(file)
    await again.database.ping()
    await again.close()


@pytest.mark.parametrize("place", ["file", "folder"])
async def test_a_read_only_file_or_folder_is_not_ready(
    store: SqlStore, file: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_only = str(file if place == "file" else file.parent)
    # Permissions do not bind root, who may run the tests.
    monkeypatch.setattr(os, "access", lambda path, _: path != read_only)
    with pytest.raises(StoreUnavailable, match="the database file or its folder is read-only"):
        await store.database.ping()


async def test_a_full_disk_is_not_ready(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [255]
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free[0], f_frsize=4_096))
    with pytest.raises(StoreUnavailable, match="the disk of the database is full"):
        await store.database.ping()
    free[0] = 256
    await store.database.ping()
