"""The node budget limits how many nodes one operation may request."""

from typing import Any

import pytest
from strawberry.types.base import get_object_definition

from tests.graphql_api.support.counting_store import CountingStore
from tests.graphql_api.support.schema_client import ON_SQLITE, WAYS, Client, Way
from tests.graphql_api.support.schema_world import add_process, contents
from uplift.graphql_api.engine.budget import WithinBudget
from uplift.graphql_api.roots.mutations import Mutation
from uplift.graphql_api.roots.queries import Query
from uplift.graphql_api.roots.subscriptions import Subscription

MORE = (
    "Expected to read at most 10,000 nodes in one operation, but its page sizes, multiplied down the nesting"
)

SEVERAL_VERSIONS = " ".join(f"v{number}: version(number: {number}) {{bpmn}}" for number in range(11))
ELEVEN_DOCUMENTS = f'{{process(namespace: "shop", code: "order") {{{SEVERAL_VERSIONS}}}}}'
LOOP = """
{processes(first: 1) {nodes {instances(first: 1000) {nodes {process {...more}}}}}}
fragment more on Process {instances(first: 10) {nodes {id}}}
"""
LEFT_OUT = """
{processes(first: 1000) {nodes {code ...more @skip(if: true)}}}
fragment more on Process {instances(first: 1000) {totalCount}}
"""
HISTORIES = """
{process(namespace: "shop", code: "order") {instances(first: %d) {nodes {history {upgrade {id} kind}}}}}
"""
VERSIONS_AGAIN = """
{process(namespace: "shop", code: "order") {versions {process {versions {process {code}}}}}}
"""
SAME_FIELD_TWICE = """
{processes(first: 99) {nodes {...more instances(first: 100) {nodes {id}}}}}
fragment more on Process {instances(first: 100) {nodes {id version}}}
"""
SIDE_BY_SIDE = """
{
  a: upgrades(first: 10) {nodes {outcomes(first: 999) {totalCount}}}
  b: upgrades(first: 1) {nodes {id}}
}
"""


@pytest.fixture(params=ON_SQLITE)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def a_plan(inside: str) -> str:
    selected = 'namespace: "shop", code: "order", selection: {allActive: {}}'
    return f"upgradePlan(input: {{{selected}}}) {{plan {{fingerprint cohorts {{{inside}}}}}}}"


def instances(first: int) -> str:
    return f"instances(first: {first}) {{nodes {{id}}}}"


ALL_COUNTS = """
{processes(first: 91) {nodes {activeCount versions {tokens {elementId}} outdatedCount ...more}}}
fragment more on Process {instances(first: 60) {totalCount} lastUpgrade {id}}
"""
COUNTS_OF_MANY = "{processes(first: 1000) {nodes {cohorts {count} instances(first: 9) {totalCount}}}}"
DASHBOARD = """
{
  processes(first: 50, orderBy: NAME) {
    totalCount
    nodes {
      code title activeCount outdatedCount activeByVersion {version pending running}
      draft {number} lastUpgrade {id state upgraded} cohorts {version status position count}
      instances(first: 20) {totalCount nodes {id}}
    }
  }
}
"""
EVERY_INSTANCE = f"{{{a_plan(instances(100))}}}"
TWO_PAGES = f"{{{a_plan('mapping {source} a: ' + instances(40) + ' b: ' + instances(40))}}}"
TEN_PLANS = "{" + " ".join(f"p{number}: {a_plan('count')}" for number in range(10)) + "}"
WHOLE_PLAN = f"{{{a_plan('count reasons {findings {code}} mapping {source} ' + instances(79))}}}"


def too_many(nodes: int) -> str:
    return f"{MORE}, ask for {nodes:,}."


