"""Plans with exact results, the instances of their cohorts, and comparisons of versions."""

from typing import Any

import pytest

from tests.graphql_api.support.counting_store import CountingStore
from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import (
    ORDER,
    add_draft,
    add_instances,
    add_process,
    add_version,
    an_id,
    an_instance,
    contents,
)
from tests.support.bpmn_builder import a_process
from uplift.domain import Status

pytestmark = pytest.mark.anyio

FIRST = (
    a_process("order").start().user_task("check", name="Check").user_task("approve").user_task("pay").end()
)
SECOND = (
    a_process("order").start().user_task("check", name="Look").user_task("sign").service_task("pay").end()
)
TASK_GONE = {
    "severity": "ERROR",
    "code": "ELEMENT_MISSING",
    "source": "approve",
    "target": None,
    "name": None,
    "message": "Expected user task 'approve' to exist in the target version, "
    "but it has no element of this id.",
}
CALLED_OTHERWISE = {
    "severity": "WARNING",
    "code": "NAME_CHANGED",
    "source": "check",
    "target": "check",
    "name": "Check",
    "message": "User task 'check' (Check) is called 'Look' in the target version.",
}

PLAN = """
query($input: UpgradePlanInput!, $decision: Verdict, $reason: ReasonCode, $version: Int) {
  upgradePlan(input: $input) {
    plan {
      process {code}
      targetVersion total upgraded skipped excluded notFound
      countsByReason {code count}
      countsByFinding {severity code count}
      cohorts(decision: $decision, reason: $reason, version: $version) {
        count version status position decision toPosition
        reasons {code message findings {severity code source target name message}}
        warnings {severity code source target name message}
        mapping {source target}
        instances {totalCount nodes {instanceId}}
      }
    }
    userErrors {code field message}
  }
}
"""


