"""Every query, with exact results."""

from typing import Any
from uuid import uuid4

import pytest

from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import (
    MODEL,
    MORNING,
    ORDER,
    add_draft,
    add_instances,
    add_process,
    add_upgrade,
    an_id,
    an_instance,
)
from uplift.domain import ProcessKey, Status, all_active, publish_version, upgrade_instances
from uplift.domain.model.request import UpgradeRequest

pytestmark = pytest.mark.anyio

LOAN = ProcessKey(namespace="bank", code="loan")


async def test_a_process_is_found_by_its_name(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_draft(client.store)
    data = await client.ask(
        """
        {
          process(namespace: "shop", code: "order") {
            namespace code title createdAt latestPublishedVersion {number state}
          }
        }
        """
    )
    assert data == {
        "process": {
            "namespace": "shop",
            "code": "order",
            "title": "The order",
            "createdAt": "2026-03-01T08:30:00Z",
            "latestPublishedVersion": {"number": 2, "state": "PUBLISHED"},
        }
    }


async def test_what_does_not_exist_is_null(client: Client) -> None:
    data = await client.ask(
        """
        query($id: UUID!) {
          process(namespace: "shop", code: "order") {code}
          instance(id: $id) {id}
          upgrade(id: $id) {id}
        }
        """,
        id=str(uuid4()),
    )
    assert data == {"process": None, "instance": None, "upgrade": None}


async def test_processes_are_listed_the_oldest_first(client: Client) -> None:
    await add_process(client.store, ORDER)
    await add_process(client.store, LOAN, versions=0)
    data = await client.ask(
        """
        {
          processes {
            nodes {code latestPublishedVersion {number}}
            edges {node {namespace}}
            pageInfo {hasNextPage hasPreviousPage}
          }
        }
        """
    )
    assert data == {
        "processes": {
            "nodes": [
                {"code": "order", "latestPublishedVersion": {"number": 1}},
                {"code": "loan", "latestPublishedVersion": None},
            ],
            "edges": [{"node": {"namespace": "shop"}}, {"node": {"namespace": "bank"}}],
            "pageInfo": {"hasNextPage": False, "hasPreviousPage": False},
        }
    }


async def test_a_process_shows_its_active_instances_draft_and_last_upgrade(client: Client) -> None:
    await add_process(client.store, versions=2, model=MODEL)
    await add_draft(client.store)
    await add_instances(
        client.store,
        an_instance(1, version=1),
        an_instance(2, version=1, status=Status.RUNNING, position=["approve", "pay"]),
        an_instance(3, version=2),
        an_instance(4, version=2, status=Status.COMPLETED),
    )
    await add_upgrade(client.store, 3)
    last = await add_upgrade(client.store, 4)
    shown = """
    query($code: String!) {
      process(namespace: "shop", code: $code) {
        activeCount
        outdatedCount
        activeByVersion {version pending running}
        draft {number state}
        lastUpgrade {id}
        versions {tokens {elementId pending running}}
      }
    }
    """
    assert (await client.ask(shown, code="order"))["process"] == {
        "activeCount": 3,
        "outdatedCount": 2,
        "activeByVersion": [
            {"version": 1, "pending": 1, "running": 1},
            {"version": 2, "pending": 1, "running": 0},
        ],
        "draft": {"number": 3, "state": "DRAFT"},
        "lastUpgrade": {"id": str(last.id)},
        "versions": [
            {
                "tokens": [
                    {"elementId": "approve", "pending": 1, "running": 1},
                    {"elementId": "pay", "pending": 0, "running": 1},
                ]
            },
            {"tokens": [{"elementId": "approve", "pending": 1, "running": 0}]},
            {"tokens": []},
        ],
    }
    await add_process(client.store, ProcessKey(namespace="shop", code="new"), versions=0)
    assert (await client.ask(shown, code="new"))["process"] == {
        "activeCount": 0,
        "outdatedCount": 0,
        "activeByVersion": [],
        "draft": None,
        "lastUpgrade": None,
        "versions": [],
    }


async def test_elements_of_a_version_are_listed_with_their_scopes(client: Client) -> None:
    model = b"""
    <definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="order">
      <subProcess id="prepare"><userTask id="check" name="Check"/></subProcess><startEvent id="begin"/>
    </process></definitions>"""
    await add_process(client.store, versions=1, model=model)
    await add_draft(client.store)
    data = await client.ask(
        """
        {
          process(namespace: "shop", code: "order") {
            versions {elements {elementId name kind scope isWaitState}}
          }
        }
        """
    )
    begin, check, prepare = (
        {"elementId": "begin", "name": None, "kind": "startEvent", "scope": None, "isWaitState": False},
        {"elementId": "check", "name": "Check", "kind": "userTask", "scope": "prepare", "isWaitState": True},
        {"elementId": "prepare", "name": None, "kind": "subProcess", "scope": None, "isWaitState": False},
    )
    assert data["process"]["versions"] == [{"elements": [begin, check, prepare]}, {"elements": []}]


async def test_versions_of_a_process_are_listed_by_number(client: Client) -> None:
    await add_process(client.store, model=MODEL)
    await add_draft(client.store)
    data = await client.ask(
        """
        {
          process(namespace: "shop", code: "order") {
            versions {number state hasBpmn createdAt publishedAt bpmn}
          }
        }
        """
    )
    at = MORNING.isoformat().replace("+00:00", "Z")
    assert data["process"]["versions"] == [
        {
            "number": 1,
            "state": "PUBLISHED",
            "hasBpmn": True,
            "createdAt": at,
            "publishedAt": at,
            "bpmn": MODEL.decode(),
        },
        {
            "number": 2,
            "state": "DRAFT",
            "hasBpmn": False,
            "createdAt": at,
            "publishedAt": None,
            "bpmn": None,
        },
    ]


async def test_one_version_is_found_by_its_number(client: Client) -> None:
    await add_process(client.store, versions=2, model=MODEL)
    data = await client.ask(
        """
        {
          process(namespace: "shop", code: "order") {
            first: version(number: 1) {number bpmn}
            none: version(number: 3) {number}
          }
        }
        """
    )
    assert data["process"] == {"first": {"number": 1, "bpmn": MODEL.decode()}, "none": None}


async def test_an_instance_is_found_by_its_id(client: Client) -> None:
    await add_process(client.store)
    await add_instances(client.store, an_instance(1, status=Status.RUNNING, position=["pay", "approve"]))
    data = await client.ask(
        "query($id: UUID!) {instance(id: $id) "
        "{id instanceId version status position process {namespace code}}}",
        id=str(an_id(1)),
    )
    assert data["instance"] == {
        "id": f"instance:{an_id(1)}",
        "instanceId": str(an_id(1)),
        "version": 1,
        "status": "RUNNING",
        "position": ["approve", "pay"],
        "process": {"namespace": "shop", "code": "order"},
    }


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ("", [1, 2, 3]),
        ("(filter: null)", [1, 2, 3]),
        ("(filter: {statuses: PENDING})", [1, 3]),
        ("(filter: {versions: 2})", [3]),
        ("(filter: {statuses: [PENDING, COMPLETED], versions: 1})", [1, 2]),
        ("(filter: {statuses: FAILED})", []),
        ("(filter: {versions: [9]})", []),
        ("(filter: {versions: []})", []),
        ('(filter: {elements: ["pay", "ship"]})', [3]),
        (f'(filter: {{ids: ["{an_id(3)}", "{an_id(2)}", "{an_id(9)}"]}})', [2, 3]),
        (f'(filter: {{ids: ["{an_id(3)}", "{an_id(2)}"], elements: "pay"}})', [3]),
    ],
)
async def test_instances_are_filtered(client: Client, arguments: str, numbers: list[int]) -> None:
    await add_process(client.store, versions=2)
    await add_instances(
        client.store,
        an_instance(1),
        an_instance(2, status=Status.COMPLETED),
        an_instance(3, version=2, position=["approve", "pay"]),
    )
    data = await client.ask(
        f'{{process(namespace: "shop", code: "order") '
        f"{{instances{arguments} {{nodes {{instanceId}} totalCount}}}}}}"
    )
    assert data["process"]["instances"] == {
        "nodes": [{"instanceId": str(an_id(number))} for number in numbers],
        "totalCount": len(numbers),
    }


