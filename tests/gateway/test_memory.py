"""Tests that garbage is collected at quiet times only."""

import gc
import platform
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from uplift.gateway.memory import DUE_AFTER, GROWTH_BYTES, MAX_POSTPONED, QuietCollection
from uplift.storage.database import Database
from uplift.web.request_memory import LARGE_BYTES, RequestMemory

pytestmark = pytest.mark.anyio


class Node:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture
def garbage() -> Iterator[weakref.ref[Node]]:
    """A reference cycle that only a collection frees, while Python makes none itself."""
    gc.collect()
    gc.disable()
    yield weakref.ref(Node())
    gc.enable()


@pytest.fixture
def memory() -> RequestMemory:
    return RequestMemory(max_body_bytes=LARGE_BYTES)


@pytest.fixture
async def database(folder: Path) -> AsyncIterator[Database]:
    database = await Database.open(folder / "uplift.sqlite")
    yield database
    await database.close()


async def test_garbage_is_collected_once_no_large_request_is_processed(
    memory: RequestMemory, database: Database, garbage: weakref.ref[Node]
) -> None:
    collection = QuietCollection(memory, database)
    with memory.held("caller") as held, memory.held("caller") as small:
        held.add_bytes(LARGE_BYTES)
        await collection.look()
        assert garbage() is not None
        held.release()
        small.add_bytes(1)
        await collection.look()
        assert garbage() is None


async def test_garbage_is_collected_although_large_requests_never_end(
    memory: RequestMemory, database: Database, garbage: weakref.ref[Node]
) -> None:
    collection = QuietCollection(memory, database)
    with memory.held("caller") as held:
        held.add_bytes(LARGE_BYTES)
        for _ in range(MAX_POSTPONED):
            await collection.look()
        assert garbage() is not None
        await collection.look()
        assert garbage() is None


async def test_a_large_request_counts_once_however_it_arrives(memory: RequestMemory) -> None:
    with memory.held("caller") as held:
        for _ in range(4):
            held.add_bytes(LARGE_BYTES // 2)
        assert (memory.large_begun, memory.large_now) == (1, 1)
    assert (memory.large_begun, memory.large_now) == (1, 0)


async def test_few_new_objects_are_not_collected(
    memory: RequestMemory, database: Database, garbage: weakref.ref[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = QuietCollection(memory, database)
    await collection.look()
    assert garbage() is not None
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, DUE_AFTER))
    await collection.look()
    assert garbage() is None


async def test_free_memory_is_returned_once_the_program_has_grown(
    memory: RequestMemory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    resident = [0, GROWTH_BYTES, GROWTH_BYTES + 1, 5, GROWTH_BYTES + 5, GROWTH_BYTES + 6, 5]
    monkeypatch.setattr("uplift.gateway.memory.resident_bytes", lambda: resident.pop(0))
    returned: list[int] = []
    monkeypatch.setattr("uplift.gateway.memory.return_memory", lambda: returned.append(len(resident)))
    collection = QuietCollection(memory, database)
    with memory.large_reply():  # beside large replies as well
        for _ in range(4):
            await collection.look()
    assert returned == [4, 1]


THREADS_WITH_ONE_HEAP = """
import ctypes, threading
from uplift.gateway.memory import use_one_heap
use_one_heap()
held = []
def hold():
    held.append([bytearray(10_000) for _ in range(20)])
threads = [threading.Thread(target=hold) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
library = ctypes.CDLL(None)
library.malloc_info(0, ctypes.c_void_p.in_dll(library, "stdout"))
library.fflush(None)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has a heap for each thread")
def test_all_threads_take_memory_from_one_heap() -> None:
    done = subprocess.run(
        [sys.executable, "-c", THREADS_WITH_ONE_HEAP], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("<heap ") == 1