def an_input(selection: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    return {"namespace": "shop", "code": "order", "selection": selection or {"allActive": {}}, **others}


def mapped(version: int, **pairs: str) -> list[dict[str, Any]]:
    """Mapping instructions for a version."""
    instructions = [{"source": source, "target": target} for source, target in pairs.items()]
    return [{"fromVersion": version, "instructions": instructions}]


async def plan_of(client: Client, input_: dict[str, Any], **arguments: Any) -> Any:
    data = await client.ask(PLAN, input=input_, **arguments)
    assert data["upgradePlan"]["userErrors"] == []
    return data["upgradePlan"]["plan"]


async def fingerprint(client: Client, input_: dict[str, Any]) -> str:
    query = "query($i: UpgradePlanInput!) {upgradePlan(input: $i) {plan {fingerprint}}}"
    found: str = (await client.ask(query, i=input_))["upgradePlan"]["plan"]["fingerprint"]
    return found


@pytest.fixture
async def world(client: Client) -> Client:
    """Two versions that differ, with instances on both, one of them RUNNING."""
    await add_process(client.store, versions=0)
    await add_version(client.store, FIRST.xml())
    await add_version(client.store, SECOND.xml())
    await add_instances(
        client.store,
        an_instance(1, position=["check"]),
        an_instance(2, position=["approve"]),
        an_instance(3, position=["check"]),
        an_instance(4, position=["approve"], status=Status.RUNNING),
        an_instance(5, position=["check"], version=2),
        an_instance(6, position=["check"], status=Status.COMPLETED),
    )
    return client


async def test_a_plan_says_what_an_upgrade_would_do(world: Client) -> None:
    plan = await plan_of(world, an_input())
    cohorts = plan.pop("cohorts")
    assert plan == {
        "process": {"code": "order"},
        "targetVersion": 2,
        "total": 5,
        "upgraded": 2,
        "skipped": 3,
        "excluded": 0,
        "notFound": 0,
        "countsByReason": [
            {"code": "NOT_PENDING", "count": 1},
            {"code": "ALREADY_LATEST", "count": 1},
            {"code": "INCOMPATIBLE", "count": 2},
        ],
        "countsByFinding": [
            {"severity": "ERROR", "code": "ELEMENT_MISSING", "count": 2},
            {"severity": "WARNING", "code": "NAME_CHANGED", "count": 2},
        ],
    }
    assert [
        (cohort["count"], cohort["version"], cohort["status"], cohort["position"]) for cohort in cohorts
    ] == [
        (2, 1, "PENDING", ["check"]),
        (1, 1, "PENDING", ["approve"]),
        (1, 1, "RUNNING", ["approve"]),
        (1, 2, "PENDING", ["check"]),
    ]


async def test_a_cohort_to_upgrade_has_its_new_position_and_warnings(world: Client) -> None:
    [cohort] = (await plan_of(world, an_input(), decision="UPGRADE"))["cohorts"]
    assert cohort == {
        "count": 2,
        "version": 1,
        "status": "PENDING",
        "position": ["check"],
        "decision": "UPGRADE",
        "toPosition": ["check"],
        "reasons": [],
        "warnings": [CALLED_OTHERWISE],
        "mapping": [{"source": "check", "target": "check"}],
        "instances": {
            "totalCount": 2,
            "nodes": [{"instanceId": str(an_id(1))}, {"instanceId": str(an_id(3))}],
        },
    }


async def test_a_cohort_to_skip_has_every_reason_with_its_findings(world: Client) -> None:
    _, cohort = (await plan_of(world, an_input(), reason="INCOMPATIBLE"))["cohorts"]
    assert cohort == {
        "count": 1,
        "version": 1,
        "status": "RUNNING",
        "position": ["approve"],
        "decision": "SKIP",
        "toPosition": None,
        "reasons": [
            {
                "code": "NOT_PENDING",
                "message": "Expected to move a PENDING instance to version 2, but it is RUNNING.",
                "findings": [],
            },
            {"code": "INCOMPATIBLE", "message": TASK_GONE["message"], "findings": [TASK_GONE]},
        ],
        "warnings": [],
        "mapping": [{"source": "check", "target": "check"}],
        "instances": {"totalCount": 1, "nodes": [{"instanceId": str(an_id(4))}]},
    }


@pytest.mark.parametrize(
    ("arguments", "cohorts"),
    [
        ({}, [("check", 1), ("approve", 1), ("approve", 1), ("check", 2)]),
        ({"decision": "UPGRADE"}, [("check", 1)]),
        ({"decision": "SKIP"}, [("approve", 1), ("approve", 1), ("check", 2)]),
        ({"reason": "NOT_PENDING"}, [("approve", 1)]),
        ({"reason": "INSTANCE_NOT_FOUND"}, []),
        ({"version": 2}, [("check", 2)]),
        ({"version": 1, "decision": "SKIP", "reason": "INCOMPATIBLE"}, [("approve", 1), ("approve", 1)]),
        ({"version": 2, "decision": "UPGRADE"}, []),
    ],
    ids=str,
)
async def test_cohorts_can_be_filtered(
    world: Client, arguments: dict[str, Any], cohorts: list[tuple[str, int]]
) -> None:
    plan = await plan_of(world, an_input(), **arguments)
    assert [(*cohort["position"], cohort["version"]) for cohort in plan["cohorts"]] == cohorts
    assert plan["total"] == 5


@pytest.mark.parametrize(
    ("selection", "counts"),
    [
        ({"allActive": {"except": [str(an_id(2)), str(an_id(6)), str(an_id(9))]}}, (4, 2, 2, 1, 0)),
        ({"instanceIds": [str(an_id(n)) for n in (1, 6, 9, 1, 2)]}, (4, 1, 3, 0, 1)),
        ({"instanceIds": [str(an_id(9))]}, (1, 0, 1, 0, 1)),
        ({"matching": {}}, (5, 2, 3, 0, 0)),
        ({"matching": {"versions": [1], "elements": ["check"], "except": [str(an_id(1))]}}, (1, 1, 0, 1, 0)),
        ({"matching": {"statuses": ["PENDING"], "limit": 3}}, (3, 2, 1, 0, 0)),
    ],
)
async def test_a_plan_is_about_its_selection(
    world: Client, selection: dict[str, Any], counts: tuple[int, ...]
) -> None:
    plan = await plan_of(world, an_input(selection))
    fields = ("total", "upgraded", "skipped", "excluded", "notFound")
    assert tuple(plan[name] for name in fields) == counts


async def test_mapping_instructions_extend_the_generated_mapping(
    world: Client,
) -> None:
    plan = await plan_of(world, an_input(mappings=mapped(1, approve="sign")), version=1)
    assert (plan["upgraded"], plan["countsByFinding"]) == (
        3,
        [{"severity": "WARNING", "code": "NAME_CHANGED", "count": 2}],
    )
    _, cohort, _ = plan["cohorts"]
    assert (cohort["position"], cohort["toPosition"]) == (["approve"], ["sign"])
    assert cohort["mapping"] == [
        {"source": "approve", "target": "sign"},
        {"source": "check", "target": "check"},
    ]


async def test_a_version_without_a_document_is_only_renumbered_with_a_warning(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, an_instance(1))
    plan = await plan_of(client, an_input())
    [cohort] = plan["cohorts"]
    assert (cohort["decision"], cohort["toPosition"], cohort["mapping"]) == ("UPGRADE", ["approve"], [])
    assert plan["countsByFinding"] == [{"severity": "WARNING", "code": "NO_MODEL", "count": 1}]
    [warning] = cohort["warnings"]
    assert (warning["code"], warning["source"]) == ("NO_MODEL", None)


async def test_a_plan_of_nothing_is_empty(client: Client) -> None:
    await add_process(client.store)
    plan = await plan_of(client, an_input())
    assert (plan["total"], plan["cohorts"], plan["countsByReason"]) == (0, [], [])


async def test_a_reader_may_request_a_plan_which_writes_nothing(world: Client) -> None:
    before = await contents(world.store)
    assert (await plan_of(world.reader(), an_input()))["upgraded"] == 2
    assert await contents(world.store) == before


PAGES = """
query($input: UpgradePlanInput!, $after: String) {
  upgradePlan(input: $input) {
    plan {
      cohorts(decision: UPGRADE) {
        instances(first: 2, after: $after) {
          totalCount nodes {instanceId} pageInfo {hasNextPage hasPreviousPage endCursor}
        }
      }
    }
  }
}
"""


async def page(client: Client, after: str | None = None) -> Any:
    [cohort] = (await client.ask(PAGES, input=an_input(), after=after))["upgradePlan"]["plan"]["cohorts"]
    return cohort["instances"]


async def test_the_instances_of_a_cohort_come_in_pages(world: Client) -> None:
    await add_instances(world.store, an_instance(7, position=["check"]))
    first = await page(world)
    assert first == {
        "totalCount": 3,
        "nodes": [{"instanceId": str(an_id(1))}, {"instanceId": str(an_id(3))}],
        "pageInfo": {
            "hasNextPage": True,
            "hasPreviousPage": False,
            "endCursor": first["pageInfo"]["endCursor"],
        },
    }
    second = await page(world, first["pageInfo"]["endCursor"])
    assert second["nodes"] == [{"instanceId": str(an_id(7))}]
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (False, True)


@pytest.mark.parametrize("positions", [1, 2, 40])
async def test_many_cohorts_run_one_query_for_their_instances(client: Client, positions: int) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, *(an_instance(n, position=[f"task{n}"]) for n in range(positions)))
    store = CountingStore(client.store)
    data = await client.on(store).ask(
        """
        query($input: UpgradePlanInput!) {
          upgradePlan(input: $input) {
            plan {
              cohorts {
                instances(first: 3) {nodes {instanceId process {code}} pageInfo {hasNextPage}}
                more: instances(first: 3) {edges {cursor}}
                first: instances(first: 1) {totalCount}
              }
            }
          }
        }
        """,
        input=an_input(),
    )
    assert len(data["upgradePlan"]["plan"]["cohorts"]) == positions
    assert store.queries == {
        "processes.find": 1,
        "processes.model": 1,
        "instances.selected_cohorts": 1,
        "instances.cohort_pages": 2,
        "processes.find_many": 1,
    }


