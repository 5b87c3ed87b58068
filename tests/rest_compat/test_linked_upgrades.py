"""Upgrades by a linked engine: the replies know what the engine has answered."""

import httpx2
import pytest

from tests.rest_compat.support.rest_world import ORDERS, WAITING_1, WAITING_2, ask
from tests.rest_compat.test_status import status_of
from uplift.domain.ports import Store
from uplift.testing.linked_work import MOVED_ON, link_process, send, settle

pytestmark = pytest.mark.anyio

BOTH = {"instanceIds": [str(WAITING_1), str(WAITING_2)]}


async def test_a_status_lists_only_instances_whose_engine_has_answered(
    client: httpx2.AsyncClient, rest_store: Store
) -> None:
    await link_process(rest_store, ORDERS)
    accepted = await ask(client, BOTH, headers={"prefer": "respond-async"})
    assert accepted.status_code == 202
    reply = accepted.json()
    assert (reply["state"], reply["total"], reply["instances"]) == ("RUNNING", 0, [])
    first = await send(rest_store, 1)
    assert first is not None
    await settle(rest_store, first.numbers)
    reply = (await status_of(client, reply["upgradeId"])).json()
    assert (reply["total"], reply["updated"], reply["skipped"]) == (1, 1, 0)
    assert [instance["status"] for instance in reply["instances"]] == ["updated"]
    progress = reply["progress"]
    assert (progress["done"], progress["ordered"], progress["sent"], progress["refused"]) == (1, 1, 0, 0)
    second = await send(rest_store)
    assert second is not None
    await settle(rest_store, second.numbers, MOVED_ON)
    reply = (await status_of(client, reply["upgradeId"])).json()
    assert (reply["state"], reply["updated"], reply["skipped"]) == ("COMPLETED", 1, 1)
    assert sorted(instance["status"] for instance in reply["instances"]) == ["skipped", "updated"]
    skipped = next(instance for instance in reply["instances"] if instance["status"] == "skipped")
    assert skipped["reasons"] == ["MOVED_ON"]
    assert (reply["progress"]["ordered"], reply["progress"]["refused"]) == (0, 1)
