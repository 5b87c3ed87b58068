"""A worker reports each of its chunks once, after the commit."""

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
    """Records the reported chunks."""

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
        """The reported chunks add up to the counts of the upgrade."""
        assert self.chunks[-1].upgrade == upgrade
        assert sum(chunk.upgraded for chunk in self.chunks) == upgrade.upgraded
        skipped = sum(counted.count for chunk in self.chunks for counted in chunk.skipped)
        assert skipped + sum(chunk.not_found for chunk in self.chunks) == upgrade.skipped


def a_reporting_worker(book: Book, size: int) -> Worker:
    return replace(a_worker("reporting", size=size), on_chunk=book.keep)


async def a_mixed_process(store: Store) -> None:
    await a_process(
        store,
        holding=[
            *instances(range(5)),
            an_instance(5, status=Status.RUNNING),
            an_instance(6, version=2, status=Status.RUNNING),
        ],
    )


async def test_a_worker_reports_every_chunk(store: Store) -> None:
    await a_mixed_process(store)
    book = Book()
    worker = a_reporting_worker(book, size=2)
    queued = await request(store, worker=worker)
    assert book.chunks == []
    book.must_agree(await work(store, queued.id, worker))
    assert len(book.chunks) > 2
    assert book.reasons == {ReasonCode.NOT_PENDING: 2, ReasonCode.ALREADY_LATEST: 1}


async def test_an_inline_upgrade_is_reported_too(store: Store) -> None:
    await a_mixed_process(store)
    book = Book()
    done = await request(store, by_ids([an_id(0), an_id(404)]), worker=a_reporting_worker(book, size=100))
    book.must_agree(done)
    assert book.reasons == {ReasonCode.INSTANCE_NOT_FOUND: 1}


async def test_a_chunk_that_is_rolled_back_is_not_reported(store: Store) -> None:
    await a_mixed_process(store)
    book = Book()
    worker = a_reporting_worker(book, size=2)
    claimed = await taken(store, (await request(store, worker=worker)).id, worker)

    def broken_clock() -> datetime:
        raise LookupError("no time")

    with pytest.raises(LookupError):  # the last that a chunk asks for is a new lease
        await run_upgrade(store, claimed, replace(worker, clock=broken_clock))
    assert book.chunks == []
