"""Databases that look like that of the coordinator of a cluster of Citus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.engine import URL

from tests.storage.citus.coordinators import distribute_at
from tests.support.fake_citus import fake_citus_in
from tests.support.postgres import the_server
from uplift.storage.store import SqlStore


@asynccontextmanager
async def a_coordinator() -> AsyncIterator[URL]:
    """A database with empty tables, which is not distributed yet."""
    async with the_server().empty_database() as where:
        store = await SqlStore.open(where)
        await store.close()
        await fake_citus_in(where)
        yield where


@pytest.fixture
async def url() -> AsyncIterator[URL]:
    """A database that is not distributed yet."""
    async with a_coordinator() as where:
        yield where


@pytest.fixture(scope="module")
async def undistributed() -> AsyncIterator[URL]:
    """As `url`, for tests that roll back what they change."""
    async with a_coordinator() as where:
        yield where


@pytest.fixture(scope="module")
async def distributed() -> AsyncIterator[URL]:
    """A distributed database, for tests that roll back what they change."""
    async with a_coordinator() as where:
        await distribute_at(where)
        yield where
