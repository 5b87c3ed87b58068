"""Tests that a repeated request does nothing twice, and that a key serves one request only."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.rest_compat.support.rest_work import CHUNK, soon, the_upgrade
from tests.rest_compat.support.rest_world import (
    ADMIN,
    DRAWN,
    INVOICES,
    ORDERS,
    WAITING_1,
    WAITING_2,
    add_process,
    an_id,
    an_instance,
    ask,
    snapshot,
)
from tests.support.workers import a_worker, run_next_upgrade
from uplift.domain import ProcessKey, Worker, publish_version
from uplift.domain.ports import Store

pytestmark = pytest.mark.anyio

KEY = '"8e03978e-40d5-43dd-bc93-6894a57f9324"'
ONE = {"instanceIds": [str(WAITING_1)]}
ALL_ACTIVE = {"updateAllActive": True}
"""Four instances: two chunks of `a_worker`."""

LONGEST = "k" * 255


class Clock:
    """A clock that a test sets."""

    now = datetime(2026, 5, 4, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rest_worker(clock: Clock) -> Worker:
    return replace(a_worker(), clock=clock)


@pytest.fixture
def worker_runs() -> None:
    """Replaces the worker by none; the tests run upgrades themselves."""


async def ask_under(client: httpx2.AsyncClient, under: str, body: Any = ONE, **how: Any) -> httpx2.Response:
    headers = {"idempotency-key": under, **how.pop("headers", {})}
    return await ask(client, body, headers=headers, **how)


async def test_repeats_the_reply_of_the_first_request(client: httpx2.AsyncClient, rest_store: Store) -> None:
    first = await ask_under(client, KEY)
    after = await snapshot(rest_store)
    again = await ask_under(client, KEY)
    assert (again.status_code, again.content) == (200, first.content)
    assert first.json()["updated"] == 1
    assert await snapshot(rest_store) == after


async def test_a_request_is_the_same_by_what_it_means(client: httpx2.AsyncClient) -> None:
    bodies: list[Any] = [
        {"instanceIds": [str(WAITING_1), str(WAITING_2)]},
        {"instances": [f"{{{WAITING_1}}}", WAITING_2.hex, str(WAITING_2)], "updateAllActive": False},
    ]
    first, again = [await ask_under(client, KEY, body) for body in bodies]
    assert (again.status_code, again.content) == (200, first.content)


async def test_another_key_is_another_request(client: httpx2.AsyncClient, rest_store: Store) -> None:
    for key in ('"a"', '"b"'):
        await ask_under(client, key)
    await ask(client, ONE)
    assert (await snapshot(rest_store)).upgrades == 3


@pytest.mark.parametrize(
    ("body", "process"),
    [
        ({"instanceIds": [str(WAITING_2)]}, ORDERS),
        ({"instanceIds": [str(WAITING_1), str(WAITING_2)]}, ORDERS),
        (ALL_ACTIVE, ORDERS),
        (ONE, INVOICES),
    ],
)
async def test_another_request_under_the_same_key_is_refused(
    client: httpx2.AsyncClient, rest_store: Store, body: Any, process: ProcessKey
) -> None:
    first = await ask_under(client, KEY)
    before = await snapshot(rest_store)
    reply = await ask_under(client, KEY, body, process=process)
    assert (reply.status_code, reply.json()["code"]) == (422, "IDEMPOTENCY_CONFLICT")
    assert first.json()["upgradeId"] in reply.json()["error"]
    assert [detail["field"] for detail in reply.json()["details"]] == ["Idempotency-Key"]
    assert await snapshot(rest_store) == before


@pytest.mark.parametrize(
    ("value", "same"),
    [
        (KEY, KEY[1:-1]),
        (KEY, f" {KEY} "),
        ('"a \\"b\\" \\\\c"', '"a \\"b\\" \\\\c"'),
        ("YWJj+/8=", '"YWJj+/8="'),
        (f'"{LONGEST}"', LONGEST),
        ('" "', '" "'),
        ("a:b/c.d~e@f(g)", '"a:b/c.d~e@f(g)"'),
    ],
)
async def test_a_key_is_read_with_and_without_its_quotes(
    client: httpx2.AsyncClient, rest_store: Store, value: str, same: str
) -> None:
    for key in (value, same):
        assert (await ask_under(client, key)).status_code == 200
    assert (await snapshot(rest_store)).upgrades == 1


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        '""',
        '"',
        '"a',
        'a"',
        '"a"b"',
        '"a" "b"',
        '"a", "b"',
        "a, b",
        "a b",
        "a\\b",
        '"a\\b"',
        '"a\tb"',
        "a;b",
        "kl\N{LATIN SMALL LETTER U WITH DIAERESIS}gel",
        '"\N{LATIN SMALL LETTER E WITH ACUTE}"',
        f"{LONGEST}k",
        f'"{LONGEST}k"',
        '"' + '\\"' * 10_000,
    ],
)
async def test_a_malformed_key_is_refused(client: httpx2.AsyncClient, rest_store: Store, value: str) -> None:
    before = await snapshot(rest_store)
    reply = await ask(client, ONE, headers={b"idempotency-key": value.encode("latin-1")})
    content = reply.json()
    assert (reply.status_code, content["code"]) == (400, "INVALID_INPUT")
    assert content["error"].startswith(
        "Expected Idempotency-Key to be 1 to 255 printable ASCII characters in double quotes, but got "
    )
    assert content["details"] == [{"field": "Idempotency-Key", "message": content["error"]}]
    assert len(reply.text) < 1_000
    assert await snapshot(rest_store) == before


async def test_several_keys_are_refused(client: httpx2.AsyncClient, rest_store: Store) -> None:
    before = await snapshot(rest_store)
    headers = [("authorization", "Bearer admin-key"), *[("idempotency-key", KEY)] * 2]
    path = "/pub/v1/bpm/instance/bytemplate/crm/order_approval/version"
    reply = await client.post(path, headers=headers, json=ONE)
    assert (reply.status_code, reply.json()["code"]) == (400, "INVALID_INPUT")
    assert reply.json()["error"] == "Expected Idempotency-Key once, but got it 2 times."
    assert await snapshot(rest_store) == before


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"key": "no-key"}, 401),
        ({"key": "reader-key"}, 403),
        ({"process": ProcessKey(namespace="crm", code="nothing")}, 404),
        ({"headers": {"content-type": "text/plain"}}, 415),
    ],
)
async def test_a_bad_key_is_checked_after_the_form_of_the_body(
    client: httpx2.AsyncClient, how: dict[str, Any], status: int
) -> None:
    assert (await ask_under(client, '""', **how)).status_code == status


@pytest.mark.parametrize(
    ("body", "how"), [({}, {}), ({"instanceIds": ["x"]}, {}), (ALL_ACTIVE, {"process": DRAWN})]
)
async def test_a_refused_request_does_not_use_its_key_up(
    client: httpx2.AsyncClient, body: Any, how: dict[str, Any]
) -> None:
    assert (await ask_under(client, KEY, body, **how)).status_code == 400
    assert (await ask_under(client, KEY)).json()["updated"] == 1


async def test_requests_at_the_same_time_are_one_upgrade(
    client: httpx2.AsyncClient, rest_store: Store
) -> None:
    replies = await asyncio.gather(*(ask_under(client, KEY) for _ in range(20)))
    assert {(reply.status_code, reply.content) for reply in replies} == {(200, replies[0].content)}
    assert (await snapshot(rest_store)).upgrades == 1


async def test_a_repeated_request_waits_for_the_first_one(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    first = asyncio.create_task(ask_under(client, KEY, ALL_ACTIVE))
    await soon(lambda: the_upgrade(rest_store))
    again = asyncio.create_task(ask_under(client, KEY, ALL_ACTIVE))
    await run_next_upgrade(rest_store, rest_worker, chunks=1)
    await asyncio.sleep(0.05)
    assert not again.done()
    await run_next_upgrade(rest_store, rest_worker)
    assert (await again).content == (await first).content
    assert (await again).json()["total"] == 2 * CHUNK


async def test_a_repeated_request_may_prefer_not_to_wait(
    client: httpx2.AsyncClient, rest_store: Store
) -> None:
    first = asyncio.create_task(ask_under(client, KEY, ALL_ACTIVE))
    upgrade = await soon(lambda: the_upgrade(rest_store))
    again = await ask_under(client, KEY, ALL_ACTIVE, headers={"prefer": "respond-async"})
    assert (again.status_code, again.json()["upgradeId"]) == (202, str(upgrade.id))
    first.cancel()


async def test_repeats_the_first_reply_after_a_new_version_is_published(
    client: httpx2.AsyncClient, rest_store: Store
) -> None:
    other = ProcessKey(namespace="crm", code="other")
    await add_process(rest_store, other, published=2, instances=[an_instance(100, process=other)])
    body = {"instanceIds": [str(an_id(100))]}
    first = await ask_under(client, KEY, body, process=other)
    await publish_version(rest_store, process=other, caller=ADMIN)
    again = await ask_under(client, KEY, body, process=other)
    assert (again.content, again.json()["version"]) == (first.content, 2)


async def test_a_key_is_kept_for_a_day(client: httpx2.AsyncClient, rest_store: Store, clock: Clock) -> None:
    first = await ask_under(client, KEY)
    clock.now += timedelta(hours=24)
    assert (await ask_under(client, KEY)).content == first.content
    clock.now += timedelta(seconds=1)
    later = await ask_under(client, KEY)
    assert later.json()["upgradeId"] != first.json()["upgradeId"]
    assert (await snapshot(rest_store)).upgrades == 2
