"""API keys are well formed, stored only as digests, and refused once revoked."""

import hashlib
import re
import string
from pathlib import Path

import pytest

from tests.gateway.gateway_world import Place, a_key, error_of, execute, output_of, with_store
from tests.support.stores import an_open_database
from uplift.domain import Caller, Role
from uplift.domain.errors import InvalidInput, KeyFault, Unauthenticated
from uplift.domain.model.access import ApiKey
from uplift.gateway.auth.keys import (
    PREFIX,
    SECRET_LENGTH,
    Authenticator,
    _checksum,
    create_key,
    is_well_formed,
    new_token,
)
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.testing.builders import EVENING, NOON, a_clock


def who_has(place: Place, authorization: str | None) -> Caller | None:
    """The caller that a key authenticates, or None."""

    async def ask(store: SqlStore) -> Caller | None:
        try:
            return await Authenticator(SqlKeys(store.database))(authorization)
        except Unauthenticated:
            return None

    return with_store(place, ask)


def test_a_token_has_a_prefix_256_bits_of_secret_and_a_checksum() -> None:
    token = new_token()
    assert re.fullmatch(r"uplift_[0-9A-Za-z]{49}", token)
    assert is_well_formed(token)
    assert len({new_token() for _ in range(100)}) == 100
    assert 62**43 > 2**256


def test_a_token_with_any_one_sign_changed_is_not_well_formed() -> None:
    token = new_token()
    for place in range(len(token)):
        other = next(sign for sign in string.ascii_letters if sign != token[place])
        assert not is_well_formed(token[:place] + other + token[place + 1 :]), place


@pytest.mark.parametrize("token", ["", "uplift_", "uplift_short", "Bearer", "\x00" * 56, "ü" * 56])
def test_what_only_looks_like_a_token_is_not_well_formed(token: str) -> None:
    assert not is_well_formed(token)


@pytest.mark.parametrize("sign", ["ü", "\ud800", "\U0001f511", "\xa0"])
def test_a_token_of_other_letters_is_not_well_formed_although_its_checksum_is_right(sign: str) -> None:
    secret = sign * SECRET_LENGTH
    assert not is_well_formed(f"{PREFIX}{secret}{_checksum(secret)}")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("authorization", "fault"),
    [
        (None, KeyFault.MISSING),
        ("", KeyFault.MISSING),
        ("Bearer", KeyFault.MALFORMED),
        ("Basic dTpw", KeyFault.MALFORMED),
        (f"Bearer {new_token()[:-1]}", KeyFault.MALFORMED),
        ("Bearer " + "x" * 1_000_000, KeyFault.MALFORMED),
        (f"Bearer {new_token()}", KeyFault.INVALID),
        ("Bearer <revoked>", KeyFault.INVALID),
        ("Bearer <expired>", KeyFault.INVALID),
    ],
    ids=["none", "empty", "scheme", "basic", "cut off", "long", "unknown", "revoked", "expired"],
)
async def test_a_refusal_says_what_is_wrong_with_a_key_but_not_which_keys_exist(
    folder: Path, authorization: str | None, fault: KeyFault
) -> None:
    async with an_open_database(folder / "keys.sqlite") as store:
        keys = SqlKeys(store.database)
        old, revoked = await create_key(keys, name="old", role=Role.READER)
        await keys.revoke(old.id, NOON)
        _, expired = await create_key(
            keys, name="past", role=Role.READER, expires_at=EVENING, clock=a_clock()
        )
        if authorization is not None:
            authorization = authorization.replace("<revoked>", revoked).replace("<expired>", expired)
        authenticate = Authenticator(keys)
        for ask in (authenticate, authenticate.recheck):
            with pytest.raises(Unauthenticated) as refused:
                await ask(authorization)
            assert refused.value.fault is fault


@pytest.mark.parametrize("shortened", [slice(1, None), slice(None, -1), slice(7, None)])
def test_a_part_of_a_token_is_not_well_formed(shortened: slice) -> None:
    assert not is_well_formed(new_token()[shortened])


def test_only_the_digest_is_in_the_files_of_the_database(file: Path) -> None:
    key, token = a_key(file)
    digest = hashlib.sha256(token.encode()).digest()
    files = list(file.parent.glob("uplift.sqlite*"))
    stored = b"".join(file.read_bytes() for file in files)
    assert digest in stored
    for secret in (token, token.removeprefix("uplift_"), token.removeprefix("uplift_")[:43]):
        for spelling in (secret.encode(), secret.encode("utf-16-le"), secret.encode().hex().encode()):
            assert spelling not in stored
    assert execute(file, "SELECT digest FROM api_key") == [(digest,)]
    assert token not in repr(key)


def test_only_the_digest_is_in_the_table(database: Place) -> None:
    _, token = a_key(database)
    [row] = execute(database, "SELECT * FROM api_key")
    assert hashlib.sha256(token.encode()).digest() in row
    assert token.removeprefix("uplift_")[:43] not in repr(row)


