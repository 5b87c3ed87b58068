"""Tests that a body is limited by what is received, and a list by its different ids."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest
from starlette.applications import Starlette

from tests.rest_compat.support.rest_document import must_be_documented
from tests.rest_compat.support.rest_world import WAITING_1, add_world, ask, authenticate, snapshot
from uplift.domain import Worker
from uplift.domain.ports import Store
from uplift.rest_compat.routes import RestLimits, rest_routes
from uplift.web.request_slots import RequestSlots

pytestmark = pytest.mark.anyio

MAX_BODY = 10_000
BODY = json.dumps({"instanceIds": [str(WAITING_1)]}).encode()


class Chunks:
    """A body that is sent in parts and counts those that were received."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            self.taken += 1
            yield part


@pytest.fixture
def rest_limits() -> RestLimits:
    return RestLimits(max_body_bytes=MAX_BODY)


async def post(
    client: httpx2.AsyncClient, chunks: Chunks, *, key: str = "admin-key", **headers: str
) -> httpx2.Response:
    return await client.post(
        "/pub/v1/bpm/instance/bytemplate/crm/order_approval/version",
        headers={"authorization": f"Bearer {key}", **headers},
        content=chunks,
    )


async def test_reads_a_body_of_exactly_the_limit(client: httpx2.AsyncClient) -> None:
    assert (await ask(client, BODY.ljust(MAX_BODY))).status_code == 200


async def test_refuses_a_body_one_byte_above_the_limit(client: httpx2.AsyncClient, rest_store: Store) -> None:
    before = await snapshot(rest_store)
    reply = await ask(client, BODY.ljust(MAX_BODY + 1))
    assert (reply.status_code, reply.json()["code"]) == (413, "LIMIT_EXCEEDED")
    assert reply.json()["error"] == "Expected a body of at most 10,000 bytes, but it has 10,001."
    assert await snapshot(rest_store) == before


async def test_reads_nothing_of_a_body_that_is_announced_as_too_large(client: httpx2.AsyncClient) -> None:
    chunks = Chunks(BODY)
    reply = await post(client, chunks, **{"content-length": str(MAX_BODY + 1)})
    assert (reply.status_code, chunks.taken) == (413, 0)


async def test_counts_a_body_that_comes_in_parts(client: httpx2.AsyncClient, rest_store: Store) -> None:
    before = await snapshot(rest_store)
    chunks = Chunks(*[b" " * 4_000] * 10)
    reply = await post(client, chunks)
    assert (reply.status_code, chunks.taken) == (413, 3)
    assert await snapshot(rest_store) == before


async def test_reads_a_body_that_comes_in_parts(client: httpx2.AsyncClient) -> None:
    reply = await post(client, Chunks(BODY[:1], b"", BODY[1:20], BODY[20:]))
    assert (reply.status_code, reply.json()["updated"]) == (200, 1)


@pytest.mark.parametrize("announced", ["", "17", "-1", "1e3", "many", "9" * 5_000])
async def test_ignores_a_wrong_announced_length(client: httpx2.AsyncClient, announced: str) -> None:
    reply = await post(client, Chunks(b" " * MAX_BODY, BODY), **{"content-length": announced})
    assert reply.status_code == 413


@pytest.mark.parametrize(("key", "status"), [("no-key", 401), ("reader-key", 403)])
async def test_reads_nothing_before_the_caller_is_known(
    client: httpx2.AsyncClient, key: str, status: int
) -> None:
    chunks = Chunks(BODY)
    reply = await post(client, chunks, key=key)
    assert (reply.status_code, chunks.taken) == (status, 0)


