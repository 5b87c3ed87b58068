"""A PostgreSQL database, and the store on it."""

from collections.abc import AsyncIterator

import pytest

from tests.storage.postgres.on_postgres import ask
from tests.support.postgres import the_server
from tests.support.stores import an_open_database
from uplift.storage.store import SqlStore


@pytest.fixture
async def store() -> AsyncIterator[SqlStore]:
    """An empty store."""
    async with the_server().database() as url, an_open_database(url) as opened:
        yield opened


@pytest.fixture
async def neighbour(store: SqlStore) -> AsyncIterator[SqlStore]:
    """Another store on the same database, as another program has it."""
    name = await ask(store, "SELECT current_database()")
    async with an_open_database(the_server().url(name)) as opened:
        yield opened
