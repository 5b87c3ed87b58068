"""Two servers share a file while many clients follow its upgrade, and one server stops in the middle."""

import asyncio
import logging
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx2
import pytest
from websockets.exceptions import ConnectionClosedError

from bench.memory import memory_of
from bench.soak.followers import ENDED, sent_events, socket_events
from tests.faults.conftest import Template
from tests.faults.population import must_be_all_done, must_tell_the_truth, progress_of, upgrades_in
from tests.faults.programs import TIMEOUT, Program, served, until
from tests.support.long_mode import IS_LONG
from uplift.domain import Role, UpgradeId
from uplift.gateway.auth.keys import create_key
from uplift.storage.database import Database
from uplift.storage.repositories.api_keys import SqlKeys

pytestmark = pytest.mark.faults

logger = logging.getLogger(__name__)

FOLLOWERS = 200 if IS_LONG else 20
"""Half of them by WebSocket, half by server-sent events; half at each server."""
OF_A_KEY = 10
"""Streams of one key, which may open fewer than all at a server."""
MAX_GROWTH = 64.0
"""MiB that a server may take for all its followers."""
MAX_PAUSE = 5.0
"""Seconds: far longer than /healthz takes, and shorter than a client waits."""
COUNTS = "query($id: UUID!) { upgrade(id: $id) { state total upgraded skipped expected } }"


class Seen(NamedTuple):
    """What a follower saw."""

    totals: Sequence[int]
    state: str | None


async def more_keys(file: Path) -> list[str]:
    database = Database.at(file)
    try:
        names = [f"follower {number}" for number in range(FOLLOWERS // OF_A_KEY)]
        made = [await create_key(SqlKeys(database), name=name, role=Role.READER) for name in names]
        return [token for _, token in made]
    finally:
        await database.close()


async def follow(events: AsyncIterator[Any], started: asyncio.Semaphore) -> Seen:
    """Follow until the stream ends, and check that nothing goes back."""
    totals: list[int] = []
    state = None
    with suppress(ConnectionClosedError, httpx2.RemoteProtocolError):  # from the server that stops
        async for event in events:
            assert state not in ENDED, "an event after the end"
            assert event["total"] == event["upgraded"] + event["skipped"] >= max(totals, default=0), event
            if not totals:
                started.release()
            totals.append(event["total"])
            state = event["state"]
    return Seen(totals, state)


async def followers(
    servers: Sequence[Program], keys: Sequence[str], upgrade: UUID, stack: AsyncExitStack
) -> list["asyncio.Task[Seen]"]:
    """Start all followers, and wait until each has seen the upgrade."""
    started = asyncio.Semaphore(0)
    tasks = []
    for number in range(FOLLOWERS):
        server, token = servers[number % 2], keys[number // OF_A_KEY]
        headers = {"authorization": f"Bearer {token}"}
        if number % 4 < 2:
            socket_url = server.url.replace("http", "ws", 1) + "/graphql"
            events = socket_events(socket_url, headers, UpgradeId(upgrade))
        else:
            http = httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=TIMEOUT)
            events = sent_events(await stack.enter_async_context(http), UpgradeId(upgrade))
        tasks.append(asyncio.create_task(follow(events, started)))
    async with asyncio.timeout(TIMEOUT):
        for _ in range(FOLLOWERS):
            await started.acquire()
    return tasks


def control(server: Program, mutation: str, upgrade: UUID) -> None:
    server.mutate(f"{mutation}(input: $input) {{ userErrors {{ code }} }}", {"id": str(upgrade)})


def counts(server: Program, upgrade: UUID) -> Any:
    return server.ask("/graphql", {"query": COUNTS, "variables": {"id": str(upgrade)}}).body["data"][
        "upgrade"
    ]


async def watch(server: Program, pauses: list[float], memory: list[float]) -> None:
    """Ask for the health of a server again and again, and measure how long that takes and its memory."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=TIMEOUT) as http:
        while True:
            began = time.perf_counter()
            assert (await http.get("/healthz")).status_code == 200
            pauses.append(time.perf_counter() - began)
            memory.append(memory_of(server.process.pid))
            await asyncio.sleep(0.05)


async def stop_one_in_the_middle(servers: Sequence[Program], file: Path, upgrade: UUID) -> int:
    """Stop the server that runs the upgrade while it does. Returns its number."""
    before = progress_of(file, upgrade).total
    holders: list[int] = []

    def is_run() -> bool:
        """Whether a server runs the upgrade, and has moved instances. Keeps the number of the server."""
        now = progress_of(file, upgrade)
        assert not now.is_completed, "the upgrade ended too soon"
        worker = now.worker or ""
        holders[:] = [n for n, server in enumerate(servers) if f":{server.process.pid}:" in worker]
        return now.total > before and holders != []

    await asyncio.to_thread(until, is_run, "a server runs the upgrade")
    [stopped] = holders
    assert await asyncio.to_thread(servers[stopped].stop) == 0
    return stopped


def test_each_follower_sees_progress_and_each_instance_moves_once(template: Template, file: Path) -> None:
    keys = asyncio.run(more_keys(file))

    async def run(servers: Sequence[Program]) -> tuple[UUID, Program]:
        upgrade = servers[0].upgrade_all_by_graphql("one")
        control(servers[1], "pauseUpgrade", upgrade)
        assert counts(servers[0], upgrade) == counts(servers[1], upgrade)
        before = [memory_of(server.process.pid) for server in servers]
        pauses: list[float] = []
        memory: tuple[list[float], list[float]] = ([], [])
        async with AsyncExitStack() as stack:
            tasks = await followers(servers, keys, upgrade, stack)
            watching = [
                asyncio.create_task(watch(server, pauses, found))
                for server, found in zip(servers, memory, strict=True)
            ]
            await asyncio.sleep(0)
            paused = progress_of(file, upgrade).total
            await asyncio.to_thread(control, servers[0], "resumeUpgrade", upgrade)
            stopped = await stop_one_in_the_middle(servers, file, upgrade)
            assert not must_tell_the_truth(file, upgrade, template.file).is_completed
            seen = await asyncio.wait_for(asyncio.gather(*tasks), TIMEOUT)
            for task in watching:
                task.cancel()
        for number, follower in enumerate(seen):
            assert follower.totals[0] == paused
            if number % 2 != stopped:
                assert follower.state == "COMPLETED"
                assert len(follower.totals) > 1
        growth = [max(found) - start for found, start in zip(memory, before, strict=True)]
        assert max(growth) < MAX_GROWTH, growth
        assert max(pauses) < MAX_PAUSE, pauses
        median, most = statistics.median(pauses), max(pauses)
        logger.info("%d followers: %s MiB, /healthz %.3f s, at most %.3f s", FOLLOWERS, growth, median, most)
        return upgrade, servers[1 - stopped]

    with ExitStack() as stack:
        servers = [stack.enter_context(served(file, template.key)) for _ in range(2)]
        assert servers[0].url != servers[1].url
        upgrade, survivor = asyncio.run(run(servers))
        shown = counts(survivor, upgrade)
        assert (shown["state"], shown["total"]) == ("COMPLETED", shown["expected"])
        assert survivor.is_running
    must_be_all_done(file, upgrade, template.file)
    assert upgrades_in(file) == [upgrade]
