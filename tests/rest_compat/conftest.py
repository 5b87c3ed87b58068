"""Provides a client of the REST path over a store that holds the world of support.rest_world."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette

from tests.rest_compat.support.rest_document import must_be_documented
from tests.rest_compat.support.rest_world import add_world, authenticate
from tests.support.in_buckets import skip_if_broken
from tests.support.long_mode import IS_LONG
from tests.support.stores import SERVED, Stores
from tests.support.workers import running_worker
from uplift.domain import Worker
from uplift.domain.ports import Store
from uplift.rest_compat.routes import RestLimits, rest_routes


@pytest.fixture(params=[*SERVED, *(["buckets"] if IS_LONG else [])])
def kind_of_store(request: pytest.FixtureRequest) -> str:
    """Tests of errors that are found before a store is used take one kind only."""
    kind: str = request.param
    skip_if_broken(request.node.nodeid, kind)
    return kind


@pytest.fixture
async def rest_store(kind_of_store: str, stores: Stores) -> AsyncIterator[Store]:
    """An empty store."""
    async with stores.empty(kind_of_store) as store:
        yield store


@pytest.fixture
def rest_limits() -> RestLimits:
    return RestLimits()


@pytest.fixture
def rest_worker() -> Worker:
    """The worker for upgrades of one chunk; tests of larger upgrades replace it by one with small chunks."""
    return Worker(name="rest")


@pytest.fixture
def stopping() -> asyncio.Event:
    """Set when the server is being stopped."""
    return asyncio.Event()


@pytest.fixture
async def worker_runs(rest_store: Store, rest_worker: Worker) -> AsyncIterator[None]:
    """Runs a worker during a test, as a server does."""
    async with running_worker(rest_store, rest_worker):
        yield


@pytest.fixture
async def client(
    kind_of_store: str,
    stores: Stores,
    rest_store: Store,
    rest_limits: RestLimits,
    rest_worker: Worker,
    stopping: asyncio.Event,
    worker_runs: None,
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an application on the filled store. Every reply must be documented."""
    await stores.fill(kind_of_store, rest_store, add_world)
    app = Starlette(routes=rest_routes(rest_store, authenticate, rest_worker, rest_limits, stopping))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://uplift.test",
        event_hooks={"response": [must_be_documented]},
    ) as client:
        yield client
