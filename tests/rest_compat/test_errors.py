"""Tests what a client and what the log learns of an error."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.types import Message, Scope
from structlog.testing import capture_logs

from tests.rest_compat.support.rest_document import must_be_documented
from tests.rest_compat.support.rest_world import (
    ORDERS,
    WAITING_1,
    add_world,
    ask,
    authenticate,
    path_of,
    snapshot,
)
from uplift.domain import Caller, Worker
from uplift.domain.errors import InvalidInput, StoreUnavailable
from uplift.domain.model.access import Authenticate
from uplift.domain.ports import Store, Transaction
from uplift.rest_compat.errors import Detail, to_rest_error
from uplift.rest_compat.routes import rest_routes
from uplift.testing.stores import Around

pytestmark = pytest.mark.anyio

SECRET = "postgresql://uplift:hunter2@db"


class BrokenStore(Around):
    """Fails to write once it has an error."""

    error: Exception | None = None

    def transaction(self, *, in_background: bool = False) -> AbstractAsyncContextManager[Transaction]:
        if self.error:
            raise self.error
        return self._store.transaction(in_background=in_background)


async def broken_authenticate(_: str | None) -> Caller:
    raise ConnectionError(SECRET)


async def ask_once(store: Store, authenticate: Authenticate) -> httpx2.Response:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(
            Starlette(routes=rest_routes(store, authenticate, Worker(name="rest")))
        ),
        base_url="http://uplift.test",
        event_hooks={"response": [must_be_documented]},
    ) as client:
        return await ask(client, {"instanceIds": [str(WAITING_1)]})


async def a_broken_store(rest_store: Store, error: Exception) -> BrokenStore:
    store = BrokenStore(rest_store)
    await add_world(store)
    store.error = error
    return store


def must_be_masked(reply: httpx2.Response, logged: Sequence[Mapping[str, Any]]) -> None:
    content = reply.json()
    assert (reply.status_code, content["code"], content["details"]) == (500, "INTERNAL", [])
    assert SECRET not in reply.text
    assert content["id"] in content["error"]
    (entry,) = logged
    assert (entry["event"], entry["log_level"], entry["error_id"]) == (
        "unexpected_error",
        "error",
        content["id"],
    )
    assert str(entry["exception"]).endswith(f"ConnectionError: {SECRET}\n")


async def test_an_error_of_the_store_is_masked_and_logged_under_an_id(rest_store: Store) -> None:
    store = await a_broken_store(rest_store, ConnectionError(SECRET))
    before = await snapshot(store)
    with capture_logs() as logged:
        reply = await ask_once(store, authenticate)
    must_be_masked(reply, logged)
    assert await snapshot(store) == before


async def test_an_outage_of_the_store_asks_the_client_to_come_back_later(rest_store: Store) -> None:
    store = await a_broken_store(rest_store, StoreUnavailable("it is locked by another program"))
    before = await snapshot(store)
    with capture_logs() as logged:
        reply = await ask_once(store, authenticate)
    assert (reply.status_code, reply.json()["code"]) == (503, "STORE_UNAVAILABLE")
    assert int(reply.headers["retry-after"]) > 0
    assert [line["event"] for line in logged] == ["store_unavailable"]
    assert await snapshot(store) == before


async def test_an_error_of_the_authentication_is_masked_and_logged_under_an_id(rest_store: Store) -> None:
    await add_world(rest_store)
    with capture_logs() as logged:
        reply = await ask_once(rest_store, broken_authenticate)
    must_be_masked(reply, logged)


async def test_a_mistake_of_the_client_is_not_logged(client: httpx2.AsyncClient) -> None:
    with capture_logs() as logged:
        assert (await ask(client, {"updateAllActive": "yes"})).status_code == 400
    assert logged == []


async def test_a_client_that_goes_away_in_the_middle_of_its_body_changes_nothing(rest_store: Store) -> None:
    await add_world(rest_store)
    before = await snapshot(rest_store)
    messages: list[Message] = [
        {"type": "http.request", "body": b'{"updateAllActive": true}', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": path_of(ORDERS),
        "headers": [(b"authorization", b"Bearer admin-key")],
    }
    await Starlette(routes=rest_routes(rest_store, authenticate, Worker(name="rest")))(scope, receive, send)
    assert sent[0]["status"] == 400
    assert await snapshot(rest_store) == before


async def test_an_error_names_the_path_of_its_field() -> None:
    error = InvalidInput("Expected less.", field=("reason",))
    assert to_rest_error(error).details == (Detail(field="reason", message="Expected less."),)