@pytest.mark.parametrize("root", [Query, Mutation, Subscription])
def test_every_field_at_the_top_of_an_operation_is_within_the_budget(root: type) -> None:
    fields = get_object_definition(root, strict=True).fields
    assert all(any(isinstance(extension, WithinBudget) for extension in field.extensions) for field in fields)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "nodes"),
    [
        ("{processes(first: 100) {nodes {instances(first: 100) {nodes {id}}}}}", 100 + 100 * 100),
        ("{processes {nodes {instances(first: 200) {totalCount}}}}", 50 + 50 * (200 + 10)),
        ("{processes(first: 200) {nodes {instances {totalCount}}}}", 200 + 200 * (50 + 10)),
        ("{processes(first: 1000) {edges {node {a: instances(first: 10) {nodes {id}}}}}}", 11_000),
        ("{upgrades(first: 10) {nodes {... on Upgrade {outcomes(first: 1000) {totalCount}}}}}", 10_110),
        (LOOP, 1 + 1000 + 10_000),
        (SIDE_BY_SIDE, 10 + 10 * (999 + 10) + 1),
        ("{processes(first: 4) {nodes {versions {bpmn}}}}", 4 + 4 * 3 * (1 + 1000)),
        (ELEVEN_DOCUMENTS, 11_000),
        ("{upgrades(first: 910) {nodes {of {id}}}}", 910 + 910 * 10),
        (HISTORIES % 910, 910 + 910 * 10),
        (EVERY_INSTANCE, 1000 + 100 * (1 + 100)),
        (TWO_PAGES, 1000 + 100 * (1 + 10 + 40 + 40)),
        (TEN_PLANS, 10 * (1000 + 100)),
        ("{processes(first: 5) {nodes {comparison(fromVersion: 1) {added {elementId}}}}}", 5 + 5 * 2000),
        ("{upgrades(first: 1000) {nodes {process {activeCount}} a: totalCount}}", 1000 + 1000 * 10 + 100),
        (COUNTS_OF_MANY, 1000 + 1000 * (50 + 9 + 10)),
        ("{processes(first: 197) {nodes {cohorts {count}}}}", 197 + 197 * 50),
        (
            ALL_COUNTS,
            91 * (1 + 10 + 3 * (1 + 10) + 10 + 60 + 10 + 10),
        ),
        ("{processes(first: 4) {nodes {versions {elements {elementId}}}}}", 4 + 4 * 3 * (1 + 1000)),
        ("{upgrades(first: 100) {nodes {mappings {fromVersion}}}}", 100 + 100 * 100),
        (VERSIONS_AGAIN, 3 * (1 + 100 + 100 * 3 * (1 + 100))),
        ("{processes(first: 1000) {totalCount nodes {a: instances(first: 9) {nodes {id}}}}}", 10_100),
    ],
)
async def test_page_sizes_are_multiplied_down_the_nesting(client: Client, query: str, nodes: int) -> None:
    await add_process(client.store)
    store = CountingStore(client.store)
    data, errors = await client.on(store).answer(query)
    assert {error["message"] for error in errors} == {too_many(nodes)}
    assert {error["extensions"]["code"] for error in errors} == {"LIMIT_EXCEEDED"}
    assert not data or set(data.values()) == {None}
    assert not store.queries


@pytest.mark.anyio
@pytest.mark.parametrize(
    "query",
    [
        "{processes(first: 99) {nodes {instances(first: 100) {nodes {id}}}}}",
        "{upgrades(first: 1000) {nodes {id process {code versions {number}}}}}",
        "{processes(first: 196) {nodes {cohorts {count} latestPublishedVersion {number}}}}",
        "{processes(first: 243) {nodes {activeCount a: activeCount b: activeCount lastUpgrade {id}}}}",
        DASHBOARD,
        "{processes(first: 1000) {nodes {code instances(first: 1000) @include(if: false) {totalCount}}}}",
        LEFT_OUT,
        '{process(namespace: "shop", code: "order") {versions {process {versions {number}}}}}',
        SAME_FIELD_TWICE,
        "{processes(first: 3) {nodes {versions {bpmn}}}}",
        "{processes(first: 4) {nodes {comparison(fromVersion: 1) {added {elementId} mapping {source}}}}}",
        "{upgrades(first: 99) {nodes {mappings {fromVersion}}}}",
        WHOLE_PLAN,
        "{__schema {types {name fields {name}}} __typename}",
        "{upgrades(first: 909) {nodes {of {id}}}}",
        HISTORIES % 909,
    ],
)
async def test_an_operation_within_the_budget_runs(client: Client, query: str) -> None:
    await add_process(client.store)
    await client.ask(query)


BY_VARIABLES = """
query($outer: Int = 1000, $inner: Int!, $off: Boolean = false) {
  processes(first: $outer) {nodes {instances(first: $inner) @skip(if: $off) {nodes {id}}}}
}
"""


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("variables", "nodes"),
    [
        ({"inner": 10}, 11_000),
        ({"outer": 100, "inner": 100}, 10_100),
        ({"outer": 100, "inner": 99}, None),
        ({"inner": 10, "off": True}, None),
    ],
)
async def test_page_sizes_may_be_variables(
    client: Client, variables: dict[str, Any], nodes: int | None
) -> None:
    _, errors = await client.answer(BY_VARIABLES, **variables)
    assert [error["message"] for error in errors] == ([too_many(nodes)] if nodes else [])


OF_INSTANCES = """
query($filter: InstanceFilterInput) {
  processes(first: 100) {nodes {instances(first: 90, filter: $filter) {nodes {id}}}}
}
"""
OF_OUTCOMES = """
query($filter: OutcomeFilterInput) {
  upgrades(first: 100) {nodes {outcomes(first: 90, filter: $filter) {nodes {kind}}}}
}
"""
OF_UPGRADES = "query($filter: UpgradeFilterInput) {upgrades(first: 909, filter: $filter) {nodes {of {id}}}}"
SEARCHED = (
    "query($text: String) {processes(first: 1000, search: $text) {nodes {instances(first: 9) {nodes {id}}}}}"
)
COMPARED = """
query($list: [MappingInstructionInput!]) {
  processes(first: 4) {
    nodes {
      comparison(fromVersion: 1, instructions: $list) {mapping {source}}
      instances(first: 498) {nodes {id}}
    }
  }
}
"""
PLANNED = """
query($input: UpgradePlanInput!) {
  upgradePlan(input: $input) {plan {cohorts {instances(first: 89) {nodes {id}}}}}
}
"""
WHOLE_OF_NODES = 10_000


