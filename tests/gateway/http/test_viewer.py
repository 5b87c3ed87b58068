"""A client learns from `viewer` and `server` who it is and what it may ask for."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.gateway.served_world import World, a_served_world
from uplift.domain import Role
from uplift.gateway.auth.keys import create_key
from uplift.storage.repositories.api_keys import SqlKeys

pytestmark = pytest.mark.anyio

VIEWER = "{ viewer { keyName role namespaces expiresAt } }"
IN_2999 = datetime(2999, 12, 31, tzinfo=UTC)
LIMITS = """
{
  server {
    version
    limits {
      maxIds maxPageSize maxNodes maxReplyBytes maxBodyBytes maxDocumentCharacters
      maxTokens maxDepth maxFields maxAliases maxRootFields maxOperationsPerKey maxStreamsPerKey
      maxOperationsPerSocket
      maxModelBytes maxModelTags maxModelDepth waitSeconds rateLimit {requests seconds}
    }
  }
}
"""


async def answer(world: World, query: str, key: str | None = None) -> object:
    return (await world.ask(query, key=key)).json()


async def test_the_viewer_is_the_key_of_the_request(folder: Path) -> None:
    async with a_served_world(folder) as world:
        keys = SqlKeys(world.store.database)
        _, scoped = await create_key(
            keys,
            name="hr robot",
            role=Role.READER,
            namespaces=frozenset({"people", "hr"}),
            expires_at=IN_2999,
        )
        shown = {
            world.admin: {
                "keyName": "ops",
                "role": "SYSTEM_ADMIN",
                "namespaces": None,
                "expiresAt": None,
            },
            scoped: {
                "keyName": "hr robot",
                "role": "READER",
                "namespaces": ["hr", "people"],
                "expiresAt": "2999-12-31T00:00:00Z",
            },
        }
        for key, viewer in shown.items():
            assert await answer(world, VIEWER, key) == {"data": {"viewer": viewer}}


async def test_the_server_shows_the_limits_that_it_applies(folder: Path) -> None:
    numbers = {
        "max_ids": 101,
        "max_nodes": 102,
        "max_reply_bytes": 10_003,
        "max_body_bytes": 1_004,
        "max_document_characters": 1_005,
        "max_tokens": 106,
        "max_depth": 7,
        "max_fields": 108,
        "max_aliases": 9,
        "max_root_fields": 10,
        "max_operations_per_key": 16,
        "max_streams_per_key": 11,
        "max_operations_per_socket": 12,
        "max_model_bytes": 1_013,
        "max_model_tags": 114,
        "max_model_depth": 15,
        "wait_seconds": 1.5,
    }
    async with a_served_world(folder, rate_limit="20 per 10 second", **numbers) as world:
        found = await answer(world, LIMITS)
    camel_case = {
        "".join([first, *map(str.capitalize, rest)]): number
        for name, number in numbers.items()
        for first, *rest in [name.split("_")]
    }
    limits = {**camel_case, "maxPageSize": 1_000, "rateLimit": {"requests": 20, "seconds": 10}}
    assert found == {"data": {"server": {"version": version("uplift-gateway"), "limits": limits}}}


async def test_a_limit_above_the_largest_int_is_shown_as_that(folder: Path) -> None:
    query = "{ server { limits { maxReplyBytes maxBodyBytes rateLimit { requests seconds } } } }"
    limits = {
        "maxReplyBytes": 2**31 - 1,
        "maxBodyBytes": 2**31 - 1,
        "rateLimit": {"requests": 2**31 - 1, "seconds": 2**31 - 1},
    }
    async with a_served_world(
        folder, max_reply_bytes=2**40, max_body_bytes=2**40, rate_limit=f"{2**40} per 100 year"
    ) as world:
        assert await answer(world, query) == {"data": {"server": {"limits": limits}}}


async def test_a_server_without_a_rate_limit_shows_none(folder: Path) -> None:
    async with a_served_world(folder) as world:
        found = await answer(world, "{ server { limits { rateLimit { requests } } } }")
    assert found == {"data": {"server": {"limits": {"rateLimit": None}}}}