class TestIds:
    """100,000 different ids are read, more are not; with the limits as they are by default."""

    @pytest.fixture
    def rest_limits(self) -> RestLimits:
        return RestLimits()

    async def test_reads_a_hundred_thousand_ids(self, client: httpx2.AsyncClient) -> None:
        ids = [str(WAITING_1), *(str(UUID(int=number)) for number in range(1, 100_000))]
        reply = await ask(client, {"instanceIds": ids})
        content = reply.json()
        assert (content["total"], content["updated"], content["skipped"]) == (100_000, 1, 99_999)
        assert ([instance["id"] for instance in content["instances"]], content["truncated"]) == (
            ids[:1_000],
            True,
        )

    @pytest.mark.parametrize("name", ["instanceIds", "instances", "unselectedIds"])
    async def test_refuses_one_id_more(
        self, client: httpx2.AsyncClient, rest_store: Store, name: str
    ) -> None:
        before = await snapshot(rest_store)
        ids = [UUID(int=number).hex for number in range(100_001)]
        reply = await ask(client, {name: ids, "updateAllActive": name == "unselectedIds"})
        assert (reply.status_code, reply.json()["code"]) == (413, "LIMIT_EXCEEDED")
        assert reply.json()["details"] == [
            {
                "field": name,
                "message": f"Expected {name} to hold at most 100,000 ids, but got 100,001.",
            }
        ]
        assert await snapshot(rest_store) == before

    async def test_counts_a_repeated_id_once(self, client: httpx2.AsyncClient) -> None:
        reply = await ask(client, {"instanceIds": [WAITING_1.hex] * 100_001})
        assert (reply.status_code, reply.json()["total"]) == (200, 1)

    async def test_refuses_the_same_id_a_million_times(
        self, client: httpx2.AsyncClient, rest_store: Store
    ) -> None:
        before = await snapshot(rest_store)
        reply = await ask(
            client, b'{"instanceIds": ["%s"]}' % b'", "'.join([str(WAITING_1).encode()] * 1_000_000)
        )
        assert reply.status_code == 413
        assert await snapshot(rest_store) == before


async def test_a_body_of_too_many_values_is_refused_before_they_are_decoded(
    client: httpx2.AsyncClient, rest_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uplift.web.json_limits.require_few_values.__defaults__", (100,))
    before = await snapshot(rest_store)
    body = {"instanceIds": [1] * 101}
    reply = await ask(client, json.dumps(body).encode())
    assert (reply.status_code, reply.json()["code"]) == (413, "LIMIT_EXCEEDED")
    assert reply.json()["error"] == (
        "Expected a body of at most 100 JSON values, but it has more commas and opening brackets."
    )
    assert await snapshot(rest_store) == before


async def test_no_id_is_read_after_enough_faults(client: httpx2.AsyncClient) -> None:
    ids = ["x"] * 1_000 + [str(WAITING_1)]
    reply = await ask(client, json.dumps({"instanceIds": ids}).encode())
    assert reply.status_code == 400
    assert [detail["field"] for detail in reply.json()["details"]] == [f"instanceIds[{n}]" for n in range(20)]


async def test_refuses_a_further_concurrent_request_of_a_key_and_no_other(rest_store: Store) -> None:
    await add_world(rest_store)
    slots = RequestSlots(limit_per_caller=1)
    app = Starlette(routes=rest_routes(rest_store, authenticate, Worker(name="rest"), slots=slots))
    before = await snapshot(rest_store)
    status = f"/pub/v1/bpm/upgrades/{WAITING_1}"
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://uplift.test",
        event_hooks={"response": [must_be_documented]},
    ) as client:
        with slots.taken("admin"):
            reply = await ask(client, BODY)
            assert (reply.status_code, reply.json()["code"]) == (429, "LIMIT_EXCEEDED")
            assert (reply.json()["error"], reply.headers["retry-after"]) == (
                "Expected at most 1 concurrent requests of one API key, but there would be more; try later.",
                "1",
            )
            reply = await client.get(status, headers={"authorization": "Bearer admin-key"})
            assert (reply.status_code, reply.json()["code"]) == (429, "LIMIT_EXCEEDED")
            reply = await client.get(status, headers={"authorization": "Bearer reader-key"})
            assert reply.status_code == 404
        assert await snapshot(rest_store) == before
        assert (await ask(client, BODY)).status_code == 200
