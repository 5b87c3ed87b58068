"""Tests which instances a reply lists, and in which order."""

from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from tests.rest_compat.support.rest_world import (
    ADMIN,
    COMPLETED_1,
    FOREIGN,
    LATEST_VERSION,
    ORDERS,
    RUNNING_1,
    UNKNOWN,
    WAITING_1,
    WAITING_2,
    WAITING_LATEST,
    add_process,
    an_id,
    an_instance,
    ask,
    authenticate,
    path_of,
)
from tests.support.stores import Overlay
from uplift.domain import ProcessKey, Status, Worker, register_instances
from uplift.domain.model.instance import InstanceId
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import Store
from uplift.rest_compat.routes import rest_routes
from uplift.testing.stores import Around

pytestmark = pytest.mark.anyio

MANY = ProcessKey(namespace="crm", code="many")


def listed(reply: httpx2.Response) -> list[InstanceId]:
    return [InstanceId(type(WAITING_1)(instance["id"])) for instance in reply.json()["instances"]]


async def test_lists_ids_in_the_order_of_the_request(client: httpx2.AsyncClient) -> None:
    ids = [UNKNOWN, WAITING_2, FOREIGN, WAITING_1, COMPLETED_1, WAITING_LATEST, RUNNING_1]
    reply = await ask(client, {"instanceIds": [str(instance_id) for instance_id in [*ids, *ids]]})
    assert listed(reply) == ids


async def test_an_instance_keeps_every_reason(client: httpx2.AsyncClient, rest_store: Store) -> None:
    ended = an_instance(100, version=LATEST_VERSION, status=Status.COMPLETED)
    await register_instances(rest_store, process=ORDERS, instances=[ended], caller=ADMIN)
    reply = await ask(client, {"instanceIds": [str(ended.id)]})
    assert reply.json()["instances"][0]["reasons"] == ["NOT_PENDING", "ALREADY_LATEST"]


async def test_the_id_of_an_upgrade_is_the_one_that_is_stored(
    client: httpx2.AsyncClient, rest_store: Store
) -> None:
    reply = await ask(client, {"instanceIds": [str(WAITING_1)]})
    (upgrade,) = (await rest_store.upgrades.page(ORDERS, PageRequest(first=10))).items
    assert reply.json()["upgradeId"] == str(upgrade.id)
    assert (upgrade.requested_by, upgrade.total) == (ADMIN.name, 1)


async def test_upgrading_again_moves_nothing(client: httpx2.AsyncClient) -> None:
    body = {"instanceIds": [str(WAITING_1), str(WAITING_2)]}
    await ask(client, body)
    content = (await ask(client, body)).json()
    assert (content["updated"], content["skipped"]) == (0, 2)
    assert [instance["reasons"] for instance in content["instances"]] == [["ALREADY_LATEST"]] * 2
    assert [(instance["fromVersion"], instance["toVersion"]) for instance in content["instances"]] == [
        (3, 3)
    ] * 2


@pytest.mark.parametrize(("count", "truncated"), [(1_000, False), (1_001, True)])
async def test_lists_at_most_a_thousand_of_the_ids(
    client: httpx2.AsyncClient, count: int, truncated: bool
) -> None:
    ids = [an_id(number) for number in range(1_000, 1_000 + count)]
    reply = await ask(client, {"instanceIds": [str(instance_id) for instance_id in ids]})
    assert (reply.json()["total"], listed(reply)) == (count, ids[:1_000])
    assert reply.json()["truncated"] is truncated


@pytest.mark.parametrize(("count", "truncated"), [(1_000, False), (1_001, True)])
async def test_lists_at_most_a_thousand_skipped_instances(
    client: httpx2.AsyncClient, rest_store: Store, count: int, truncated: bool
) -> None:
    running = [an_instance(1_000 + number, status=Status.RUNNING, process=MANY) for number in range(count)]
    await add_process(rest_store, MANY, published=2, instances=[*running, an_instance(100, process=MANY)])
    reply = await ask(client, {"updateAllActive": True}, process=MANY)
    content = reply.json()
    assert (content["total"], content["updated"], content["skipped"]) == (count + 1, 1, count)
    assert set(listed(reply)) <= {instance.id for instance in running}
    assert (len(content["instances"]), content["truncated"]) == (1_000, truncated)


async def test_all_active_of_a_process_without_instances_upgrades_nothing(
    client: httpx2.AsyncClient, rest_store: Store
) -> None:
    await add_process(rest_store, MANY, published=1)
    content = (await ask(client, {"updateAllActive": True}, process=MANY)).json()
    assert (content["total"], content["instances"], content["truncated"]) == (0, [], False)


class CountingStore(Around):
    """Records queries for outcomes, and for a process outside of a transaction."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.queries: list[str] = []

    @property
    def upgrades(self) -> Overlay:
        return Overlay(self._store.upgrades, outcome_pages=self._outcome_pages)

    @property
    def processes(self) -> Overlay:
        return Overlay(self._store.processes, find=self._find_process)

    async def _outcome_pages(self, *arguments: Any) -> Any:
        self.queries.append("outcomes")
        return await self._store.upgrades.outcome_pages(*arguments)

    async def _find_process(self, key: Any) -> Any:
        self.queries.append("process")
        return await self._store.processes.find(key)


@pytest.mark.parametrize(
    ("body", "queries"),
    [
        ({"updateAllActive": True}, []),
        ({"instanceIds": [str(an_id(100))]}, ["outcomes"]),
        ({"instanceIds": [str(UNKNOWN)]}, ["outcomes"]),
        ({}, ["process"]),
    ],
)
async def test_queries_only_what_the_reply_shows(
    rest_store: Store, body: dict[str, object], queries: list[str]
) -> None:
    store = CountingStore(rest_store)
    await add_process(store, MANY, published=2, instances=[an_instance(100, process=MANY)])
    store.queries.clear()
    transport = httpx2.ASGITransport(Starlette(routes=rest_routes(store, authenticate, Worker(name="rest"))))
    async with httpx2.AsyncClient(transport=transport, base_url="http://uplift.test") as client:
        await client.post(path_of(MANY), headers={"authorization": "Bearer admin-key"}, json=body)
    assert store.queries == queries