def test_a_key_has_a_name_and_a_role(database: Place) -> None:
    _, admin = a_key(database, Role.SYSTEM_ADMIN, "ops")
    _, reader = a_key(database, Role.READER, "dashboard")
    assert who_has(database, f"Bearer {admin}") == Caller(name="ops", role=Role.SYSTEM_ADMIN)
    assert who_has(database, f"Bearer {reader}") == Caller(name="dashboard", role=Role.READER)
    assert who_has(database, f"bearer  {reader} ") == Caller(name="dashboard", role=Role.READER)


def test_refuses_a_well_formed_token_that_was_never_issued(database: Place) -> None:
    a_key(database)
    assert who_has(database, f"Bearer {new_token()}") is None


@pytest.mark.anyio
async def test_a_revoked_key_is_refused_at_once(empty: Place) -> None:
    async with an_open_database(empty) as store:
        keys = SqlKeys(store.database)
        key, token = await create_key(keys, name="ops", role=Role.SYSTEM_ADMIN, clock=a_clock())
        other, other_token = await create_key(keys, name="eve", role=Role.READER, clock=a_clock(EVENING))
        authenticate = Authenticator(keys)
        assert (await authenticate(f"Bearer {token}")).name == "ops"

        assert await keys.revoke(key.id, EVENING, by="me")

        with pytest.raises(Unauthenticated):
            await authenticate(f"Bearer {token}")
        assert (await authenticate(f"Bearer {other_token}")).role is Role.READER
        assert not await keys.revoke(key.id, NOON)
        assert list(await keys.all()) == [
            ApiKey(
                id=key.id,
                name="ops",
                role=Role.SYSTEM_ADMIN,
                created_at=NOON,
                revoked_at=EVENING,
                revoked_by="me",
            ),
            ApiKey(id=other.id, name="eve", role=Role.READER, created_at=EVENING),
        ]
        assert not await keys.is_empty()


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["", "x" * 101, "two\nlines", "bell\a"])
async def test_a_key_needs_a_printable_name(folder: Path, name: str) -> None:
    async with an_open_database(folder / "keys.sqlite") as store:
        with pytest.raises(
            InvalidInput, match=r"^Expected name to be 1 to 100 printable characters, but got "
        ):
            await create_key(SqlKeys(store.database), name=name, role=Role.READER)
        assert await SqlKeys(store.database).is_empty()


def test_the_command_line_creates_lists_and_revokes(empty: Place) -> None:
    token = output_of("keys", "create", "dashboard").removesuffix("\n")
    admin = output_of("keys", "create", "ops", "--role", "system_admin").removesuffix("\n")
    assert who_has(empty, f"Bearer {token}") == Caller(name="dashboard", role=Role.READER)
    assert who_has(empty, f"Bearer {admin}") == Caller(name="ops", role=Role.SYSTEM_ADMIN)

    header, first, second = output_of("keys", "list").splitlines()
    assert header.split() == [
        "id",
        "name",
        "role",
        "namespaces",
        "created",
        "expires",
        "last",
        "used",
        "revoked",
    ]
    assert first.split()[1:3] == ["dashboard", "reader"]
    assert second.split()[1:3] == ["ops", "system_admin"]
    assert len(first.split()) == 6
    known = first.split()[0]

    assert output_of("keys", "revoke", known) == f"Revoked {known}.\n"
    assert who_has(empty, f"Bearer {token}") is None
    assert who_has(empty, f"Bearer {admin}") is not None
    _, first, _ = output_of("keys", "list").splitlines()
    assert len(first.split()) == 8
    assert (
        error_of("keys", "revoke", known) == f"Expected to revoke key {known}, but no valid key has this id."
    )


def test_a_list_shows_whole_ids_in_a_narrow_terminal(file: Path) -> None:
    key, _ = a_key(file, name="the nightly export of the warehouse to the data lake")
    assert str(key.id) in output_of("keys", "list", COLUMNS="80")


@pytest.mark.parametrize("name", ["[bold]", "[/bold]", "a [link=x]y"])
def test_a_list_shows_names_as_they_are(file: Path, name: str) -> None:
    a_key(file, name=name)
    assert name in output_of("keys", "list")


@pytest.mark.parametrize(
    "arguments", [["list"], ["revoke", "0a000000-0000-4000-8000-000000000001"]], ids=["list", "revoke"]
)
def test_listing_and_revoking_create_no_database(folder: Path, arguments: list[str]) -> None:
    said = error_of("keys", *arguments)
    assert said == "Expected to find the database uplift.sqlite, but there is no such file."
    assert list(folder.iterdir()) == []


def test_a_refused_name_is_said_and_no_key_made(database: Place) -> None:
    said = error_of("keys", "create", "")
    assert said == "Expected name to be 1 to 100 printable characters, but got ''."
    assert execute(database, "SELECT * FROM api_key") == []


def test_an_unknown_role_is_refused_by_its_name(folder: Path) -> None:
    said = error_of("keys", "create", "ops", "--role", "root", code=2)
    assert "'root'" in said
    assert list(folder.iterdir()) == []