async def test_a_plan_of_more_cohorts_than_assumed_is_held_to_the_budget(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, *(an_instance(n, position=[f"task{n}"]) for n in range(400)))
    query = "query($i: UpgradePlanInput!) {upgradePlan(input: $i) {plan {cohorts {%s}}}}"
    store = CountingStore(client.store)
    error = await client.on(store).refused(query % "instances(first: 25) {nodes {instanceId}}", i=an_input())
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert error["path"] == ["upgradePlan", "plan", "cohorts"]
    assert error["message"] == (
        "Expected to read at most 10,000 nodes in one operation, but cohorts has 400 items, "
        "which ask for 26 each."
    )
    assert store.queries["instances.cohort_pages"] == 0
    assert len((await client.ask(query % "count", i=an_input()))["upgradePlan"]["plan"]["cohorts"]) == 400


UPGRADE = """
mutation($input: UpgradeInstancesInput!) {
  upgradeInstances(input: $input) {
    upgrade {
      upgraded skipped mappings {fromVersion instructions {source target}}
      outcomes(filter: {kinds: SKIPPED}) {nodes {instanceId reasons {code findings {severity code source}}}}
    }
    userErrors {
      code field message
      ... on PlanChangedError {
        planned {fingerprint targetVersion upgraded skipped}
        now {fingerprint targetVersion upgraded skipped}
      }
    }
  }
}
"""


