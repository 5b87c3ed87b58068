"""Every mutation that succeeds, with exact results."""

from copy import deepcopy
from typing import Any

import pytest

from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import (
    MODEL,
    ORDER,
    add_draft,
    add_instances,
    add_process,
    an_id,
    an_instance,
    contents,
)
from uplift.domain import ProcessKey, Status

pytestmark = pytest.mark.anyio


async def test_creates_a_process(client: Client) -> None:
    data = await client.ask(
        """
        mutation {
          createProcess(input: {namespace: "shop", code: "order", title: "Order approval"}) {
            process {namespace code title latestPublishedVersion {number} versions {number}}
            userErrors {code}
          }
        }
        """
    )
    assert data["createProcess"] == {
        "process": {
            "namespace": "shop",
            "code": "order",
            "title": "Order approval",
            "latestPublishedVersion": None,
            "versions": [],
        },
        "userErrors": [],
    }
    kept = await client.store.processes.find(ORDER)
    assert kept is not None
    assert kept.title == "Order approval"


async def test_a_process_is_called_by_its_code_unless_it_has_a_title(client: Client) -> None:
    data = await client.ask(
        'mutation {createProcess(input: {namespace: "shop", code: "order"}) {process {title}}}'
    )
    assert data["createProcess"]["process"]["title"] == "order"


async def test_saves_a_draft_with_its_document(client: Client) -> None:
    await add_process(client.store)
    data = await client.ask(
        """
        mutation($input: SaveDraftInput!) {
          saveDraft(input: $input) {version {number state hasBpmn bpmn} userErrors {code}}
        }
        """,
        input={"namespace": "shop", "code": "order", "bpmn": MODEL.decode()},
    )
    assert data["saveDraft"] == {
        "version": {"number": 2, "state": "DRAFT", "hasBpmn": True, "bpmn": MODEL.decode()},
        "userErrors": [],
    }


