"""API keys expire, are revoked, and keep an audit of their uses."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.gateway.gateway_world import Place, a_key, error_of, output_of, with_store
from uplift.domain import Role
from uplift.domain.errors import InvalidInput, StoreUnavailable, Unauthenticated
from uplift.domain.model.access import ApiKey, KeyUse
from uplift.gateway.app import storing_key_uses
from uplift.gateway.auth.expiry import expiry_on, span_of
from uplift.gateway.auth.key_audit import key_events
from uplift.gateway.auth.key_uses import KeyUses
from uplift.gateway.auth.keys import Authenticator, create_key
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.testing.builders import EVENING, NOON

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)


class AClock:
    """A clock that shows the time that is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


async def test_a_key_is_refused_from_its_end_on(keys: SqlKeys) -> None:
    clock = AClock(NOON)
    key, token = await create_key(
        keys, name="ci", role=Role.READER, by="ada", expires_at=EVENING, clock=clock
    )
    assert await keys.all() == [key]
    assert key == ApiKey(
        id=key.id, name="ci", role=Role.READER, created_at=NOON, created_by="ada", expires_at=EVENING
    )
    authenticate = Authenticator(keys, clock=clock)
    clock.now = EVENING - timedelta(microseconds=1)
    assert (await authenticate(f"Bearer {token}")).name == "ci"
    await authenticate.recheck(f"Bearer {token}")
    clock.now = EVENING
    for ask in (authenticate, authenticate.recheck):
        with pytest.raises(Unauthenticated):
            await ask(f"Bearer {token}")


async def test_a_key_without_an_end_lives_on(keys: SqlKeys) -> None:
    _, token = await create_key(keys, name="ci", role=Role.READER, clock=AClock(NOON))
    authenticate = Authenticator(keys, clock=AClock(NOON + timedelta(days=36_500)))
    assert (await authenticate(f"Bearer {token}")).name == "ci"


@pytest.mark.parametrize("end", [NOON, NOON - MINUTE])
async def test_a_key_cannot_be_made_that_is_expired(keys: SqlKeys, end: datetime) -> None:
    with pytest.raises(InvalidInput, match=r"^Expected the key to expire in the future, but got "):
        await create_key(keys, name="ci", role=Role.READER, expires_at=end, clock=AClock(NOON))
    assert await keys.is_empty()


async def test_uses_are_counted_by_day_and_stored_together(keys: SqlKeys) -> None:
    clock = AClock(NOON)
    key, token = await create_key(keys, name="ci", role=Role.READER, clock=clock)
    uses = KeyUses(keys, clock)
    authenticate = Authenticator(keys, uses, clock=clock)
    for _ in range(3):
        await authenticate(f"Bearer {token}")
    await authenticate.recheck(f"Bearer {token}")
    assert await keys.uses() == []

    await uses.store()
    today = KeyUse(key_id=key.id, day=NOON.date(), accepted=True, times=3, last_at=NOON)
    assert await keys.uses() == [today]
    await uses.store()
    assert await keys.uses() == [today]

    clock.now = NOON + timedelta(days=1)
    await authenticate(f"Bearer {token}")
    await keys.revoke(key.id, clock.now)
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await authenticate(f"Bearer {token}")
    clock.now += MINUTE
    await uses.store()
    day = NOON.date() + timedelta(days=1)
    then = NOON + timedelta(days=1)
    assert sorted(await keys.uses(), key=lambda use: (use.day, -use.accepted)) == [
        today,
        KeyUse(key_id=key.id, day=day, accepted=True, times=1, last_at=then),
        KeyUse(key_id=key.id, day=day, accepted=False, times=2, last_at=then),
    ]
    assert await keys.last_uses() == {key.id: then}


async def test_what_several_programs_counted_is_added_up(keys: SqlKeys) -> None:
    key, _ = await create_key(keys, name="ci", role=Role.READER)
    use = KeyUse(key_id=key.id, day=date(2026, 3, 1), accepted=True, times=2, last_at=EVENING)
    await keys.add_uses([use])
    await keys.add_uses([KeyUse(key_id=key.id, day=use.day, accepted=True, times=5, last_at=NOON)])
    assert await keys.uses() == [KeyUse(key_id=key.id, day=use.day, accepted=True, times=7, last_at=EVENING)]


class UnwillingKeys(SqlKeys):
    """Fails to store uses while `is_down` is set."""

    is_unwilling = True
    attempts = 0

    async def add_uses(self, uses: Sequence[KeyUse]) -> None:
        self.attempts += 1
        if self.is_unwilling:
            raise StoreUnavailable("it is locked")
        await super().add_uses(uses)


async def test_uses_that_could_not_be_stored_are_kept_for_the_next_attempt(keys: SqlKeys) -> None:
    key, _ = await create_key(keys, name="ci", role=Role.READER)
    unwilling = UnwillingKeys(keys._database)
    uses = KeyUses(unwilling, AClock(NOON))
    uses.count(key.id, accepted=True)
    await uses.store()
    uses.count(key.id, accepted=True)
    unwilling.is_unwilling = False
    await uses.store()
    assert [use.times for use in await keys.uses()] == [2]


