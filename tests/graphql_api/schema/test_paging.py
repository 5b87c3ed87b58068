"""Pages contain each item exactly once while the list grows, and invalid requests get clear errors."""

from typing import Any

import pytest

from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import add_instances, add_process, add_upgrade, an_id, an_instance
from uplift.domain import ProcessKey
from uplift.graphql_api.types.connections import DEFAULT_PAGE_SIZE

pytestmark = pytest.mark.anyio

INSTANCES = """
query($first: Int!, $after: String) {
  process(namespace: "shop", code: "order") {
    list: instances(first: $first, after: $after) {
      nodes {id: instanceId}
      edges {cursor node {id: instanceId}}
      pageInfo {hasNextPage hasPreviousPage startCursor endCursor}
    }
  }
}
"""
OUTCOMES = """
query($first: Int!, $after: String, $id: UUID!) {
  upgrade(id: $id) {
    list: outcomes(first: $first, after: $after) {
      nodes {id: instanceId}
      edges {cursor node {id: instanceId}}
      pageInfo {hasNextPage hasPreviousPage startCursor endCursor}
    }
  }
}
"""
PROCESSES = """
query($first: Int!, $after: String) {
  list: processes(first: $first, after: $after) {
    nodes {id: code}
    edges {cursor node {id: code}}
    pageInfo {hasNextPage hasPreviousPage startCursor endCursor}
  }
}
"""
UPGRADES = PROCESSES.replace("processes", "upgrades").replace("id: code", "id")


async def all_ids(client: Client, query: str, first: int, **variables: Any) -> list[str]:
    """The ids of all items, read page by page. Checks that each page is consistent."""
    found: list[str] = []
    after = None
    while True:
        page = a_list(await client.ask(query, first=first, after=after, **variables))
        ids = [node["id"] for node in page["nodes"]]
        cursors = [edge["cursor"] for edge in page["edges"]]
        assert [edge["node"]["id"] for edge in page["edges"]] == ids
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert page["pageInfo"]["startCursor"] == (cursors[0] if cursors else None)
        assert page["pageInfo"]["endCursor"] == (cursors[-1] if cursors else None)
        found += ids
        if not page["pageInfo"]["hasNextPage"]:
            return found
        assert len(ids) == first
        after = page["pageInfo"]["endCursor"]


def a_list(data: Any) -> Any:
    """The connection in a response, at any depth."""
    return data["list"] if "list" in data else a_list(next(iter(data.values())))


@pytest.mark.parametrize("first", [1, 2, 3, 7, 1000])
async def test_paging_through_instances_returns_each_exactly_once(client: Client, first: int) -> None:
    await add_process(client.store)
    await add_instances(client.store, *map(an_instance, [5, 3, 9, 1, 7, 2]))
    assert await all_ids(client, INSTANCES, first) == [str(an_id(number)) for number in [5, 3, 9, 1, 7, 2]]


@pytest.mark.parametrize("first", [1, 2, 5])
async def test_paging_through_outcomes_returns_each_exactly_once(client: Client, first: int) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, *map(an_instance, [1, 2, 3]))
    upgrade = await add_upgrade(client.store, 3, 9, 1, 2)
    expected = [str(an_id(number)) for number in [3, 9, 1, 2]]
    assert await all_ids(client, OUTCOMES, first, id=str(upgrade.id)) == expected


@pytest.mark.parametrize("first", [1, 2, 5])
async def test_paging_through_processes_returns_each_exactly_once(client: Client, first: int) -> None:
    for code in "cabd":
        await add_process(client.store, ProcessKey(namespace="shop", code=code), versions=0)
    assert await all_ids(client, PROCESSES, first) == ["c", "a", "b", "d"]


@pytest.mark.parametrize("first", [1, 2, 5])
async def test_paging_through_upgrades_returns_each_exactly_once(client: Client, first: int) -> None:
    await add_process(client.store)
    upgrades = [await add_upgrade(client.store, 1) for _ in range(4)]
    assert await all_ids(client, UPGRADES, first) == [str(upgrade.id) for upgrade in reversed(upgrades)]


async def test_an_empty_list_has_no_cursors(client: Client) -> None:
    assert await all_ids(client, PROCESSES, 10) == []


async def test_cursors_stay_valid_while_the_list_grows(client: Client) -> None:
    await add_process(client.store)
    await add_instances(client.store, *map(an_instance, [1, 2, 3]))
    page = a_list(await client.ask(INSTANCES, first=2))
    await add_instances(client.store, *map(an_instance, [4, 5]))
    again = a_list(await client.ask(INSTANCES, first=2))
    rest = a_list(await client.ask(INSTANCES, first=10, after=page["pageInfo"]["endCursor"]))
    assert again["edges"] == page["edges"]
    assert rest["nodes"] == [{"id": str(an_id(number))} for number in [3, 4, 5]]


