"""A client of the schema over an empty store.

Each test runs with the endpoint's executor on both databases. In the long mode it runs in eight buckets and
with strawberry's executor, too.
"""

from collections.abc import AsyncIterator

import pytest
from strawberry import Schema

from tests.graphql_api.support.schema_client import WAYS, Client, Way
from tests.support.in_buckets import skip_if_broken
from tests.support.stores import Stores
from uplift.graphql_api.schema import build_schema


@pytest.fixture(scope="session")
def schema() -> Schema:
    return build_schema()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    way = WAYS[request.param]
    skip_if_broken(request.node.nodeid, way.kind)
    return way


@pytest.fixture
async def client(way: Way, schema: Schema, stores: Stores) -> AsyncIterator[Client]:
    """A client with the key of a system administrator."""
    async with stores.empty(way.kind) as store:
        yield Client(schema=schema, store=store, execute=way.execute)