async def test_a_locked_database_is_waited_for_once_at_a_stop(keys: SqlKeys) -> None:
    unwilling = UnwillingKeys(keys._database)
    uses = KeyUses(unwilling, AClock(NOON))
    stopping = asyncio.Event()
    async with storing_key_uses(uses, stopping):
        uses.count(uuid4(), accepted=True)
        await asyncio.sleep(0)
        stopping.set()
    assert unwilling.attempts == 1


async def test_the_audit_records_caller_action_and_time(keys: SqlKeys) -> None:
    clock = AClock(NOON)
    key, token = await create_key(
        keys, name="ci", role=Role.SYSTEM_ADMIN, by="cli:ada", expires_at=NOON + 9 * MINUTE, clock=clock
    )
    other, _ = await create_key(keys, name="old", role=Role.READER, clock=AClock(NOON - MINUTE))
    uses = KeyUses(keys, clock)
    authenticate = Authenticator(keys, uses, clock=clock)
    clock.now = NOON + MINUTE
    await authenticate(f"Bearer {token}")
    await keys.revoke(key.id, NOON + 2 * MINUTE, by="cli:bob")
    clock.now = NOON + 3 * MINUTE
    for _ in range(1_200):
        uses.count(key.id, accepted=False)
    await uses.store()
    events = [(event.at, event.name, event.what) for event in await key_events(keys)]
    assert events == [
        (NOON - MINUTE, "old", "created as reader by somebody"),
        (NOON, "ci", f"created as system_admin by cli:ada, until {NOON + 9 * MINUTE:%Y-%m-%d %H:%M}"),
        (NOON + MINUTE, "ci", "used once that day"),
        (NOON + 2 * MINUTE, "ci", "revoked by cli:bob"),
        (NOON + 3 * MINUTE, "ci", "refused as revoked or expired 1,200 times that day"),
    ]
    assert {event.key_id for event in await key_events(keys, other.id)} == {other.id}
    unknown = uuid4()
    with pytest.raises(InvalidInput, match=f"^Expected to show key {unknown}, but no key has this id.$"):
        await key_events(keys, unknown)


@pytest.mark.parametrize(
    ("span", "length"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
        ("2w", timedelta(weeks=2)),
        ("36500d", timedelta(days=36_500)),
    ],
)
def test_a_span_is_a_number_and_a_unit(span: str, length: timedelta) -> None:
    assert span_of(span) == length


@pytest.mark.parametrize("span", ["", "0d", "-1d", "90", "d", "1.5d", "90 d", "90D", "36501d", "٣d"])
def test_another_span_is_refused(span: str) -> None:
    with pytest.raises(InvalidInput, match=r"^Expected expires-in to be a span like 90d") as refused:
        span_of(span)
    assert repr(span) in refused.value.message


def test_a_day_lasts_to_its_end() -> None:
    assert expiry_on("2027-01-31") == datetime(2027, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("day", ["", "2027-02-30", "31.1.2027", "tomorrow", "9999-12-31", "2027-01-31T00:00"])
def test_another_day_is_refused(day: str) -> None:
    with pytest.raises(InvalidInput, match=r"^Expected expires-on to be a date like 2027-01-31, but got "):
        expiry_on(day)


def test_the_command_line_makes_keys_that_expire(database: Place) -> None:
    output_of("keys", "create", "brief", "--expires-in", "90d")
    output_of("keys", "create", "dated", "--expires-on", "2999-12-31")
    output_of("keys", "create", "lasting")
    ends: dict[str, timedelta | None] = {}
    for key in with_store(database, lambda store: SqlKeys(store.database).all()):
        ends[key.name] = None if key.expires_at is None else key.expires_at - key.created_at
        assert re.fullmatch("cli:.+", key.created_by or "")
    assert ends["brief"] is not None
    assert timedelta(days=90) - MINUTE < ends["brief"] <= timedelta(days=90) + MINUTE
    assert ends["lasting"] is None
    assert "3000-01-01 00:00" in output_of("keys", "list", COLUMNS="200")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--expires-in", "soon"], "Expected expires-in to be a span like 90d"),
        (["--expires-on", "soon"], "Expected expires-on to be a date like 2027-01-31, but got 'soon'."),
        (
            ["--expires-on", "2001-01-01"],
            "Expected the key to expire in the future, but got 2001-01-02",
        ),
        (
            ["--expires-in", "1d", "--expires-on", "2999-01-01"],
            "Expected either --expires-in or ",
        ),
    ],
)
def test_the_command_line_makes_no_key_with_a_bad_end(file: Path, options: list[str], part: str) -> None:
    assert error_of("keys", "create", "ci", *options).startswith(part)
    assert with_store(file, lambda store: SqlKeys(store.database).is_empty())


def test_the_command_line_shows_the_audit(database: Place) -> None:
    key, _ = a_key(database, name="[bold]")
    other, _ = a_key(database, name="other")
    output_of("keys", "revoke", str(key.id))
    shown = output_of("keys", "audit", COLUMNS="200")
    assert shown.splitlines()[0].split() == ["when", "(UTC)", "key", "name", "what"]
    assert len(shown.splitlines()) == 4
    assert re.search(rf"{key.id} +\[bold\] +revoked by cli:", shown)
    of_one = output_of("keys", "audit", str(other.id), COLUMNS="200")
    assert str(key.id) not in of_one
    assert len(of_one.splitlines()) == 2
    assert "no key has this id" in error_of("keys", "audit", str(uuid4()))
