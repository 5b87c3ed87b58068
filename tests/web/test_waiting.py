"""Tests how long a client waits for the end of an upgrade."""

import asyncio

import pytest
from starlette.types import Message

from uplift.domain import (
    Upgrade,
    UpgradeState,
    Worker,
    all_active,
    claim,
    create_process,
    publish_version,
    register_instances,
    request_upgrade,
    run_upgrade,
    save_draft,
)
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.model.request import UpgradeRequest
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ADMIN, ORDERS, an_instance
from uplift.web.waiting import disconnection, wait_for_end

pytestmark = pytest.mark.anyio

SMALL = Worker(name="small", chunk_policy=ChunkPolicy(inline_limit=1, initial_size=1, min_size=1, max_size=1))


@pytest.fixture
def store() -> InMemoryStore:
    return InMemoryStore()


@pytest.fixture
async def queued(store: InMemoryStore) -> Upgrade:
    """An upgrade of two instances that waits for a worker."""
    await create_process(store, namespace=ORDERS.namespace, code=ORDERS.code, title=None, caller=ADMIN)
    for _ in range(2):
        await save_draft(store, process=ORDERS, model=None, caller=ADMIN)
        await publish_version(store, process=ORDERS, caller=ADMIN)
    instances = [an_instance(number, version=1) for number in (1, 2)]
    await register_instances(store, process=ORDERS, instances=instances, caller=ADMIN)
    request = UpgradeRequest(process=ORDERS, selection=all_active())
    return await request_upgrade(store, request, caller=ADMIN, worker=SMALL)


async def run(store: InMemoryStore) -> None:
    upgrade = await claim(store, SMALL)
    assert upgrade is not None
    await run_upgrade(store, upgrade, SMALL)


async def never() -> None:
    await asyncio.Event().wait()


async def test_waits_until_the_upgrade_is_finished(store: InMemoryStore, queued: Upgrade) -> None:
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(run(store))
        finished = await wait_for_end(
            store, queued, max_seconds=None, stopping=asyncio.Event(), disconnected=never
        )
    assert (finished.state, finished.total) == (UpgradeState.COMPLETED, 2)


async def test_does_not_wait_for_a_finished_upgrade(store: InMemoryStore, queued: Upgrade) -> None:
    await run(store)
    finished = await store.upgrades.find(queued.id)
    assert finished is not None
    assert await wait_for_end(store, finished, max_seconds=None, stopping=asyncio.Event()) is finished


async def test_the_time_is_limited(store: InMemoryStore, queued: Upgrade) -> None:
    async with asyncio.timeout(10):
        upgrade = await wait_for_end(store, queued, max_seconds=0.01, stopping=asyncio.Event())
    assert upgrade.state is UpgradeState.QUEUED


@pytest.mark.parametrize("ends_by", ["the server", "the client"])
async def test_ends_with_the_server_or_the_client_and_leaves_nothing_running(
    store: InMemoryStore, queued: Upgrade, ends_by: str
) -> None:
    stopping, disconnected = asyncio.Event(), asyncio.Event()
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(
        wait_for_end(store, queued, max_seconds=None, stopping=stopping, disconnected=disconnected.wait)
    )
    await asyncio.sleep(0.01)
    assert not waiting.done()
    (stopping if ends_by == "the server" else disconnected).set()
    async with asyncio.timeout(10):
        assert (await waiting).state is UpgradeState.QUEUED
    assert asyncio.all_tasks() == before


async def test_knows_when_its_client_disconnects() -> None:
    messages: list[Message] = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return messages.pop(0)

    await disconnection(receive)
    assert messages == []