async def test_an_upgrade_follows_the_mapping_instructions_and_stores_them(world: Client) -> None:
    mappings = mapped(1, approve="sign")
    data = await world.ask(UPGRADE, input=an_input({"instanceIds": [str(an_id(2))]}, mappings=mappings))
    assert data["upgradeInstances"] == {
        "upgrade": {"upgraded": 1, "skipped": 0, "mappings": mappings, "outcomes": {"nodes": []}},
        "userErrors": [],
    }
    kept = await world.store.instances.find_many([an_id(2)])
    assert kept[an_id(2)] == an_instance(2, version=2, position=["sign"])
    stored = await world.ask("{upgrades {nodes {mappings {fromVersion instructions {source target}}}}}")
    assert stored["upgrades"]["nodes"] == [{"mappings": mappings}]


@pytest.mark.parametrize("mappings", [None, [], mapped(1)], ids=str)
async def test_an_upgrade_may_have_no_instructions(
    world: Client, mappings: list[dict[str, Any]] | None
) -> None:
    data = await world.ask(UPGRADE, input=an_input(mappings=mappings))
    assert data["upgradeInstances"]["upgrade"]["mappings"] == (mappings or [])
    assert data["upgradeInstances"]["upgrade"]["upgraded"] == 2


async def test_a_skipped_instance_has_findings(world: Client) -> None:
    data = await world.ask(UPGRADE, input=an_input({"instanceIds": [str(an_id(2)), str(an_id(9))]}))
    assert data["upgradeInstances"]["upgrade"]["outcomes"]["nodes"] == [
        {
            "instanceId": str(an_id(2)),
            "reasons": [
                {
                    "code": "INCOMPATIBLE",
                    "findings": [{"severity": "ERROR", "code": "ELEMENT_MISSING", "source": "approve"}],
                }
            ],
        },
        {"instanceId": str(an_id(9)), "reasons": [{"code": "INSTANCE_NOT_FOUND", "findings": []}]},
    ]


async def test_an_upgrade_with_the_fingerprint_of_its_plan_succeeds(world: Client) -> None:
    input_ = an_input(mappings=mapped(1, approve="sign"))
    planned = await fingerprint(world, input_)
    assert planned == await fingerprint(world, input_)
    data = await world.ask(UPGRADE, input={**input_, "fingerprint": planned})
    assert data["upgradeInstances"]["userErrors"] == []
    assert data["upgradeInstances"]["upgrade"]["upgraded"] == 3


async def test_an_upgrade_that_is_no_longer_as_planned_is_refused_with_the_difference(world: Client) -> None:
    planned = await fingerprint(world, an_input())
    await add_instances(world.store, an_instance(7, position=["check"]), an_instance(8, position=["pay"]))
    before = await contents(world.store)
    data = await world.ask(UPGRADE, input=an_input(fingerprint=planned))
    assert data["upgradeInstances"] == {
        "upgrade": None,
        "userErrors": [
            {
                "code": "PLAN_CHANGED",
                "field": ["fingerprint"],
                "message": f"Expected to carry out the plan {planned}, but it would upgrade 3 instead of 2, "
                "it would skip 4 instead of 3. Review the new plan and pass its fingerprint.",
                "planned": {"fingerprint": planned, "targetVersion": 2, "upgraded": 2, "skipped": 3},
                "now": {
                    "fingerprint": await fingerprint(world, an_input()),
                    "targetVersion": 2,
                    "upgraded": 3,
                    "skipped": 4,
                },
            }
        ],
    }
    assert await contents(world.store) == before


COMPARISON = """
query($from: Int!, $to: Int) {
  process(namespace: "shop", code: "order") {
    comparison(fromVersion: $from, toVersion: $to) {
      fromVersion toVersion
      added {elementId name kind} removed {elementId name kind}
      changed {source {elementId name kind} target {elementId name kind} aspects}
      errors {code source target} warnings {code source target}
      mapping {source target}
    }
  }
}
"""


async def comparison(client: Client, source: int, target: int | None = None) -> Any:
    data = await client.ask(COMPARISON, **{"from": source, "to": target})
    return data["process"]["comparison"]