async def test_cohorts_count_instances_by_version_status_and_position(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(
        client.store,
        an_instance(1, version=2),
        an_instance(2),
        an_instance(3, position=["pay", "approve"]),
        an_instance(4),
        an_instance(5, status=Status.CANCELLED, position=[]),
    )
    data = await client.ask(
        '{process(namespace: "shop", code: "order") {cohorts {version status position count}}}'
    )
    assert data["process"]["cohorts"] == [
        {"version": 1, "status": "CANCELLED", "position": [], "count": 1},
        {"version": 1, "status": "PENDING", "position": ["approve"], "count": 2},
        {"version": 1, "status": "PENDING", "position": ["approve", "pay"], "count": 1},
        {"version": 2, "status": "PENDING", "position": ["approve"], "count": 1},
    ]


UPGRADE = """
query($id: UUID!) {
  upgrade(id: $id) {
    id selection targetVersion state requestedBy reason requestedAt finishedAt
    total upgraded skipped excluded countsByReason {code count} process {code}
  }
}
"""


async def test_an_upgrade_by_ids_is_found_by_its_id(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(
        client.store, an_instance(1), an_instance(2, status=Status.RUNNING, version=2), an_instance(3)
    )
    upgrade = await add_upgrade(client.store, 1, 2, 8, 9)
    data = await client.ask(UPGRADE, id=str(upgrade.id))
    assert data["upgrade"] == {
        "id": str(upgrade.id),
        "selection": "BY_IDS",
        "targetVersion": 2,
        "state": "COMPLETED",
        "requestedBy": "setup",
        "reason": None,
        "requestedAt": "2026-03-01T08:30:00Z",
        "finishedAt": "2026-03-01T08:30:00Z",
        "total": 4,
        "upgraded": 1,
        "skipped": 3,
        "excluded": 0,
        "countsByReason": [
            {"code": "INSTANCE_NOT_FOUND", "count": 2},
            {"code": "NOT_PENDING", "count": 1},
            {"code": "ALREADY_LATEST", "count": 1},
        ],
        "process": {"code": "order"},
    }


async def test_an_upgrade_of_all_active_counts_the_excluded(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, *map(an_instance, range(1, 5)))
    upgrade = await upgrade_instances(
        client.store,
        UpgradeRequest(process=ORDER, selection=all_active([an_id(1), an_id(99)])),
        caller=client.caller,
    )
    data = await client.ask(
        "query($id: UUID!) {upgrade(id: $id) {selection total excluded countsByReason {code}}}",
        id=str(upgrade.id),
    )
    assert data["upgrade"] == {
        "selection": "ALL_ACTIVE",
        "total": 3,
        "excluded": 1,
        "countsByReason": [],
    }


async def test_outcomes_say_what_happened_to_each_instance(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, an_instance(1, position=["pay", "approve"]), an_instance(2, version=2))
    upgrade = await add_upgrade(client.store, 2, 1, 9)
    data = await client.ask(
        """
        query($id: UUID!) {
          upgrade(id: $id) {
            outcomes {
              nodes {instanceId kind reasons {code message} fromVersion toVersion fromPosition toPosition}
            }
          }
        }
        """,
        id=str(upgrade.id),
    )
    assert data["upgrade"]["outcomes"]["nodes"] == [
        {
            "instanceId": str(an_id(2)),
            "kind": "SKIPPED",
            "reasons": [
                {
                    "code": "ALREADY_LATEST",
                    "message": "Expected to upgrade the instance to version 2, "
                    "but it is already on version 2.",
                }
            ],
            "fromVersion": 2,
            "toVersion": 2,
            "fromPosition": ["approve"],
            "toPosition": ["approve"],
        },
        {
            "instanceId": str(an_id(1)),
            "kind": "UPGRADED",
            "reasons": [],
            "fromVersion": 1,
            "toVersion": 2,
            "fromPosition": ["approve", "pay"],
            "toPosition": ["approve", "pay"],
        },
        {
            "instanceId": str(an_id(9)),
            "kind": "SKIPPED",
            "reasons": [
                {"code": "INSTANCE_NOT_FOUND", "message": "No instance of this process has this id."}
            ],
            "fromVersion": None,
            "toVersion": None,
            "fromPosition": None,
            "toPosition": None,
        },
    ]


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ("", [1, 2, 3, 4, 9]),
        ("(filter: {kinds: UPGRADED})", [1]),
        ("(filter: {kinds: SKIPPED})", [2, 3, 4, 9]),
        ("(filter: {reasons: NOT_PENDING})", [2, 3]),
        ("(filter: {reasons: ALREADY_LATEST})", [3, 4]),
        ("(filter: {reasons: INSTANCE_NOT_FOUND})", [9]),
        ("(filter: {kinds: SKIPPED, reasons: NOT_PENDING})", [2, 3]),
        ("(filter: {kinds: UPGRADED, reasons: NOT_PENDING})", []),
        ("(filter: {kinds: []})", []),
        ("(filter: {reasons: [INSTANCE_NOT_FOUND, NOT_PENDING]})", [2, 3, 9]),
        ('(filter: {kinds: SKIPPED, elements: ["approve", "nowhere"]})', [2, 3, 4]),
        ("(filter: {kinds: SKIPPED, findings: [TYPE_CHANGED]})", []),
    ],
)
async def test_outcomes_are_filtered(client: Client, arguments: str, numbers: list[int]) -> None:
    await add_process(client.store, versions=2)
    await add_instances(
        client.store,
        an_instance(1),
        an_instance(2, status=Status.RUNNING),
        an_instance(3, status=Status.RUNNING, version=2),
        an_instance(4, version=2),
    )
    upgrade = await add_upgrade(client.store, 1, 2, 3, 4, 9)
    data = await client.ask(
        f"""
        query($id: UUID!) {{
          upgrade(id: $id) {{outcomes{arguments} {{nodes {{instanceId}} totalCount}}}}
        }}
        """,
        id=str(upgrade.id),
    )
    assert data["upgrade"]["outcomes"] == {
        "nodes": [{"instanceId": str(an_id(number))} for number in numbers],
        "totalCount": len(numbers),
    }


