"""Tests which paths and methods exist, and in which order a request is checked."""

from typing import Any

import httpx2
import pytest

from tests.rest_compat.support.rest_world import (
    DRAWN,
    ORDERS,
    add_process,
    an_id,
    an_instance,
    ask,
    path_of,
    snapshot,
)
from uplift.domain import ProcessKey
from uplift.domain.ports import Store

pytestmark = pytest.mark.anyio

PATH = path_of(ORDERS)
NOWHERE = ProcessKey(namespace="crm", code="nothing")


@pytest.mark.parametrize(
    "path",
    [
        f"{PATH}/",
        f"{PATH}//",
        f"/{PATH}",
        PATH.replace("/crm/", "//crm/"),
        PATH.replace("/crm/", "/crm//"),
        PATH.replace("/crm/", "/"),
        PATH.replace("/crm/", "//"),
        PATH.replace("/crm/", "/crm%2F"),
        PATH.replace("/crm/", "/crm%2f"),
        PATH.replace("version", "versions"),
        f"{PATH}%0A",
        f"{PATH}%20",
        "/pub/v1/bpm/instance/bytemplate",
        "/pub/",
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_another_path_is_not_found(
    client: httpx2.AsyncClient, rest_store: Store, path: str, method: str
) -> None:
    before = await snapshot(rest_store)
    reply = await client.request(
        method, f"http://uplift.test{path}", headers={"authorization": "Bearer admin-key"}
    )
    assert (reply.status_code, reply.json()["code"]) == (404, "NOT_FOUND")
    assert f"'{path}'" in reply.json()["error"]
    assert await snapshot(rest_store) == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"])
async def test_another_method_is_not_allowed(client: httpx2.AsyncClient, method: str) -> None:
    reply = await client.request(method, PATH)
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    assert (reply.content == b"") == (method == "HEAD")


@pytest.mark.parametrize("name", ["order approval", ".", "..", "a\nb", "a\x00b", "x" * 201])
async def test_a_name_that_no_process_can_have_is_not_found(client: httpx2.AsyncClient, name: str) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in name.encode())
    reply = await client.post(
        f"/pub/v1/bpm/instance/bytemplate/crm/{encoded}/version",
        headers={"authorization": "Bearer admin-key"},
        json={"updateAllActive": True},
    )
    assert (reply.status_code, reply.json()["code"]) == (404, "PROCESS_NOT_FOUND")


async def test_reads_percent_encoded_names(client: httpx2.AsyncClient, rest_store: Store) -> None:
    process = ProcessKey(namespace="отдел%", code="order+план")
    await add_process(rest_store, process, published=2, instances=[an_instance(100, process=process)])
    encoded = "%D0%BE%D1%82%D0%B4%D0%B5%D0%BB%25/order+%D0%BF%D0%BB%D0%B0%D0%BD"
    reply = await client.post(
        f"/pub/v1/bpm/instance/bytemplate/{encoded}/version",
        headers={"authorization": "Bearer admin-key"},
        json={"instanceIds": [str(an_id(100))]},
    )
    assert (reply.status_code, reply.json()["updated"]) == (200, 1)


ORDER_OF_CHECKS = [
    ({"key": "no-key", "process": NOWHERE, "headers": {"content-type": "text/plain"}}, 401),
    ({"key": "reader-key", "process": NOWHERE, "headers": {"content-type": "text/plain"}}, 403),
    ({"process": NOWHERE, "headers": {"content-type": "text/plain"}}, 404),
    ({"process": NOWHERE, "headers": {"content-length": "99999999"}}, 404),
    ({"process": NOWHERE}, 404),
    ({"headers": {"content-type": "text/plain", "content-length": "99999999"}}, 415),
    ({"headers": {"content-length": "99999999"}}, 413),
    ({}, 400),
]


@pytest.mark.parametrize(("how", "status"), ORDER_OF_CHECKS)
async def test_reports_the_first_of_several_mistakes(
    client: httpx2.AsyncClient, how: dict[str, Any], status: int
) -> None:
    assert (await ask(client, b"{,", **how)).status_code == status


async def test_a_caller_without_the_right_learns_nothing_of_a_process(client: httpx2.AsyncClient) -> None:
    for key in ("no-key", "reader-key"):
        replies = [
            await ask(client, {"updateAllActive": True}, key=key, process=process)
            for process in (ORDERS, DRAWN, NOWHERE)
        ]
        assert len({(reply.status_code, reply.text) for reply in replies}) == 1


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic YTpi", "admin-key", "Bearer ключ"])
async def test_an_authorization_that_is_no_key_is_refused(
    client: httpx2.AsyncClient, authorization: str
) -> None:
    reply = await client.post(PATH, headers=[(b"authorization", authorization.encode())], json={})
    assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