async def test_new_upgrades_do_not_shift_the_pages_behind_a_cursor(client: Client) -> None:
    await add_process(client.store)
    upgrades = [await add_upgrade(client.store, 1) for _ in range(3)]
    page = a_list(await client.ask(UPGRADES, first=1))
    await add_upgrade(client.store, 1)
    rest = a_list(await client.ask(UPGRADES, first=10, after=page["pageInfo"]["endCursor"]))
    assert rest["nodes"] == [{"id": str(upgrades[1].id)}, {"id": str(upgrades[0].id)}]


async def test_a_page_has_fifty_items_by_default(client: Client) -> None:
    await add_process(client.store)
    await add_instances(client.store, *map(an_instance, range(1, 61)))
    data = await client.ask('{process(namespace: "shop", code: "order") {instances {nodes {instanceId}}}}')
    assert len(data["process"]["instances"]["nodes"]) == 50


@pytest.mark.parametrize("first", [0, -1, 1001, 2**31 - 1])
async def test_a_page_size_out_of_range_is_refused(client: Client, first: int) -> None:
    error = await client.refused(PROCESSES, first=first)
    assert error["message"] == f"Expected first to be from 1 to 1,000, but got {first}."
    assert error["extensions"] == {"code": "INVALID_INPUT", "field": ["first"]}


@pytest.mark.parametrize("cursor", ["", "nonsense", "ÿ", "a zE", "azE=", "az-x", "azAx"])
async def test_an_invalid_cursor_is_refused(client: Client, cursor: str) -> None:
    error = await client.refused(PROCESSES, first=1, after=cursor)
    assert error["message"] == f"Expected after to be a cursor of this list, but got {cursor!r}."
    assert error["extensions"] == {"code": "INVALID_INPUT", "field": ["after"]}


async def test_an_invalid_page_size_of_a_nested_list_is_refused_at_its_path(client: Client) -> None:
    await add_process(client.store)
    error = await client.refused(INSTANCES, first=0)
    assert error["path"] == ["process", "list"]


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (PROCESSES.replace("$first: Int!", "$first: Int"), {"first": None}),
        (PROCESSES.replace("$first: Int!", "$first: Int"), {}),
        (PROCESSES.replace("$first: Int!, ", "").replace("first: $first", "first: null"), {}),
        (PROCESSES.replace("$first: Int!, ", "").replace("first: $first, ", ""), {}),
    ],
    ids=["null variable", "absent variable", "null", "absent"],
)
async def test_without_a_number_a_page_has_the_default_size(
    client: Client, query: str, variables: dict[str, Any]
) -> None:
    for number in range(DEFAULT_PAGE_SIZE + 1):
        await add_process(client.store, ProcessKey(namespace="shop", code=f"p{number}"))
    page = a_list(await client.ask(query, **variables))
    assert len(page["nodes"]) == DEFAULT_PAGE_SIZE
    assert page["pageInfo"]["hasNextPage"] is True


FOUND = """
query($search: String, $namespace: String, $order: ProcessOrder! = CREATED, $first: Int, $after: String) {
  processes(search: $search, namespace: $namespace, orderBy: $order, first: $first, after: $after) {
    totalCount
    nodes {code}
    edges {cursor}
    pageInfo {startCursor endCursor}
  }
}
"""


async def test_processes_are_searched_and_ordered(client: Client) -> None:
    for code in ("zebra", "ant", "anteater"):
        await add_process(client.store, ProcessKey(namespace="shop", code=code))
    await add_process(client.store, ProcessKey(namespace="zoo", code="ant"))
    found = (await client.ask(FOUND, search="ANT", namespace="shop", order="TITLE", first=1))["processes"]
    assert (found["totalCount"], found["nodes"]) == (2, [{"code": "ant"}])
    after = found["pageInfo"]["endCursor"]
    assert [edge["cursor"] for edge in found["edges"]] == [after] == [found["pageInfo"]["startCursor"]]
    rest = await client.ask(FOUND, search="ANT", namespace="shop", order="TITLE", after=after)
    assert rest["processes"]["nodes"] == [{"code": "anteater"}]
    everything = (await client.ask(FOUND, search=""))["processes"]
    assert everything == (await client.ask(FOUND))["processes"]
    assert (everything["totalCount"], len(everything["nodes"])) == (4, 4)


@pytest.mark.parametrize(
    "other",
    [
        {"order": "TITLE", "search": "ant"},
        {"order": "TITLE", "namespace": "shop"},
        {"order": "NAME"},
        {},
    ],
)
async def test_a_cursor_of_another_order_or_filter_is_refused(client: Client, other: dict[str, str]) -> None:
    await add_process(client.store)
    cursor = (await client.ask(FOUND, order="TITLE"))["processes"]["pageInfo"]["endCursor"]
    error = await client.refused(FOUND, after=cursor, **other)
    assert error["extensions"] == {"code": "INVALID_INPUT", "field": ["after"]}
    assert error["message"] == (
        "Expected after to be a cursor of a list with the same filter and order, but "
        f"'{cursor}' is of another one."
    )


async def test_a_search_that_is_too_long_is_refused(client: Client) -> None:
    error = await client.refused(FOUND, search="x" * 201)
    assert error["extensions"] == {"code": "INVALID_INPUT", "field": ["search"]}
