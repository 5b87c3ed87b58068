"""Starts the server and all clients, ends them, and collects the report."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from subprocess import TimeoutExpired
from typing import Any

import httpx2
from sqlalchemy.engine import URL

from bench.soak.client import TIMEOUT, Client, Shift
from bench.soak.engines import Engine, Publisher
from bench.soak.followers import Follower
from bench.soak.heavy import HeavyCaller, heavy_requests
from bench.soak.ledger import Ledger
from bench.soak.measures import Measures, table
from bench.soak.operators import OperationsClient
from bench.soak.readers import Reader
from bench.soak.verdict import broken_laws
from bench.soak.world import World, populate
from bench.worst_requests import Worst, add_large
from tests.faults.programs import Program, served

PUBLISH_EVERY = 2.0
"""Seconds between two new versions."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a soak test."""

    seconds: float
    measures: Measures
    broken: list[str]

    @property
    def is_good(self) -> bool:
        return not self.broken and not self.measures.unexpected

    def lines(self) -> Iterator[str]:
        yield from table(self.measures, self.seconds)
        yield f"unexpected answers: {len(self.measures.unexpected)}"
        yield from self.measures.unexpected[:20]
        yield f"broken laws: {len(self.broken)}"
        yield from self.broken


async def soak(
    database: Path | URL,
    folder: Path,
    *,
    seed: int,
    instances: int,
    each: int = 3,
    heavy: bool = False,
    rounds: float = float("inf"),
    seconds: float = float("inf"),
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Let all clients work on a server at once, then compare its database with what they know.

    The new database is filled with `instances` instances, and there are `each` clients of each kind. The
    server writes its log to `folder`. If `heavy`, another client sends the requests that cost a server most.
    `say` reports each wait, which ends after TIMEOUT.
    """
    world = await populate(database, instances, Random(seed))
    if heavy:
        await add_large(database)
    measures = Measures()
    with served(database, world.key, folder=folder) as server:
        _ = server.url  # waits until it serves
        requests = heavy_requests() if heavy else ()
        crew = Crew(
            server=server, world=world, measures=measures, seed=seed, each=each, heavy=requests, say=say
        )
        took = await crew.work(Shift(rounds=rounds, seconds=seconds))
        say(f"Waiting until the server has stopped, at most {TIMEOUT:.0f} s.")
        await asyncio.to_thread(stop, server, measures)
    broken = await judged(database, world.ledger, TIMEOUT + seconds, say)
    return Report(seconds=took, measures=measures, broken=broken)


async def judged(
    database: Path | URL, ledger: Ledger, timeout: float, say: Callable[[str], None]
) -> list[str]:
    """The laws that the database breaks, or a message that the comparison took too long."""
    many = f"{len(ledger.instances):,} instances and {len(ledger.upgrades):,} upgrades"
    say(f"Waiting until {many} are compared with what clients observed, at most {timeout:.0f} s.")
    try:
        async with asyncio.timeout(timeout):
            return await broken_laws(database, ledger)
    except TimeoutError:
        return [f"they could not be compared within {timeout:.0f} s"]


def stop(server: Program, measures: Measures) -> None:
    """Stop the server, and record the errors in its log."""
    server.process.send_signal(signal.SIGTERM)
    with suppress(TimeoutExpired):
        server.process.wait(TIMEOUT)
    if server.process.returncode != 0:
        measures.unexpected.append(f"the server ended with {server.process.returncode}")
    measures.unexpected += complaints(server.log)


def complaints(log: str) -> list[str]:
    """The error lines in the log of a server."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [f"the server says: {line}" for line in lines if line["level"] in ("error", "critical")]


@dataclass(frozen=True, kw_only=True)
class Crew:
    """All clients of one server."""

    server: Program
    world: World
    measures: Measures
    seed: int
    each: int
    heavy: Sequence[Worst]
    say: Callable[[str], None]

    async def work(self, shift: Shift) -> float:
        """Run all clients at once, then wait for all upgrades. Returns the seconds of client work."""
        async with AsyncExitStack() as stack:

            async def clients(kind: str) -> list[Client]:
                names = [f"{kind} {number}" for number in range(self.each)]
                return [await stack.enter_async_context(self._client(name)) for name in names]

            held = self.world.held
            engines = [
                Engine(client, held[number :: self.each])
                for number, client in enumerate(await clients("engine"))
            ]
            readers = [Reader(client) for client in await clients("reader")]
            operators = [OperationsClient(client) for client in await clients("operator")]
            followers = [
                Follower(client, self.server.url, self.world.key) for client in await clients("follower")
            ]
            heavy = [
                HeavyCaller(await stack.enter_async_context(self._client("heavy")), self.heavy)
                for _ in self.heavy[:1]
            ]
            publisher = Publisher(await stack.enter_async_context(self._client("publisher")))
            following = asyncio.gather(*(follower.work(shift) for follower in followers))
            stack.callback(following.cancel)
            async with self._in_the_background(publisher):
                clients_at_work: list[Engine | Reader | OperationsClient | HeavyCaller]
                clients_at_work = [*engines, *readers, *operators, *heavy]
                several = [client.work(shift) for client in clients_at_work]
                await self._within(
                    shift.seconds + TIMEOUT, asyncio.gather(*several), "clients have done their work"
                )
            took = time.monotonic() - shift.began
            await self._within(TIMEOUT, self._settle(operators), "all upgrades have ended")
            await self._within(TIMEOUT, following, "followers have seen the end of their upgrades")
            return took

    async def _settle(self, operators: Sequence[OperationsClient]) -> None:
        for operator in operators:
            await operator.settle()

    async def _within(self, seconds: float, done: Awaitable[Any], what: str) -> None:
        """Wait for `done`, at most for these seconds."""
        self.say(f"Waiting until {what}, at most {seconds:.0f} s.")
        try:
            await asyncio.wait_for(done, seconds)
        except TimeoutError:
            unfinished = ", ".join(map(str, sorted(self.world.ledger.unfinished)))
            self.measures.unexpected.append(
                f"Expected that {what} within {seconds:.0f} s; unfinished upgrades: {unfinished or 'none'}"
            )

    @asynccontextmanager
    async def _in_the_background(self, publisher: Publisher) -> AsyncIterator[None]:
        """Publish versions and watch the memory of the server while the block runs."""
        ended = asyncio.Event()
        watching = asyncio.create_task(self.measures.watch_memory(self.server.process.pid))
        publishing = asyncio.create_task(publish_now_and_then(publisher, ended))
        try:
            yield
        finally:
            ended.set()
            await publishing
            watching.cancel()

    @asynccontextmanager
    async def _client(self, name: str) -> AsyncIterator[Client]:
        key = {"authorization": f"Bearer {self.world.key}"}
        async with httpx2.AsyncClient(base_url=self.server.url, headers=key, timeout=TIMEOUT) as http:
            yield Client(
                name=name,
                http=http,
                chance=Random(f"{self.seed} {name}"),
                ledger=self.world.ledger,
                measures=self.measures,
            )


async def publish_now_and_then(publisher: Publisher, ended: asyncio.Event) -> None:
    while not ended.is_set():
        await publisher.publish()
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), PUBLISH_EVERY)