async def test_two_versions_are_compared_element_by_element(world: Client) -> None:
    compared = await comparison(world.reader(), 1)
    assert compared == {
        "fromVersion": 1,
        "toVersion": 2,
        "added": [{"elementId": "sign", "name": None, "kind": "userTask"}],
        "removed": [{"elementId": "approve", "name": None, "kind": "userTask"}],
        "changed": [
            {
                "source": {"elementId": "check", "name": "Check", "kind": "userTask"},
                "target": {"elementId": "check", "name": "Look", "kind": "userTask"},
                "aspects": ["NAME"],
            },
            {
                "source": {"elementId": "pay", "name": None, "kind": "userTask"},
                "target": {"elementId": "pay", "name": None, "kind": "serviceTask"},
                "aspects": ["KIND"],
            },
        ],
        "errors": [
            {"code": "ELEMENT_MISSING", "source": "approve", "target": None},
            {"code": "TYPE_CHANGED", "source": "pay", "target": "pay"},
        ],
        "warnings": [{"code": "NAME_CHANGED", "source": "check", "target": "check"}],
        "mapping": [{"source": "check", "target": "check"}],
    }


CHECKED = """
query($instructions: [MappingInstructionInput!], $source: String!) {
  process(namespace: "shop", code: "order") {
    comparison(fromVersion: 1, instructions: $instructions) {
      mapping {source target}
      instructions {source target findings {severity code}}
      targets(source: $source) {isAllowed element {elementId kind} findings {code target}}
    }
  }
}
"""


async def checked(client: Client, source: str, **pairs: str) -> Any:
    instructions = [{"source": before, "target": after} for before, after in pairs.items()]
    data = await client.ask(CHECKED, source=source, instructions=instructions)
    return data["process"]["comparison"]


async def test_instructions_are_checked_and_targets_found_without_a_plan(world: Client) -> None:
    assert await checked(world.reader(), "approve", check="sign", pay="nowhere") == {
        "mapping": [{"source": "check", "target": "sign"}],
        "instructions": [
            {
                "source": "check",
                "target": "sign",
                "findings": [{"severity": "WARNING", "code": "NAME_CHANGED"}],
            },
            {
                "source": "pay",
                "target": "nowhere",
                "findings": [{"severity": "ERROR", "code": "ELEMENT_MISSING"}],
            },
        ],
        "targets": [
            {"isAllowed": True, "element": {"elementId": element, "kind": "userTask"}, "findings": []}
            for element in ("check", "sign")
        ],
    }
    assert (await checked(world, "nothing"))["targets"] is None


async def test_an_instruction_twice_is_refused(world: Client) -> None:
    twice = [{"source": "approve", "target": target} for target in ("sign", "check")]
    error = await world.refused(CHECKED, source="approve", instructions=twice)
    assert error["extensions"] == {"code": "INVALID_INPUT", "field": ["instructions", "1", "source"]}


async def test_a_draft_can_be_compared_and_the_newer_version_with_the_older(world: Client) -> None:
    await add_draft(world.store, model=FIRST.xml())
    draft, back = await comparison(world, 2, 3), await comparison(world, 2, 1)
    assert {**draft, "toVersion": 1} == back
    assert [element["elementId"] for element in back["added"]] == ["approve"]
    assert await comparison(world, 1, 1) == {
        "fromVersion": 1,
        "toVersion": 1,
        "added": [],
        "removed": [],
        "changed": [],
        "errors": [],
        "warnings": [],
        "mapping": [{"source": task, "target": task} for task in ("approve", "check", "pay")],
    }


async def test_a_version_without_a_document_has_nothing_to_compare(world: Client) -> None:
    await add_draft(world.store)
    compared = await comparison(world, 2, 3)
    assert compared.pop("warnings") == [{"code": "NO_MODEL", "source": None, "target": None}]
    assert {name for name, found in compared.items() if found} == {"fromVersion", "toVersion"}


@pytest.mark.parametrize(("source", "target"), [(1, 3), (3, 1), (0, 2), (3, None)])
async def test_a_version_that_does_not_exist_has_no_comparison(
    world: Client, source: int, target: int | None
) -> None:
    assert await comparison(world, source, target) is None


async def test_without_a_published_version_there_is_nothing_to_compare_with(client: Client) -> None:
    await add_process(client.store, ORDER, versions=0)
    await add_draft(client.store)
    assert await comparison(client, 1) is None
