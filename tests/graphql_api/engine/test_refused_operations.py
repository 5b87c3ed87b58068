"""Tests the HTTP status when every field of an operation is refused for the same reason."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import httpx2
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from uplift.domain import Caller, Role, Worker
from uplift.domain.errors import StoreUnavailable
from uplift.graphql_api.context import Context
from uplift.graphql_api.engine.endpoint import GraphQLEndpoint, graphql_routes
from uplift.graphql_api.loaders import Loaders
from uplift.graphql_api.schema import build_schema
from uplift.storage.memory import InMemoryStore
from uplift.storage.memory.processes import ProcessQueriesInMemory
from uplift.storage.memory.state import Committed
from uplift.testing.stores import everything_in

pytestmark = pytest.mark.anyio

JSON_TYPES = pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
KEYS = {"Bearer admin": Role.SYSTEM_ADMIN, "Bearer reader": Role.READER}
CREATE = 'createProcess(input: {namespace: "shop", code: "order"}) {process {code} userErrors {code}}'
SAVE = 'saveDraft(input: {namespace: "shop", code: "order"}) {userErrors {code}}'
FIND = 'process(namespace: "shop", code: "order") {code}'


class OutOfReach(ProcessQueriesInMemory):
    """Finds no process, without a query; lists are unavailable."""

    async def find(self, process_key: object) -> None:
        return None

    async def page(self, *_: object, **__: object) -> NoReturn:
        raise StoreUnavailable("it is locked")


class StoreOutOfReach(InMemoryStore):
    """A store that is unavailable, but for the search of a process."""

    def __init__(self) -> None:
        super().__init__()
        self.processes = OutOfReach(Committed())

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[NoReturn]:
        raise StoreUnavailable("it is locked")
        yield


async def post(query: str, *, key: str, accept: str, store: InMemoryStore | None = None) -> Any:
    kept = store or InMemoryStore()

    async def context_for(headers: Mapping[str, str]) -> Context:
        caller = Caller(name=key, role=KEYS[headers["authorization"]])
        return Context(
            store=kept,
            caller=caller,
            worker=Worker(name="front door"),
            wait_seconds=30,
            loaders=Loaders(kept),
        )

    endpoint = GraphQLEndpoint(build_schema(), context_for=context_for)
    transport = httpx2.ASGITransport(Starlette(routes=graphql_routes("/graphql", endpoint)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway.example") as client:
        headers = {"authorization": f"Bearer {key}", "accept": accept}
        return await client.post("/graphql", json={"query": query}, headers=headers)


def codes(response: Any) -> list[str]:
    return [error["extensions"]["code"] for error in response.json()["errors"]]


@JSON_TYPES
async def test_a_change_that_only_an_administrator_may_make_is_403(accept: str) -> None:
    store = InMemoryStore()
    before = await everything_in(store)
    response = await post(f"mutation {{{CREATE}}}", key="reader", accept=accept, store=store)
    assert response.status_code == 403
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert response.json()["data"] == {"createProcess": None}
    assert codes(response) == ["FORBIDDEN"]
    assert await everything_in(store) == before


@JSON_TYPES
async def test_several_such_changes_are_403(accept: str) -> None:
    response = await post(f"mutation {{{CREATE} {SAVE}}}", key="reader", accept=accept)
    assert response.status_code == 403
    assert codes(response) == ["FORBIDDEN", "FORBIDDEN"]


@JSON_TYPES
async def test_a_partial_answer_is_200(accept: str) -> None:
    response = await post(f"mutation {{__typename {CREATE}}}", key="reader", accept=accept)
    assert response.status_code == 200
    assert response.json()["data"] == {"__typename": "Mutation", "createProcess": None}
    assert codes(response) == ["FORBIDDEN"]


@JSON_TYPES
async def test_an_error_of_another_kind_is_200(accept: str) -> None:
    response = await post(
        f"query {{upgrades(first: 0) {{nodes {{id}}}} {FIND}}}", key="reader", accept=accept
    )
    assert response.status_code == 200
    assert response.json()["data"] is None
    assert codes(response) == ["INVALID_INPUT"]


@JSON_TYPES
@pytest.mark.parametrize(
    ("key", "query", "data"),
    [
        ("reader", f"{{{FIND}}}", {"process": None}),
        ("admin", f"mutation {{{SAVE}}}", {"saveDraft": {"userErrors": [{"code": "PROCESS_NOT_FOUND"}]}}),
    ],
)
async def test_nothing_found_and_a_refusal_by_the_domain_are_200(
    accept: str, key: str, query: str, data: dict[str, Any]
) -> None:
    response = await post(query, key=key, accept=accept)
    assert (response.status_code, response.json()) == (200, {"data": data})


LOCKED = "Expected the store to answer, but it is locked. Nothing was written; try again later."


@JSON_TYPES
@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{processes {nodes {code}}}", None),
        (f"mutation {{{CREATE} {SAVE}}}", {"createProcess": None, "saveDraft": None}),
    ],
)
async def test_an_outage_of_the_store_is_503_and_says_when_to_come_back(
    accept: str, query: str, data: object
) -> None:
    response = await post(query, key="admin", accept=accept, store=StoreOutOfReach())
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert response.json()["data"] == data
    assert {error["message"] for error in response.json()["errors"]} == {LOCKED}
    assert set(codes(response)) == {"STORE_UNAVAILABLE"}


@JSON_TYPES
async def test_an_outage_that_let_something_through_is_200(accept: str) -> None:
    query = f"mutation {{__typename {CREATE}}}"
    response = await post(query, key="admin", accept=accept, store=StoreOutOfReach())
    assert (response.status_code, "retry-after" in response.headers) == (200, False)
    assert codes(response) == ["STORE_UNAVAILABLE"]


@pytest.mark.parametrize("query", ["{processes {nodes {code}}}", f"mutation {{{CREATE}}}"])
async def test_an_outage_is_logged(query: str) -> None:
    with capture_logs() as logs:
        response = await post(query, key="admin", accept="application/json", store=StoreOutOfReach())
    assert (response.status_code, codes(response)) == (503, ["STORE_UNAVAILABLE"])
    assert [(line["event"], line["log_level"]) for line in logs] == [("store_unavailable", "warning")]
    assert "it is locked" in logs[0]["error"]