def some_ids(count: int) -> list[str]:
    return [f"00000000-0000-4000-8000-{number:012}" for number in range(count)]


def an_input(selection: dict[str, Any], *instructions: dict[str, str]) -> dict[str, Any]:
    mappings = [{"fromVersion": 1, "instructions": list(instructions)}] if instructions else []
    process = {"namespace": "shop", "code": "order"}
    return {"input": {**process, "selection": selection, "mappings": mappings}}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "variables", "nodes"),
    [
        (OF_INSTANCES, {}, None),
        (OF_INSTANCES, {"filter": None}, None),
        (OF_INSTANCES, {"filter": {"statuses": ["PENDING"]}}, 100 + 100 * (90 + 10)),
        (
            OF_INSTANCES.replace(" $filter)", " {versions: $list})").replace(
                "$filter: InstanceFilterInput", "$list: [Int!]"
            ),
            {"list": [1]},
            100 + 100 * (90 + 10),
        ),
        (OF_OUTCOMES, {"filter": None}, None),
        (OF_OUTCOMES, {"filter": {"elements": ["a"]}}, 100 + 100 * (90 + 10)),
        (OF_UPGRADES, {"filter": None}, None),
        (OF_UPGRADES, {"filter": {"states": ["RUNNING"]}}, 909 * 11 + 100),
        (SEARCHED, {"text": None}, None),
        (SEARCHED, {"text": "x"}, WHOLE_OF_NODES + 100),
        (
            '{processes(first: 1000, search: "x") {nodes {instances(first: 9) {nodes {id}}}}}',
            {},
            WHOLE_OF_NODES + 100,
        ),
        ("{upgrades(first: 1000) {nodes {countsByReason {code}}}}", {}, 1000 * 11),
        ("{upgrades(first: 1000) {nodes {countsByFinding {code}}}}", {}, 1000 * 11),
        ("{upgrades(first: 1000) {nodes {countsByElement(first: 9) {count}}}}", {}, 1000 * (1 + 10 + 9)),
        (COMPARED, {"list": []}, None),
        (COMPARED, {"list": [{"source": "a", "target": "b"}] * 20}, 4 * (1 + 2000 + 2 + 498)),
        (PLANNED, an_input({"allActive": {}}), None),
        (PLANNED, an_input({"instanceIds": some_ids(1)}), WHOLE_OF_NODES + 1),
        (PLANNED, an_input({"instanceIds": some_ids(200)}), WHOLE_OF_NODES + 2),
        (PLANNED, an_input({"allActive": {"except": some_ids(101)}}), WHOLE_OF_NODES + 2),
        (PLANNED, an_input({"matching": {"limit": 5, "except": some_ids(1)}}), WHOLE_OF_NODES + 1000 + 1),
        (PLANNED, an_input({"allActive": {}}, {"source": "a", "target": "b"}), WHOLE_OF_NODES + 1),
    ],
)
async def test_arguments_count_by_what_they_ask_for(
    client: Client, query: str, variables: dict[str, Any], nodes: int | None
) -> None:
    await add_process(client.store)
    _, errors = await client.answer(query, **variables)
    assert {error["message"] for error in errors} == ({too_many(nodes)} if nodes else set())


@pytest.mark.anyio
async def test_many_versions_are_counted_again_when_they_are_known(client: Client) -> None:
    await add_process(client.store, versions=10)
    query = '{process(namespace: "shop", code: "order") {versions {bpmn}}}'
    _, [error] = await client.answer(query)
    assert error["message"] == (
        "Expected to read at most 10,000 nodes in one operation, but versions has 10 items, "
        "which ask for 1,001 each."
    )
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert len((await client.ask(query.replace("bpmn", "number")))["process"]["versions"]) == 10


@pytest.mark.anyio
async def test_a_variable_inside_another_argument_does_not_disturb_the_count(client: Client) -> None:
    query = 'query($code: String!) {upgrades(process: {namespace: "shop", code: $code}) {nodes {id}}}'
    assert await client.ask(query, code="order") == {"upgrades": {"nodes": []}}


@pytest.mark.anyio
async def test_a_page_size_out_of_range_counts_as_the_largest_and_is_refused_at_its_field(
    client: Client,
) -> None:
    error = await client.refused("{processes(first: 100000) {nodes {code}}}")
    assert error["extensions"]["code"] == "INVALID_INPUT"


@pytest.mark.anyio
async def test_a_mutation_over_the_budget_changes_nothing(client: Client) -> None:
    await add_process(client.store)
    before = await contents(client.store)
    data, errors = await client.answer(
        """
        mutation {
          saveDraft(input: {namespace: "shop", code: "order"}) {version {number}}
          registerInstances(input: {namespace: "shop", code: "order", instances: []}) {
            process {instances(first: 1000) {nodes {process {instances(first: 10) {nodes {id}}}}}}
          }
        }
        """
    )
    assert data == {"saveDraft": None, "registerInstances": None}
    assert {error["message"] for error in errors} == {too_many(11_000)}
    assert await contents(client.store) == before