async def test_outcomes_are_not_counted_where_upgraded_instances_are_told_apart(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, an_instance(1), an_instance(2, status=Status.RUNNING))
    upgrade = await add_upgrade(client.store, 1, 2)
    data = await client.ask(
        """
        query($id: UUID!) {
          upgrade(id: $id) {outcomes(filter: {elements: "approve"}) {totalCount nodes {instanceId}}}
        }
        """,
        id=str(upgrade.id),
    )
    ids = [{"instanceId": str(an_id(number))} for number in (1, 2)]
    assert data["upgrade"]["outcomes"] == {"totalCount": None, "nodes": ids}


async def test_a_filter_of_outcomes_takes_a_thousand_elements(client: Client) -> None:
    await add_process(client.store, versions=2)
    upgrade = await add_upgrade(client.store, 1)
    query = """
    query($id: UUID!, $elements: [String!]) {
      upgrade(id: $id) {outcomes(filter: {elements: $elements}) {totalCount}}
    }
    """
    many = [f"e{number}" for number in range(1_001)]
    _, [error] = await client.answer(query, id=str(upgrade.id), elements=many)
    assert error["message"] == "Expected elements to have at most 1,000 values, but got 1,001."
    assert error["extensions"] == {"code": "INVALID_INPUT", "field": ["filter", "elements"]}
    await client.ask(query, id=str(upgrade.id), elements=many[1:])


