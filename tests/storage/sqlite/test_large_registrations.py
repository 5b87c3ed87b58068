"""Tests that a large registration or report lets the event loop serve others in between."""

import asyncio
import threading
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from uplift.domain import register_instances, report_instances
from uplift.domain.concurrency import PIECE
from uplift.domain.model.instance import InstanceId, InstanceReport, Position, Status
from uplift.storage.repositories import instances as repository
from uplift.storage.sql.id_list import bind_ids
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.statements.instances.instances import INSERT_PIECE
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, an_instance, at
from uplift.testing.stores import instances_of

pytestmark = pytest.mark.anyio

COUNT = 4 * INSERT_PIECE


class CountingUuid(UUID):
    """An id that counts how often the event loop's thread hashes such ids."""

    __slots__ = ()
    hashed = 0

    def __hash__(self) -> int:
        if threading.current_thread() is threading.main_thread():
            CountingUuid.hashed += 1
        return super().__hash__()


async def longest_step(work: Awaitable[object]) -> int:
    """The largest number of ids that the event loop hashes in one step during the work."""
    steps = [0]

    async def watch() -> None:
        while True:
            before = CountingUuid.hashed
            await asyncio.sleep(0)
            steps.append(CountingUuid.hashed - before)

    watching = asyncio.create_task(watch())
    await work
    watching.cancel()
    return max(steps)


async def test_many_new_positions_are_stored_in_small_steps(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    digested = 0

    def count(keys: SurrogateKeys, position: Position) -> bytes:
        nonlocal digested
        digested += 1
        return digest(keys, position)

    digest = SurrogateKeys._digest
    monkeypatch.setattr(SurrogateKeys, "_digest", count)
    await a_process(store, ORDERS)
    new = [an_instance(number, position=at(f"e{number}")) for number in range(5 * PIECE)]
    steps: list[int] = []

    async def watch() -> None:
        while True:
            before = digested
            await asyncio.sleep(0)
            steps.append(digested - before)

    watching = asyncio.create_task(watch())
    await register_instances(store, process=ORDERS, instances=new, caller=ADMIN)
    watching.cancel()
    assert 0 < max(steps) <= 2 * PIECE
    assert await instances_of(store, ORDERS) == new


async def test_a_large_registration_or_report_is_processed_in_small_steps(store: SqlStore) -> None:
    await a_process(store, ORDERS)
    position = at("a")
    new = [
        replace(an_instance(number, position=position), id=InstanceId(CountingUuid(int=number)))
        for number in range(COUNT)
    ]
    for _ in range(2):  # at first they are new, then they are known
        step = await longest_step(register_instances(store, process=ORDERS, instances=new, caller=ADMIN))
        assert 0 < step <= INSERT_PIECE
    reports = [InstanceReport(id=known.id, status=Status.RUNNING, position=position) for known in new]
    assert 0 < await longest_step(report_instances(store, reports=reports, caller=ADMIN)) <= INSERT_PIECE


async def test_known_instances_are_read_in_pieces(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the rows of a large registration are never in memory all at once."""
    known = [an_instance(number, position=at(f"e{number % 3}")) for number in range(20)]
    await a_process(store, ORDERS, holding=known)
    listed: list[int] = []

    def note(ids: Sequence[UUID]) -> dict[str, Any]:
        listed.append(len(ids))
        return bind_ids(ids)

    monkeypatch.setattr(repository, "bind_ids", note)
    monkeypatch.setattr(repository, "LOCK_PIECE", 8)
    new = an_instance(99, position=at("e7"))
    changed = [replace(instance, status=Status.RUNNING, position=at("e7")) for instance in known[5:]]
    await register_instances(store, process=ORDERS, instances=[*changed[::-1], new], caller=ADMIN)
    assert listed == [8, 8]
    assert await instances_of(store, ORDERS) == [*known[:5], *changed, new]
