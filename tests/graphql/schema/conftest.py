"""A client of the schema over an empty store; each test runs with strawberry's execution and with our own."""

import pytest
from schema_client import Client, execute_served, execute_stock
from strawberry import Schema

from domain import InMemoryStore
from domain.ports import Store
from graphql_api.schema import build_schema


@pytest.fixture(scope="session")
def schema() -> Schema:
    return build_schema()


@pytest.fixture
async def graphql_store() -> Store:
    """An empty store."""
    return InMemoryStore()


@pytest.fixture(params=[execute_stock, execute_served], ids=["stock", "served"])
def client(request: pytest.FixtureRequest, schema: Schema, graphql_store: Store) -> Client:
    """A system administrator."""
    return Client(schema=schema, store=graphql_store, execute=request.param)
