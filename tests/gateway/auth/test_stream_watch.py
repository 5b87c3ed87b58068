"""The streams of a key that is revoked, expired or changed end, whoever changed it."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from tests.gateway.gateway_world import Place
from tests.support.stores import an_open_database
from uplift.domain import Role
from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.access import ApiKey
from uplift.gateway.auth.keys import create_key
from uplift.gateway.auth.stream_watch import CHECK_INTERVAL, StreamWatch
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.observability.refusals import LOG_INTERVAL, StreamRefusals
from uplift.graphql_api.engine.limits import Limits
from uplift.graphql_api.engine.streams import StreamRefusal, Streams
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.testing.builders import EVENING, NOON, MovableClock, a_clock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def several(empty: Place) -> AsyncIterator[tuple[SqlKeys, SqlKeys]]:
    """The keys of one database, as two programs see them."""
    async with an_open_database(empty) as one, an_open_database(empty) as other:
        yield SqlKeys(one.database), SqlKeys(other.database)


async def ended_after_check(watch: StreamWatch, streams: Streams, key: ApiKey) -> bool:
    """Whether a check ends an open stream of the key."""
    ended = asyncio.Event()
    with streams.opened(key, ended):
        await watch.check()
        return ended.is_set()


def test_keys_of_open_streams_are_checked_twice_in_five_seconds() -> None:
    assert 2 * CHECK_INTERVAL < 5


async def test_streams_end_when_another_program_revokes_their_key(several: tuple[SqlKeys, SqlKeys]) -> None:
    here, there = several
    key, _ = await create_key(here, name="ci", role=Role.READER, namespaces=frozenset({"crm"}))
    other, _ = await create_key(here, name="other", role=Role.READER)
    streams = Streams(Limits())
    watch = StreamWatch(here, streams)
    await watch.check()  # without streams there is nothing to do
    assert not await ended_after_check(watch, streams, key)
    await there.revoke(key.id, NOON)
    assert await ended_after_check(watch, streams, key)
    assert not await ended_after_check(watch, streams, other)


@pytest.mark.parametrize("change", ["role = 1", "namespaces = '[\"hr\"]'", "namespaces = '[]'"])
async def test_streams_end_when_role_or_scope_of_their_key_change(
    several: tuple[SqlKeys, SqlKeys], change: str
) -> None:
    here, there = several
    key, _ = await create_key(here, name="ci", role=Role.READER)
    streams = Streams(Limits())
    async with there._database.writing() as connection:
        await connection.exec_driver_sql(f"UPDATE api_key SET {change}")
    assert await ended_after_check(StreamWatch(here, streams), streams, key)


async def test_streams_end_when_their_key_expires(several: tuple[SqlKeys, SqlKeys]) -> None:
    here, _ = several
    key, _ = await create_key(here, name="ci", role=Role.READER, expires_at=EVENING, clock=a_clock())
    clock, streams = MovableClock(EVENING - timedelta(microseconds=1)), Streams(Limits())
    watch = StreamWatch(here, streams, clock)
    assert not await ended_after_check(watch, streams, key)
    clock.advance(microseconds=1)
    assert await ended_after_check(watch, streams, key)


class FailingKeys(SqlKeys):
    """Cannot read the keys of open streams."""

    async def find_many(self, ids: Collection[UUID]) -> Mapping[UUID, ApiKey]:
        raise StoreUnavailable("it is locked")


class FailingOnceKeys(SqlKeys):
    """Has a bug that shows once."""

    has_failed = False

    async def find_many(self, ids: Collection[UUID]) -> Mapping[UUID, ApiKey]:
        if self.has_failed:
            return await super().find_many(ids)
        self.has_failed = True
        raise RuntimeError("a bug")


async def test_an_outage_ends_only_the_streams_of_expired_keys(several: tuple[SqlKeys, SqlKeys]) -> None:
    here, _ = several
    lasting, _ = await create_key(here, name="lasting", role=Role.READER)
    brief, _ = await create_key(here, name="brief", role=Role.READER, expires_at=EVENING, clock=a_clock())
    streams = Streams(Limits())
    watch = StreamWatch(FailingKeys(here._database), streams, a_clock(EVENING))
    with capture_logs() as logs:
        assert not await ended_after_check(watch, streams, lasting)
        assert await ended_after_check(watch, streams, brief)
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["store_unavailable"] * 2


async def test_the_watch_goes_on_after_a_check_that_failed(several: tuple[SqlKeys, SqlKeys]) -> None:
    here, _ = several
    key, _ = await create_key(here, name="ci", role=Role.READER)
    await here.revoke(key.id, NOON)
    streams, stopping, ended = Streams(Limits()), asyncio.Event(), asyncio.Event()
    watch = StreamWatch(FailingOnceKeys(here._database), streams)
    with capture_logs() as logs, streams.opened(key, ended):
        task = asyncio.create_task(watch.check_until(stopping, interval=0.01))
        async with asyncio.timeout(30):
            await ended.wait()
        stopping.set()
        await task
    assert logs[0]["event"] == "unexpected_error"


def test_refusals_are_counted_and_logged_once_in_a_while() -> None:
    now, metrics = 100.0, Metrics()
    refusals = StreamRefusals(metrics, lambda: now)

    def counted(reason: StreamRefusal) -> float | None:
        return metrics.registry.get_sample_value("uplift_streams_refused_total", {"reason": reason})

    assert [counted(reason) for reason in StreamRefusal] == [0, 0, 0]
    with capture_logs() as logs:
        for _ in range(5):
            refusals.note(StreamRefusal.CALLER_FULL)
        refusals.note(StreamRefusal.SERVER_FULL)
        now += LOG_INTERVAL
        refusals.note(StreamRefusal.CALLER_FULL)
    assert [(line["reason"], line["count"]) for line in logs] == [
        (StreamRefusal.CALLER_FULL, 1),
        (StreamRefusal.SERVER_FULL, 1),
        (StreamRefusal.CALLER_FULL, 5),
    ]
    assert {line["log_level"] for line in logs} == {"warning"}
    assert [counted(reason) for reason in StreamRefusal] == [6, 1, 0]
