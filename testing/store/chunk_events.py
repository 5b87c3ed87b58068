"""A worker's chunks are told to whoever keeps count: each once, and only what is committed."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from uplift.domain import ReasonCode, Status, Upgrade, Worker, by_ids, run_upgrade
from uplift.domain.model.chunk import ChunkResult
from uplift.domain.model.decision import count_reasons
from uplift.domain.ports import Store
from uplift.testing.builders import a_process, a_worker, an_id, an_instance, instances
from uplift.testing.upgrade_work import request, taken, work

pytestmark = pytest.mark.anyio


class Book:
    """Keeps count of what it is told."""

    def __init__(self) -> None:
        self.chunks: list[ChunkResult] = []

    def keep(self, chunk: ChunkResult, took: timedelta) -> None:
        assert took > timedelta()
        self.chunks.append(chunk)

    @property
    def reasons(self) -> Counter[ReasonCode]:
        counts: Counter[ReasonCode] = Counter()
        for chunk in self.chunks:
            counts.update(count_reasons(chunk.skipped, not_found=chunk.not_found))
        return counts

    def must_agree(self, upgrade: Upgrade) -> None:
        """What was told adds up to what the upgrade says."""
        assert self.chunks[-1].upgrade == upgrade
        assert sum(chunk.upgraded for chunk in self.chunks) == upgrade.upgraded
        skipped = sum(counted.count for chunk in self.chunks for counted in chunk.skipped)
        assert skipped + sum(chunk.not_found for chunk in self.chunks) == upgrade.skipped


def a_telling_worker(book: Book, size: int) -> Worker:
    return replace(a_worker("telling", size=size), on_chunk=book.keep)


async def a_mixed_process(store: Store) -> None:
    await a_process(
        store,
        holding=[
            *instances(range(5)),
            an_instance(5, status=Status.RUNNING),
            an_instance(6, version=2, status=Status.RUNNING),
        ],
    )


async def test_every_chunk_of_a_worker_is_told(store: Store) -> None:
    await a_mixed_process(store)
    book = Book()
    worker = a_telling_worker(book, size=2)
    queued = await request(store, worker=worker)
    assert book.chunks == []
    book.must_agree(await work(store, queued.id, worker))
    assert len(book.chunks) > 2
    assert book.reasons == {ReasonCode.NOT_PENDING: 2, ReasonCode.ALREADY_LATEST: 1}


async def test_what_is_upgraded_at_once_is_told_too(store: Store) -> None:
    await a_mixed_process(store)
    book = Book()
    done = await request(store, by_ids([an_id(0), an_id(404)]), worker=a_telling_worker(book, size=100))
    book.must_agree(done)
    assert book.reasons == {ReasonCode.INSTANCE_NOT_FOUND: 1}


async def test_what_is_rolled_back_is_not_told(store: Store) -> None:
    await a_mixed_process(store)
    book = Book()
    worker = a_telling_worker(book, size=2)
    claimed = await taken(store, (await request(store, worker=worker)).id, worker)

    def broken_clock() -> datetime:
        raise LookupError("no time")

    with pytest.raises(LookupError):  # the last that a chunk asks for is a new lease
        await run_upgrade(store, claimed, replace(worker, clock=broken_clock))
    assert book.chunks == []