@pytest.mark.parametrize("encoding", ["UTF-8", "windows-1251", "UTF-16", "UTF-16LE", "us-ascii", "klingon"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
async def test_a_draft_keeps_its_letters_whatever_its_declaration_says(
    client: Client, encoding: str, mark: str
) -> None:
    await add_process(client.store)
    text = MODEL.decode().replace("UTF-8", encoding).replace("approve", "Задача")
    text = text.replace("</process>", "<documentation><![CDATA[Да 審]]></documentation></process>")
    data = await client.ask(
        "mutation($input: SaveDraftInput!) {saveDraft(input: $input) {version {bpmn} userErrors {code}}}",
        input={"namespace": "shop", "code": "order", "bpmn": mark + text},
    )
    assert data["saveDraft"] == {"version": {"bpmn": text}, "userErrors": []}


BOTH = MODEL.replace(
    b"</definitions>", b'<process id="other"><task id="own"/></process></definitions>'
).decode()


async def test_saves_a_draft_with_one_process_of_its_document(client: Client) -> None:
    await add_process(client.store)
    save = """
        mutation($input: SaveDraftInput!) {
          saveDraft(input: $input) {version {hasBpmn modelProcessId} userErrors {code field message}}
        }
        """
    named = {"namespace": "shop", "code": "order", "bpmn": BOTH}
    for process_id, meant in ((None, "order"), ("order", "order"), ("other", "other")):
        data = await client.ask(save, input={**named, "processId": process_id})
        assert data["saveDraft"]["version"] == {"hasBpmn": True, "modelProcessId": meant}

    data = await client.ask(save, input={**named, "processId": "gone"})
    assert data["saveDraft"] == {
        "version": None,
        "userErrors": [
            {
                "code": "INVALID_MODEL",
                "field": ["processId"],
                "message": "Expected a process with the id 'gone' in the BPMN document, but it has: "
                "'order' (not executable, 1 element), 'other' (not executable, 1 element).",
            }
        ],
    }
    data = await client.ask(save, input={"namespace": "shop", "code": "order"})
    assert data["saveDraft"]["version"] == {"hasBpmn": False, "modelProcessId": None}


async def test_saves_a_draft_in_place_of_the_present_one(client: Client) -> None:
    await add_process(client.store)
    await add_draft(client.store, model=MODEL)
    data = await client.ask(
        'mutation {saveDraft(input: {namespace: "shop", code: "order"}) {version {number hasBpmn bpmn}}}'
    )
    assert data["saveDraft"]["version"] == {"number": 2, "hasBpmn": False, "bpmn": None}


async def test_publishes_the_draft(client: Client) -> None:
    await add_process(client.store)
    await add_draft(client.store)
    data = await client.ask(
        """
        mutation {
          publishVersion(input: {namespace: "shop", code: "order"}) {
            version {number state publishedAt}
            userErrors {code}
          }
        }
        """
    )
    version = data["publishVersion"]["version"]
    assert version.pop("publishedAt").endswith("Z")
    assert data["publishVersion"] == {"version": {"number": 2, "state": "PUBLISHED"}, "userErrors": []}
    process = await client.store.processes.find(ORDER)
    assert process is not None
    assert process.latest_published == 2


REGISTER = """
mutation($instances: [RegisteredInstanceInput!]!) {
  registerInstances(input: {namespace: "shop", code: "order", instances: $instances}) {
    count
    process {cohorts {version status position count}}
    userErrors {code}
  }
}
"""


async def test_registers_instances(client: Client) -> None:
    await add_process(client.store)
    data = await client.ask(
        REGISTER,
        instances=[
            {"id": an_id(1).hex, "version": 1, "status": "PENDING", "position": ["pay", "approve", "pay"]},
            {"id": str(an_id(2)), "version": 1, "status": "FAILED"},
        ],
    )
    assert data["registerInstances"] == {
        "count": 2,
        "process": {
            "cohorts": [
                {"version": 1, "status": "FAILED", "position": [], "count": 1},
                {"version": 1, "status": "PENDING", "position": ["approve", "pay"], "count": 1},
            ]
        },
        "userErrors": [],
    }
    kept = await client.store.instances.find_many([an_id(1), an_id(2)])
    assert list(kept.values()) == [
        an_instance(1, position=["approve", "pay"]),
        an_instance(2, status=Status.FAILED, position=[]),
    ]


async def test_two_fields_share_a_long_list_of_instances(client: Client) -> None:
    await add_process(client.store)
    query = """
    mutation($new: [RegisteredInstanceInput!]!, $all: RegisterInstancesInput!) {
      a: registerInstances(input: {namespace: "shop", code: "order", instances: $new}) {count}
      b: registerInstances(input: {namespace: "shop", code: "order", instances: $new}) {count}
      c: registerInstances(input: $all) {count instances(first: 2) {position}}
    }
    """
    new = [{"id": str(an_id(n)), "version": 1, "status": "PENDING", "position": ["a"]} for n in range(1_500)]
    every = {"namespace": "shop", "code": "order", "instances": deepcopy(new)}
    data = await client.ask(query, new=new, all=every)
    assert data == {
        "a": {"count": 1_500},
        "b": {"count": 1_500},
        "c": {"count": 1_500, "instances": [{"position": ["a"]}] * 2},
    }


async def test_registers_instances_from_literals_in_the_document(client: Client) -> None:
    await add_process(client.store)
    data = await client.ask(
        """
        mutation($id: UUID!, $status: Status!) {
          registerInstances(
            input: {
              namespace: "shop", code: "order",
              instances: {id: $id, version: 1, status: $status, position: "pay"}
            }
          ) {count userErrors {code}}
        }
        """,
        id=str(an_id(1)),
        status="RUNNING",
    )
    assert data["registerInstances"] == {"count": 1, "userErrors": []}
    kept = await client.store.instances.find_many([an_id(1)])
    assert kept[an_id(1)] == an_instance(1, status=Status.RUNNING, position=["pay"])


async def test_an_instance_registered_again_keeps_its_version(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, an_instance(1))
    await client.ask(REGISTER, instances=[{"id": str(an_id(1)), "version": 2, "status": "RUNNING"}])
    kept = await client.store.instances.find_many([an_id(1)])
    assert kept[an_id(1)] == an_instance(1, status=Status.RUNNING, position=[])


async def test_reports_instances_of_whatever_process(client: Client) -> None:
    loan = ProcessKey(namespace="bank", code="loan")
    await add_process(client.store)
    await add_process(client.store, loan)
    await add_instances(client.store, an_instance(1))
    await add_instances(client.store, an_instance(2, process=loan))
    data = await client.ask(
        """
        mutation($instances: [ReportedInstanceInput!]!) {
          reportInstances(input: {instances: $instances}) {count userErrors {code}}
        }
        """,
        instances=[
            {"id": str(an_id(1)), "status": "COMPLETED", "position": []},
            {"id": str(an_id(2)), "status": "PENDING", "position": ["sign"]},
        ],
    )
    assert data["reportInstances"] == {"count": 2, "userErrors": []}
    kept = await client.store.instances.find_many([an_id(1), an_id(2)])
    assert list(kept.values()) == [
        an_instance(1, status=Status.COMPLETED, position=[]),
        an_instance(2, process=loan, position=["sign"]),
    ]


UPGRADE = """
mutation($selection: SelectionInput!, $reason: String) {
  upgradeInstances(input: {namespace: "shop", code: "order", selection: $selection, reason: $reason}) {
    upgrade {
      id selection targetVersion state requestedBy reason total upgraded skipped excluded
      countsByReason {code count}
      outcomes(filter: {kinds: SKIPPED}) {nodes {instanceId}}
    }
    userErrors {code}
  }
}
"""


async def test_upgrades_instances_by_their_ids(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, *map(an_instance, [1, 2, 3]))
    selection = {"instanceIds": [str(an_id(1)), an_id(2).hex.upper(), str(an_id(1)), str(an_id(9))]}
    data = await client.ask(UPGRADE, selection=selection, reason="Ticket 17")
    upgrade = data["upgradeInstances"]["upgrade"]
    stored = (await client.ask("{upgrades {nodes {id}}}"))["upgrades"]["nodes"]
    assert stored == [{"id": upgrade.pop("id")}]
    assert upgrade == {
        "selection": "BY_IDS",
        "targetVersion": 2,
        "state": "COMPLETED",
        "requestedBy": "ops",
        "reason": "Ticket 17",
        "total": 3,
        "upgraded": 2,
        "skipped": 1,
        "excluded": 0,
        "countsByReason": [{"code": "INSTANCE_NOT_FOUND", "count": 1}],
        "outcomes": {"nodes": [{"instanceId": str(an_id(9))}]},
    }
    assert await versions(client) == {1: 2, 2: 2, 3: 1}


@pytest.mark.parametrize(
    ("selection", "expected", "excluded"),
    [
        ({"allActive": {}}, {1: 2, 2: 2, 3: 2}, 0),
        ({"allActive": {"except": None}}, {1: 2, 2: 2, 3: 2}, 0),
        ({"allActive": {"except": []}}, {1: 2, 2: 2, 3: 2}, 0),
        ({"allActive": {"except": [str(an_id(2)), str(an_id(9))]}}, {1: 2, 2: 1, 3: 2}, 1),
    ],
)
async def test_upgrades_all_active_instances_except_some(
    client: Client, selection: dict[str, Any], expected: dict[int, int], excluded: int
) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, *map(an_instance, [1, 2, 3]))
    data = await client.ask(UPGRADE, selection=selection)
    assert data["upgradeInstances"]["userErrors"] == []
    assert data["upgradeInstances"]["upgrade"]["excluded"] == excluded
    assert await versions(client) == expected


async def test_an_upgrade_of_nothing_simply_completes(client: Client) -> None:
    await add_process(client.store)
    data = await client.ask(UPGRADE, selection={"allActive": {}})
    upgrade = data["upgradeInstances"]["upgrade"]
    assert (upgrade["state"], upgrade["total"], upgrade["countsByReason"]) == ("COMPLETED", 0, [])


async def test_a_selection_may_be_written_into_the_text(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, *map(an_instance, [1, 2]))
    await client.ask(
        """
        mutation($but: UUID!) {
          upgradeInstances(
            input: {namespace: "shop", code: "order", selection: {allActive: {except: [$but]}}}
          ) {upgrade {id}}
        }
        """,
        but=str(an_id(1)),
    )
    assert await versions(client) == {1: 1, 2: 2}


async def test_a_second_upgrade_moves_nothing(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, *map(an_instance, [1, 2]))
    await client.ask(UPGRADE, selection={"allActive": {}})
    again = await client.ask(UPGRADE, selection={"allActive": {}})
    assert again["upgradeInstances"]["upgrade"]["upgraded"] == 0
    assert again["upgradeInstances"]["upgrade"]["countsByReason"] == [{"code": "ALREADY_LATEST", "count": 2}]


async def test_each_mutation_of_an_operation_returns_the_state_after_it(client: Client) -> None:
    await add_process(client.store)
    data = await client.ask(
        """
        mutation {
          first: saveDraft(input: {namespace: "shop", code: "order"}) {version {number}}
          second: registerInstances(input: {namespace: "shop", code: "order", instances: []}) {...state}
          third: publishVersion(input: {namespace: "shop", code: "order"}) {version {number}}
          fourth: registerInstances(input: {namespace: "shop", code: "order", instances: []}) {...state}
        }
        fragment state on RegisterInstancesPayload {process {latestPublishedVersion {number}}}
        """
    )
    assert data["second"] == {"process": {"latestPublishedVersion": {"number": 1}}}
    assert data["fourth"] == {"process": {"latestPublishedVersion": {"number": 2}}}


async def test_a_refused_mutation_does_not_stop_the_next(client: Client) -> None:
    data = await client.ask(
        """
        mutation {
          refused: publishVersion(input: {namespace: "shop", code: "order"}) {userErrors {code}}
          done: createProcess(input: {namespace: "shop", code: "order"}) {process {code}}
        }
        """
    )
    assert data == {
        "refused": {"userErrors": [{"code": "PROCESS_NOT_FOUND"}]},
        "done": {"process": {"code": "order"}},
    }


async def test_reading_writes_nothing(client: Client) -> None:
    await add_process(client.store)
    before = await contents(client.store)
    await client.ask('{process(namespace: "shop", code: "order") {cohorts {count} versions {number}}}')
    assert await contents(client.store) == before


async def versions(client: Client) -> dict[int, int]:
    """The version of each instance of the order process, by number."""
    data = await client.ask(
        '{process(namespace: "shop", code: "order") {instances {nodes {instanceId version}}}}'
    )
    nodes = data["process"]["instances"]["nodes"]
    return {int(node["instanceId"].replace("-", ""), 16): node["version"] for node in nodes}


async def test_an_upgrade_of_those_that_meet_conditions_shows_the_conditions(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, *(an_instance(number, position=["check"]) for number in (1, 2, 3)))
    conditions = {"versions": [2, 1, 1], "elements": ["check"], "limit": 2}
    data = await client.ask(
        """
        mutation($input: UpgradeInstancesInput!) {
          upgradeInstances(input: $input) {
            upgrade {
              selection upgraded excluded conditions {versions elements statuses limit}
              outcomes {nodes {instanceId}}
            }
            userErrors {message}
          }
        }
        """,
        input={
            "namespace": "shop",
            "code": "order",
            "selection": {"matching": {**conditions, "except": [str(an_id(2))]}},
        },
    )
    assert data["upgradeInstances"] == {
        "upgrade": {
            "selection": "FIRST_MATCHING",
            "upgraded": 2,
            "excluded": 1,
            "conditions": {"versions": [1, 2], "elements": ["check"], "statuses": None, "limit": 2},
            "outcomes": {"nodes": [{"instanceId": str(an_id(1))}, {"instanceId": str(an_id(3))}]},
        },
        "userErrors": [],
    }
