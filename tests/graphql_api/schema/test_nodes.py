"""Objects with an identity have unique ids, and are found by them."""

from typing import Any

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType
from graphql import build_schema as build_from_text

from tests.graphql_api.support.counting_store import CountingStore
from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import (
    ORDER,
    add_draft,
    add_instances,
    add_process,
    add_upgrade,
    an_id,
    an_instance,
)
from uplift.domain import ProcessKey
from uplift.graphql_api.schema import print_schema

pytestmark = pytest.mark.anyio

NODE = """
query($id: ID!) {
  node(id: $id) {
    __typename
    id
    ... on Process {namespace code versions {number}}
    ... on Version {number process {code}}
    ... on ProcessInstance {instanceId status process {code}}
    ... on Upgrade {state total process {code}}
  }
}
"""
IDS = """
{
  process(namespace: "shop", code: "order") {
    id
    versions {id}
    latestPublishedVersion {id}
    instances {nodes {id} edges {node {id}}}
  }
  upgrades {nodes {id}}
}
"""
UNKNOWN_UUID = "01234567-89ab-4def-8123-456789abcdef"


async def a_small_world(client: Client) -> str:
    """A process with two versions and a draft, and two instances; returns the id of an upgrade."""
    await add_process(client.store, versions=2)
    await add_draft(client.store)
    await add_instances(client.store, an_instance(1), an_instance(2))
    return str((await add_upgrade(client.store, 1)).id)


def ids_in(data: Any) -> set[str]:
    """Every value of a field `id`."""
    if isinstance(data, list):
        return set().union(*map(ids_in, data))
    if isinstance(data, dict):
        own = {data["id"]} if "id" in data else set()
        return own.union(*map(ids_in, data.values()))
    return set()


async def test_each_object_is_found_by_its_id(client: Client) -> None:
    upgrade = await a_small_world(client)
    versions, order = [{"number": number} for number in (1, 2, 3)], {"code": "order"}
    expected: dict[str, dict[str, Any]] = {
        "process:shop/order": {
            "__typename": "Process",
            "namespace": "shop",
            "code": "order",
            "versions": versions,
        },
        upgrade: {"__typename": "Upgrade", "state": "COMPLETED", "total": 1, "process": order},
    }
    for number in (1, 2, 3):
        node = {"__typename": "Version", "number": number, "process": order}
        expected[f"version:shop/order/{number}"] = node
    for number in (1, 2):
        node = {"__typename": "ProcessInstance", "instanceId": str(an_id(number)), "status": "PENDING"}
        expected[f"instance:{an_id(number)}"] = {**node, "process": order}
    ids = ids_in(await client.ask(IDS))
    assert {node_id: (await client.ask(NODE, id=node_id))["node"] for node_id in ids} == {
        node_id: {"id": node_id, **node} for node_id, node in expected.items()
    }


async def test_an_instance_and_an_upgrade_of_the_same_uuid_have_different_ids(client: Client) -> None:
    upgrade = await a_small_world(client)
    registered = await client.ask(
        """
        mutation($instances: [RegisteredInstanceInput!]!) {
          registerInstances(input: {namespace: "shop", code: "order", instances: $instances}) {instances {id}}
        }
        """,
        instances=[{"id": upgrade, "version": 1, "status": "RUNNING"}],
    )
    [instance] = registered["registerInstances"]["instances"]
    assert (await client.ask(NODE, id=instance["id"]))["node"]["__typename"] == "ProcessInstance"
    assert (await client.ask(NODE, id=upgrade))["node"]["__typename"] == "Upgrade"


async def test_an_upgrade_is_changed_by_the_id_that_names_it(client: Client) -> None:
    upgrade = await a_small_world(client)
    data = await client.ask(
        """
        mutation($input: UndoUpgradeInput!) {
          undoUpgrade(input: $input) {upgrade {id of {id}} process {id} userErrors {code}}
        }
        """,
        input={"id": upgrade},
    )
    undone = data["undoUpgrade"]
    assert undone == {
        "upgrade": {"id": undone["upgrade"]["id"], "of": {"id": upgrade}},
        "process": {"id": "process:shop/order"},
        "userErrors": [],
    }


@pytest.mark.parametrize(
    "node_id",
    [
        "",
        ":",
        "5",
        "order",
        "process:",
        "process:shop",
        "process:shop/unknown",
        "process:shop/order/1",
        "process:/",
        "process:sh\0p/order",
        "process:shop/order ",
        "PROCESS:shop/order",
        f"process:shop/{'x' * 100_000}",
        "version:shop/order",
        "version:shop/order/0",
        "version:shop/order/01",
        "version:shop/order/-1",
        "version:shop/order/4",
        "version:shop/order/+1",
        "version:shop/order/99999999999999999999",
        "version:shop/unknown/1",
        "instance:",
        "instance:x",
        "instance:00000000000000000000000000000001",
        "instance:{00000000-0000-0000-0000-000000000001}",
        f"instance:{UNKNOWN_UUID}",
        f"instance:{UNKNOWN_UUID}/",
        str(an_id(1)),
        UNKNOWN_UUID,
        f"{UNKNOWN_UUID}:",
        f"urn:uuid:{UNKNOWN_UUID}",
        "cohort:shop/order",
        "UHJvY2VzczoxMg==",
        "\N{SNOWMAN}:\N{SNOWMAN}",
    ],
)
async def test_what_is_no_id_of_an_object_is_null(client: Client, node_id: str) -> None:
    await a_small_world(client)
    assert await client.ask("query($id: ID!) {node(id: $id) {id}}", id=node_id) == {"node": None}


async def test_an_id_has_one_spelling(client: Client) -> None:
    upgrade = await a_small_world(client)
    for other in (upgrade.upper(), upgrade.replace("-", ""), f"{{{upgrade}}}", f"{upgrade}:", f" {upgrade}"):
        assert await client.ask("query($id: ID!) {node(id: $id) {id}}", id=other) == {"node": None}


async def test_many_look_ups_run_one_query_for_each_kind(client: Client) -> None:
    loan = await add_process(client.store, ProcessKey(namespace="bank", code="loan"))
    await a_small_world(client)
    await add_upgrade(client.store, 2)
    upgrades = [
        upgrade["id"] for upgrade in (await client.ask("{upgrades {nodes {id}}}"))["upgrades"]["nodes"]
    ]
    ids = [
        *(f"process:{key}" for key in (ORDER, loan)),
        *(f"version:{key}/1" for key in (ORDER, loan)),
        *(f"instance:{an_id(number)}" for number in (1, 2, 9)),
        *upgrades,
    ]
    store = CountingStore(client.store)
    fields = " ".join(f'n{n}: node(id: "{node_id}") {{id}}' for n, node_id in enumerate(ids))
    data = await client.on(store).ask(f"{{{fields}}}")
    unknown = f"instance:{an_id(9)}"
    assert [node and node["id"] for node in data.values()] == [
        None if node_id == unknown else node_id for node_id in ids
    ]
    assert store.queries == {
        "processes.find_many": 1,
        "processes.versions": 1,
        "instances.find_many": 1,
        "upgrades.find_many": 1,
    }


def test_a_type_has_an_id_if_and_only_if_it_is_a_node() -> None:
    schema = build_from_text(print_schema())
    node = schema.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    objects = [type_ for type_ in schema.type_map.values() if isinstance(type_, GraphQLObjectType)]
    with_id = {type_.name for type_ in objects if {"id", "_id"} & type_.fields.keys()}
    assert with_id == {type_.name for type_ in schema.get_possible_types(node)}
    assert with_id >= {"Process", "Version", "ProcessInstance", "Upgrade"}