async def test_upgrades_are_listed_the_newest_first_of_one_process_or_of_all(client: Client) -> None:
    await add_process(client.store, ORDER)
    await add_process(client.store, LOAN)
    older, newer = await add_upgrade(client.store, 1), await add_upgrade(client.store, 1)
    other = await add_upgrade(client.store, 1, key=LOAN)
    data = await client.ask(
        """
        query($code: String!) {
          all: upgrades {nodes {id process {code}}}
          orders: upgrades(process: {namespace: "shop", code: $code}) {nodes {id}}
          unknown: upgrades(process: {namespace: "shop", code: "unknown"}) {nodes {id}}
        }
        """,
        code="order",
    )
    assert data == {
        "all": {
            "nodes": [
                {"id": str(other.id), "process": {"code": "loan"}},
                {"id": str(newer.id), "process": {"code": "order"}},
                {"id": str(older.id), "process": {"code": "order"}},
            ]
        },
        "orders": {"nodes": [{"id": str(newer.id)}, {"id": str(older.id)}]},
        "unknown": {"nodes": []},
    }


FOUND_UPGRADES = """
query($filter: UpgradeFilterInput, $first: Int) {
  upgrades(filter: $filter, first: $first) {totalCount nodes {id}}
}
"""


@pytest.mark.parametrize(
    ("which", "count"),
    [
        (None, 2),
        ({"states": ["COMPLETED"], "kinds": "BY_IDS", "requestedBy": "setup"}, 2),
        ({"states": ["FAILED", "PAUSED"]}, 0),
        ({"states": []}, 0),
        ({"kinds": ["ALL_ACTIVE", "UNDO"]}, 0),
        ({"requestedBy": "somebody"}, 0),
        ({"since": "2026-03-01T09:30:00+01:00"}, 2),
        ({"since": "2026-03-01T08:30:01Z"}, 0),
    ],
)
async def test_upgrades_are_filtered_and_counted(client: Client, which: Any, count: int) -> None:
    await add_process(client.store)
    for _ in range(2):
        newest = await add_upgrade(client.store, 1)
    found = (await client.ask(FOUND_UPGRADES, filter=which, first=1))["upgrades"]
    assert found == {"totalCount": count, "nodes": [{"id": str(newest.id)}] if count else []}


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_time_that_has_no_equivalent_in_utc_is_refused(client: Client, since: str) -> None:
    error = await client.refused(FOUND_UPGRADES, filter={"since": since})
    assert "Expected a date and time with its offset from UTC" in error["message"]


async def test_an_incompatible_instance_is_skipped_with_its_findings(client: Client) -> None:
    await add_process(client.store, model=MODEL)
    await add_process_version(client, MODEL.replace(b"approve", b"sign"))
    await add_instances(client.store, an_instance(1, position=["approve"]))
    upgrade = await add_upgrade(client.store, 1)
    data = await client.ask(
        """
        query($id: UUID!) {
          upgrade(id: $id) {
            countsByReason {code count}
            outcomes(filter: {reasons: INCOMPATIBLE}) {totalCount nodes {kind reasons {code message}}}
          }
        }
        """,
        id=str(upgrade.id),
    )
    reasons = data["upgrade"]["outcomes"]["nodes"][0]["reasons"]
    assert data["upgrade"]["countsByReason"] == [{"code": "INCOMPATIBLE", "count": 1}]
    assert data["upgrade"]["outcomes"]["totalCount"] == 1
    assert [reason["code"] for reason in reasons] == ["INCOMPATIBLE"]
    assert "approve" in reasons[0]["message"]


async def add_process_version(client: Client, model: bytes) -> None:
    await add_draft(client.store, model=model)
    await publish_version(client.store, process=ORDER, caller=client.caller)
