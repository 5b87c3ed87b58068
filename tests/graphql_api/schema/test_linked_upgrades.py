"""Upgrades by a linked engine: their counts, outcomes and estimates."""

from datetime import timedelta

import pytest

from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import ORDER, add_instances, add_process, an_instance
from tests.graphql_api.support.upgrade_requests import put_into, the_upgrade, upgrade_from
from uplift.testing.linked_work import MOVED_ON, link_process, send, settle

pytestmark = pytest.mark.anyio

COUNTS = """
query($id: UUID!) {
  upgrade(id: $id) {
    state total upgraded skipped ordered sent confirmed refused
    countsByReason {code count}
    outcomes {totalCount nodes {kind reasons {code message}}}
    ordered_ones: outcomes(filter: {kinds: [ORDERED]}) {totalCount nodes {kind}}
  }
}
"""
SAVE_DRAFT = """
mutation {
  saveDraft(input: {namespace: "shop", code: "order"}) {
    version {number}
    userErrors {__typename code ... on ProcessLinkedError {namespace processCode}}
  }
}
"""


async def a_linked_upgrade(client: Client) -> str:
    """An upgrade of three instances, of which the engine confirmed one and refused another."""
    await add_process(client.store, ORDER, versions=2)
    await add_instances(client.store, *map(an_instance, (1, 2, 3)))
    await link_process(client.store, ORDER)
    await upgrade_from(client, "upgradeInstances", wait=False)
    return str((await the_upgrade(client.store)).id)


async def test_an_upgrade_has_the_numbers_of_its_orders(client: Client) -> None:
    upgrade_id = await a_linked_upgrade(client)
    await send(client.store, 2)
    await settle(client.store, [1])
    await settle(client.store, [2], MOVED_ON)
    refused = {"kind": "SKIPPED", "reasons": [{"code": "MOVED_ON", "message": MOVED_ON.message}]}
    shown = (await client.ask(COUNTS, id=upgrade_id))["upgrade"]
    assert shown == {
        "state": "RUNNING",
        "total": 2,
        "upgraded": 1,
        "skipped": 1,
        "ordered": 1,
        "sent": 0,
        "confirmed": 1,
        "refused": 1,
        "countsByReason": [{"code": "MOVED_ON", "count": 1}],
        "outcomes": {
            "totalCount": 3,
            "nodes": [
                {"kind": "UPGRADED", "reasons": []},
                refused,
                {"kind": "ORDERED", "reasons": []},
            ],
        },
        "ordered_ones": {"totalCount": 1, "nodes": [{"kind": "ORDERED"}]},
    }


async def test_a_plan_estimates_by_the_rate_of_the_engine(client: Client) -> None:
    upgrade_id = await a_linked_upgrade(client)
    plan = """{ upgradePlan(input: {namespace: "shop", code: "order", selection: {allActive: {}}}) {
        plan {total expectedSeconds} } }"""
    await put_into(
        client.store, (await the_upgrade(client.store)).id, upgraded=1000, worked=timedelta(seconds=100)
    )
    assert upgrade_id
    assert (await client.ask(plan))["upgradePlan"]["plan"] == {"total": 3, "expectedSeconds": 0.3}


async def test_a_draft_of_a_linked_process_is_refused(client: Client) -> None:
    await a_linked_upgrade(client)
    data = await client.ask(SAVE_DRAFT)
    assert data["saveDraft"] == {
        "version": None,
        "userErrors": [
            {
                "__typename": "ProcessLinkedError",
                "code": "LINKED",
                "namespace": "shop",
                "processCode": "order",
            }
        ],
    }
