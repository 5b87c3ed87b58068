"""The names of API keys are unique among keys that are not revoked, and their scopes are stored and shown."""

import asyncio
import re
from contextlib import AsyncExitStack

import pytest

from tests.gateway.gateway_world import Place, a_key, error_of, output_of, with_store
from tests.support.stores import an_open_database
from uplift.domain import Role
from uplift.domain.errors import InvalidInput
from uplift.domain.model.access import ApiKey
from uplift.gateway.auth.key_audit import key_events
from uplift.gateway.auth.keys import KeyNameTaken, create_key, first_admin_key
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.testing.builders import EVENING, NOON, a_clock

pytestmark = pytest.mark.anyio

TAKEN = "Expected a name that no other key has, but a key named 'ci' exists and is not revoked."


async def test_a_name_is_taken_until_its_key_is_revoked(keys: SqlKeys) -> None:
    first, _ = await create_key(keys, name="ci", role=Role.READER, expires_at=EVENING, clock=a_clock(NOON))
    with pytest.raises(KeyNameTaken, match=f"^{re.escape(TAKEN)}$"):
        await create_key(keys, name="ci", role=Role.SYSTEM_ADMIN)
    assert await keys.all() == [first]
    await keys.revoke(first.id, EVENING)
    second, _ = await create_key(keys, name="ci", role=Role.SYSTEM_ADMIN)
    await keys.revoke(second.id, EVENING)
    await create_key(keys, name="ci", role=Role.READER)
    assert len(await keys.all()) == 3


async def test_of_concurrent_keys_with_one_name_one_is_created(empty: Place) -> None:
    async with AsyncExitStack() as programs:
        several = [
            SqlKeys((await programs.enter_async_context(an_open_database(empty))).database) for _ in range(4)
        ]
        results = await asyncio.gather(
            *(create_key(keys, name="ci", role=Role.READER) for keys in several for _ in range(3)),
            return_exceptions=True,
        )
        created = [result for result in results if not isinstance(result, BaseException)]
        assert [type(result) for result in results if isinstance(result, BaseException)] == [
            KeyNameTaken
        ] * 11
        assert await several[0].all() == [created[0][0]]


async def test_of_concurrent_first_starts_one_creates_a_key(empty: Place) -> None:
    async with AsyncExitStack() as programs:
        several = [
            SqlKeys((await programs.enter_async_context(an_open_database(empty))).database) for _ in range(4)
        ]
        tokens = await asyncio.gather(*map(first_admin_key, several))
        assert [token is not None for token in tokens].count(True) == 1
        assert len(await several[0].all()) == 1


async def test_no_key_has_the_name_of_a_user_of_the_command_line(keys: SqlKeys) -> None:
    with pytest.raises(InvalidInput, match=r"^Expected name not to begin with 'cli:', .* but got 'cli:ada'"):
        await create_key(keys, name="cli:ada", role=Role.SYSTEM_ADMIN)
    assert await keys.is_empty()


async def test_a_scope_is_stored_with_its_key(keys: SqlKeys) -> None:
    limited, _ = await create_key(keys, name="hr", role=Role.READER, namespaces=frozenset({"hr", "crm", "ü"}))
    free, _ = await create_key(keys, name="all", role=Role.READER)
    assert {key.id: key.namespaces for key in await keys.all()} == {
        limited.id: frozenset({"hr", "crm", "ü"}),
        free.id: None,
    }
    assert await keys.find_many([limited.id]) == {limited.id: limited}
    assert await keys.find_many([]) == {}
    [created, _] = [event.what for event in await key_events(keys)]
    assert created == "created as reader for crm, hr, ü by somebody"


def test_the_command_line_creates_and_shows_a_scope(database: Place) -> None:
    output_of("keys", "create", "ci", "--namespace", "hr", "--namespace", "crm")
    output_of("keys", "create", "free")
    assert error_of("keys", "create", "ci") == TAKEN
    assert error_of("keys", "create", "bad", "--namespace", "a/b").endswith("but got 'a/b'.")
    assert re.search(r" ci +reader +crm, hr +20", output_of("keys", "list", COLUMNS="200"))
    assert re.search(r" free +reader +all +20", output_of("keys", "list", COLUMNS="200"))
    assert " created as reader for crm, hr by cli:" in output_of("keys", "audit", COLUMNS="200")

    async def names(store: SqlStore) -> dict[str, ApiKey]:
        return {key.name: key for key in await SqlKeys(store.database).all()}

    stored = with_store(database, names)
    assert {name: key.namespaces for name, key in stored.items()} == {
        "ci": frozenset({"crm", "hr"}),
        "free": None,
    }
    output_of("keys", "revoke", str(stored["ci"].id))
    a_key(database, name="ci")
