"""Refused mutations return the exact user error and write nothing."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.graphql_api.support.schema_client import Client, Way
from tests.graphql_api.support.schema_world import (
    MODEL,
    add_draft,
    add_instances,
    add_process,
    an_id,
    an_instance,
    contents,
)
from tests.support.stores import Stores
from uplift.domain import ProcessKey
from uplift.domain.model.selection import MAX_IDS
from uplift.domain.ports import Store
from uplift.domain.use_cases.versions import MAX_MODEL_BYTES

pytestmark = pytest.mark.anyio

LOAN = ProcessKey(namespace="bank", code="loan")
ORDER = {"namespace": "shop", "code": "order"}
NOWHERE = {"namespace": "shop", "code": "nowhere"}
UNPUBLISHED = {"namespace": "shop", "code": "unpublished"}
MODELLED = {"namespace": "shop", "code": "modelled"}
ONE = {"instanceIds": [str(an_id(1))]}

NOT_FOUND = {
    "__typename": "ProcessNotFoundError",
    "code": "PROCESS_NOT_FOUND",
    "field": None,
    "message": "Expected to find process 'shop/nowhere', but there is none.",
    "namespace": "shop",
    "processCode": "nowhere",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A mutation, its input, and the user error with which it is refused."""

    name: str
    mutation: str
    input: dict[str, Any]
    error: dict[str, Any] = field(default_factory=dict)


def invalid(path: list[str], message: str, *, kind: str = "Input") -> dict[str, Any]:
    return {
        "__typename": f"Invalid{kind}Error",
        "code": f"INVALID_{kind.upper()}",
        "field": path,
        "message": message,
    }


CASES = [
    Case(
        name="create an existing process",
        mutation="createProcess",
        input=ORDER,
        error={
            "__typename": "ProcessExistsError",
            "code": "PROCESS_EXISTS",
            "field": ["code"],
            "message": "Expected to create process 'shop/order', but it exists already.",
            "namespace": "shop",
            "processCode": "order",
        },
    ),
    Case(
        name="create with a bad namespace",
        mutation="createProcess",
        input={"namespace": "a/b", "code": "order"},
        error=invalid(
            ["namespace"],
            "Expected namespace to be 1 to 200 printable characters without spaces and '/', but got 'a/b'.",
        ),
    ),
    Case(
        name="create with an empty code",
        mutation="createProcess",
        input={"namespace": "shop", "code": ""},
        error=invalid(
            ["code"],
            "Expected code to be 1 to 200 printable characters without spaces and '/', but got ''.",
        ),
    ),
    Case(
        name="create with a bad title",
        mutation="createProcess",
        input={"namespace": "shop", "code": "new", "title": "a\nb"},
        error=invalid(
            ["title"],
            "Expected title to be at most 200 printable characters, but got 'a\\nb' (3 characters).",
        ),
    ),
    Case(name="save a draft of no process", mutation="saveDraft", input=NOWHERE, error=NOT_FOUND),
    Case(
        name="save too large a document",
        mutation="saveDraft",
        input={**ORDER, "bpmn": "x" * (MAX_MODEL_BYTES + 1)},
        error={
            "__typename": "InvalidModelError",
            "code": "INVALID_MODEL",
            "field": ["bpmn"],
            "message": "Expected a BPMN document of at most 5,000,000 bytes, but it has 5,000,001 bytes.",
            "line": None,
            "element": None,
        },
    ),
    Case(
        name="save a document at odds with itself",
        mutation="saveDraft",
        input={**ORDER, "bpmn": MODEL.decode().replace("<userTask", '<userTask id="approve"/><userTask')},
        error={
            "__typename": "InvalidModelError",
            "code": "INVALID_MODEL",
            "field": ["bpmn"],
            "message": "Expected each id once, but 'approve' is on lines 3 and 3. "
            "Give one of them another id.",
            "line": 3,
            "element": "approve",
        },
    ),
    Case(name="publish for no process", mutation="publishVersion", input=NOWHERE, error=NOT_FOUND),
    Case(
        name="publish without a draft",
        mutation="publishVersion",
        input=ORDER,
        error={
            "__typename": "NoDraftError",
            "code": "NO_DRAFT",
            "field": None,
            "message": "Expected to publish the draft of process 'shop/order', but it has no draft.",
            "namespace": "shop",
            "processCode": "order",
        },
    ),
    Case(
        name="register for no process",
        mutation="registerInstances",
        input={**NOWHERE, "instances": []},
        error=NOT_FOUND,
    ),
    Case(
        name="register on an unpublished version",
        mutation="registerInstances",
        input={
            **ORDER,
            "instances": [
                {"id": str(an_id(7)), "version": 1, "status": "PENDING"},
                {"id": str(an_id(8)), "version": 2, "status": "PENDING"},
            ],
        },
        error=invalid(
            ["instances", "1", "version"],
            "Expected instances[1].version to be a published version of process 'shop/order', but got 2.",
        ),
    ),
    Case(
        name="register an instance twice",
        mutation="registerInstances",
        input={**ORDER, "instances": [{"id": str(an_id(7)), "version": 1, "status": "PENDING"}] * 2},
        error=invalid(["instances"], f"Expected each instance once, but {an_id(7)} occurs twice."),
    ),
    Case(
        name="register an instance of another process",
        mutation="registerInstances",
        input={**ORDER, "instances": [{"id": str(an_id(2)), "version": 1, "status": "PENDING"}]},
        error=invalid(
            ["instances", "0", "id"],
            f"Expected instances[0].id to be new or of process 'shop/order', "
            f"but {an_id(2)} belongs to another process.",
        ),
    ),
    Case(
        name="register at an element without id",
        mutation="registerInstances",
        input={
            **ORDER,
            "instances": [{"id": str(an_id(7)), "version": 1, "status": "PENDING", "position": [""]}],
        },
        error=invalid(
            ["instances", "0", "position"],
            "Expected instances[0].position to name elements by 1 to 500 printable characters, "
            "but it names ''.",
        ),
    ),
    Case(
        name="report an unknown instance",
        mutation="reportInstances",
        input={
            "instances": [
                {"id": str(an_id(1)), "status": "FAILED"},
                {"id": str(an_id(7)), "status": "FAILED"},
            ]
        },
        error=invalid(
            ["instances", "1", "id"],
            f"Expected to report known instances, but instances[1].id {an_id(7)} is unknown.",
        ),
    ),
    Case(
        name="upgrade no process",
        mutation="upgradeInstances",
        input={**NOWHERE, "selection": ONE},
        error=NOT_FOUND,
    ),
    Case(
        name="upgrade without a published version",
        mutation="upgradeInstances",
        input={**UNPUBLISHED, "selection": ONE},
        error={
            "__typename": "NoPublishedVersionError",
            "code": "NO_PUBLISHED_VERSION",
            "field": None,
            "message": "Expected to upgrade to the latest published version of process 'shop/unpublished', "
            "but it has no published version.",
            "namespace": "shop",
            "processCode": "unpublished",
        },
    ),
    Case(
        name="upgrade no ids",
        mutation="upgradeInstances",
        input={**ORDER, "selection": {"instanceIds": []}},
        error=invalid(
            ["selection", "instanceIds"],
            "Expected selection.instanceIds to hold at least one id, but it is empty.",
            kind="Selection",
        ),
    ),
    Case(
        name="upgrade too many ids",
        mutation="upgradeInstances",
        input={**ORDER, "selection": {"instanceIds": [an_id(n).hex for n in range(MAX_IDS + 1)]}},
        error=invalid(
            ["selection", "instanceIds"],
            "Expected selection.instanceIds to hold at most 100,000 ids, but got 100,001.",
            kind="Selection",
        ),
    ),
    Case(
        name="upgrade all except too many",
        mutation="upgradeInstances",
        input={
            **ORDER,
            "selection": {"allActive": {"except": [an_id(n).hex for n in range(MAX_IDS + 1)]}},
        },
        error=invalid(
            ["selection", "allActive", "except"],
            "Expected selection.allActive.except to hold at most 100,000 ids, but got 100,001.",
            kind="Selection",
        ),
    ),
    Case(
        name="upgrade of no versions",
        mutation="upgradeInstances",
        input={**ORDER, "selection": {"matching": {"versions": []}}},
        error=invalid(
            ["selection", "matching", "versions"],
            "Expected selection.matching.versions to hold at least one value, but it is empty.",
            kind="Selection",
        ),
    ),
    Case(
        name="upgrade of an unknown version",
        mutation="upgradeInstances",
        input={**ORDER, "selection": {"matching": {"versions": [1, 99]}}},
        error=invalid(
            ["selection", "matching", "versions"],
            "Expected versions to be of process shop/order, but it has no version 99.",
            kind="Selection",
        ),
    ),
    Case(
        name="upgrade at an unknown element",
        mutation="upgradeInstances",
        input={**ORDER, "selection": {"matching": {"elements": ["approve", "\x00"]}}},
        error=invalid(
            ["selection", "matching", "elements"],
            "Expected elements to be in a version of process shop/order, but none has an element '\x00'.",
            kind="Selection",
        ),
    ),
    Case(
        name="upgrade of the first none",
        mutation="upgradeInstances",
        input={**ORDER, "selection": {"matching": {"limit": 0}}},
        error=invalid(
            ["selection", "matching", "limit"],
            "Expected selection.matching.limit to be between 1 and 100,000, but got 0.",
            kind="Selection",
        ),
    ),
    Case(
        name="upgrade for too long a reason",
        mutation="upgradeInstances",
        input={**ORDER, "selection": ONE, "reason": "x" * 1001},
        error=invalid(["reason"], "Expected reason to be at most 1,000 characters, but got 1,001."),
    ),
]

MAPPED_TO_NOWHERE = {
    "severity": "ERROR",
    "code": "ELEMENT_MISSING",
    "source": "approve",
    "target": "nowhere",
    "message": "Expected 'approve' to be mapped to 'nowhere', "
    "but the target version has no element 'nowhere'.",
}
MAPPED_FROM_NOWHERE = {
    **MAPPED_TO_NOWHERE,
    "source": "nobody",
    "target": "approve",
    "message": "Expected 'nobody' to be mapped to 'approve', but the source version has no element 'nobody'.",
}


def maps(version: int, *pairs: tuple[str, str]) -> dict[str, Any]:
    """Mapping instructions for a version."""
    instructions = [{"source": source, "target": target} for source, target in pairs]
    return {"fromVersion": version, "instructions": instructions}


MAPPINGS: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
    (
        "broken rules",
        [maps(1, ("approve", "approve")), maps(2, ("nobody", "approve"), ("approve", "nowhere"))],
        {
            "__typename": "InvalidMappingError",
            "code": "INVALID_MAPPING",
            "field": ["mappings", "1", "instructions", "0", "source"],
            "message": "Expected a valid mapping from version 2, but: "
            f"{MAPPED_TO_NOWHERE['message']} {MAPPED_FROM_NOWHERE['message']}",
            "fromVersion": 2,
            "findings": [MAPPED_TO_NOWHERE, MAPPED_FROM_NOWHERE],
        },
    ),
    (
        "a version twice",
        [maps(1), maps(2), maps(1)],
        invalid(
            ["mappings", "2", "fromVersion"],
            "Expected to map each version once, but version 1 is mapped twice.",
        ),
    ),
    (
        "a source twice",
        [maps(1, ("a", "b")), maps(2, ("c", "d"), ("a", "b"), ("c", "e"))],
        invalid(
            ["mappings", "1", "instructions", "2", "source"],
            "Expected to map each element once, but the instructions for version 2 map 'c' twice.",
        ),
    ),
    *(
        (
            f"version {number}",
            [maps(number)],
            invalid(
                ["mappings", "0", "fromVersion"],
                f"Expected to map a version below 3, both with a BPMN model, but got version {number}.",
            ),
        )
        for number in (3, 4, 0, -1)
    ),
    (
        "too many instructions",
        [maps(1, *[("approve", f"task{number}") for number in range(10_001)])],
        invalid(["mappings"], "Expected at most 10,000 mapping instructions, but got 10,001."),
    ),
]
CASES += [
    Case(name=f"upgrade with a mapping: {name}", mutation="upgradeInstances", input=input_, error=error)
    for name, mappings, error in MAPPINGS
    for input_ in [{**MODELLED, "selection": ONE, "mappings": mappings}]
]
CASES += [
    Case(
        name="upgrade with an invalid fingerprint",
        mutation="upgradeInstances",
        input={**ORDER, "selection": ONE, "fingerprint": "1-2-three-4"},
        error=invalid(["fingerprint"], "Expected fingerprint to be that of a plan, but got '1-2-three-4'."),
    ),
    Case(
        name="save a draft that is not XML",
        mutation="saveDraft",
        input={**ORDER, "bpmn": "<definitions>\n<process></definitions>"},
        error={
            "__typename": "InvalidModelError",
            "code": "INVALID_MODEL",
            "field": ["bpmn"],
            "message": "Expected well-formed XML, but the parser says: mismatched tag: line 2, column 11.",
            "line": 2,
            "element": None,
        },
    ),
]

CHANGED = {
    "createProcess": "process {code}",
    "saveDraft": "version {number}",
    "publishVersion": "version {number}",
    "registerInstances": "count process {code}",
    "reportInstances": "count",
    "upgradeInstances": "upgrade {id}",
}


def text(mutation: str) -> str:
    type_name = f"{mutation[0].upper()}{mutation[1:]}Input"
    return f"""
        mutation($input: {type_name}!) {{
          {mutation}(input: $input) {{
            {CHANGED[mutation]}
            userErrors {{
              __typename code field message
              ... on ProcessNotFoundError {{namespace processCode}}
              ... on ProcessExistsError {{namespace processCode}}
              ... on NoPublishedVersionError {{namespace processCode}}
              ... on NoDraftError {{namespace processCode}}
              ... on InvalidModelError {{line element}}
              ... on InvalidMappingError {{
                fromVersion findings {{severity code source target message}}
              }}
            }}
          }}
        }}
    """


PLAN = """
query($input: UpgradePlanInput!) {
  upgradePlan(input: $input) {
    plan {total}
    userErrors {
      __typename code field message
      ... on ProcessNotFoundError {namespace processCode}
      ... on NoPublishedVersionError {namespace processCode}
      ... on InvalidMappingError {fromVersion findings {severity code source target message}}
    }
  }
}
"""
PLANNED = [
    case
    for case in CASES
    if case.mutation == "upgradeInstances" and not case.input.keys() & {"reason", "fingerprint"}
]


async def add_world(store: Store) -> None:
    """Two processes with a version and an instance, one with only a draft, and one with BPMN documents."""
    await add_process(store)
    await add_process(store, LOAN)
    await add_process(store, ProcessKey(**UNPUBLISHED), versions=0)
    await add_draft(store, ProcessKey(**UNPUBLISHED))
    await add_process(store, ProcessKey(**MODELLED), versions=3, model=MODEL)
    await add_instances(store, an_instance(1))
    await add_instances(store, an_instance(2, process=LOAN))


@pytest.fixture
async def world(client: Client, way: Way, stores: Stores) -> Client:
    await stores.fill(way.kind, client.store, add_world)
    return client


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_is_refused_with_a_user_error_and_writes_nothing(world: Client, case: Case) -> None:
    before = await contents(world.store)
    data = await world.ask(text(case.mutation), input=case.input)
    payload = data[case.mutation]
    assert payload.pop("userErrors") == [case.error]
    assert set(payload.values()) == {None}
    assert await contents(world.store) == before


@pytest.mark.parametrize("case", PLANNED, ids=lambda case: case.name)
async def test_a_plan_is_refused_as_the_upgrade_would_be(world: Client, case: Case) -> None:
    data = await world.reader().ask(PLAN, input=case.input)
    assert data["upgradePlan"] == {"plan": None, "userErrors": [case.error]}


@pytest.mark.parametrize("mutation", CHANGED)
async def test_only_a_system_administrator_may_change_anything(world: Client, mutation: str) -> None:
    inputs = {
        "createProcess": NOWHERE,
        "saveDraft": ORDER,
        "publishVersion": UNPUBLISHED,
        "registerInstances": {**ORDER, "instances": []},
        "reportInstances": {"instances": []},
        "upgradeInstances": {**ORDER, "selection": {"instanceIds": []}},
    }
    engines_too = mutation in ("registerInstances", "reportInstances")
    needed = "the key of an engine or a system administrator" if engines_too else "a system administrator"
    before = await contents(world.store)
    data, errors = await world.reader().answer(text(mutation), input=inputs[mutation])
    assert data == {mutation: None}
    assert [(error["message"], error["path"], error["extensions"]) for error in errors] == [
        (
            f"Expected {needed}, but the key 'dashboard' has the role 'reader'.",
            [mutation],
            {"code": "FORBIDDEN"},
        )
    ]
    assert await contents(world.store) == before


async def test_a_reader_may_run_every_query(world: Client) -> None:
    data = await world.reader().ask(
        """
        {
          process(namespace: "shop", code: "order") {instances {totalCount} cohorts {count} versions {number}}
          processes {nodes {code}}
          upgrades {nodes {id}}
        }
        """
    )
    assert data["process"]["instances"] == {"totalCount": 1}


@pytest.mark.parametrize(
    "selection",
    [
        {},
        {"instanceIds": None},
        {"allActive": None},
        {"instanceIds": [str(an_id(1))], "allActive": {}},
        {"instanceIds": [str(an_id(1))], "allActive": None},
        {"everything": True},
        {"allActive": {"only": []}},
        {"allActive": True},
        {"instanceIds": [None]},
        None,
    ],
    ids=str,
)
async def test_a_selection_that_is_not_exactly_one_is_refused_as_bad_input(
    world: Client, selection: Any
) -> None:
    before = await contents(world.store)
    error = await world.refused(text("upgradeInstances"), input={**ORDER, "selection": selection})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "path" not in error
    assert await contents(world.store) == before


@pytest.mark.parametrize(
    "selection",
    ["{}", "{instanceIds: null}", "{instanceIds: [], allActive: {}}", "{allActive: {only: []}}"],
)
async def test_a_selection_in_the_text_that_is_not_exactly_one_is_refused(
    world: Client, selection: str
) -> None:
    before = await contents(world.store)
    data, errors = await world.answer(
        f"""
        mutation {{
          upgradeInstances(input: {{namespace: "shop", code: "order", selection: {selection}}}) {{
            upgrade {{id}}
          }}
        }}
        """
    )
    assert data is None
    assert errors
    assert await contents(world.store) == before


@pytest.mark.parametrize(
    "instance",
    [
        {"id": "7", "version": 1, "status": "PENDING"},
        {"id": str(an_id(7)), "version": "1", "status": "PENDING"},
        {"id": str(an_id(7)), "version": 2**31, "status": "PENDING"},
        {"id": str(an_id(7)), "version": 1, "status": "SLEEPING"},
        {"id": str(an_id(7)), "version": 1, "status": "PENDING", "position": None},
        {"id": str(an_id(7)), "version": 1, "status": "PENDING", "position": [7]},
        {"id": str(an_id(7)), "version": 1, "status": "PENDING", "colour": "red"},
        {"version": 1, "status": "PENDING"},
    ],
    ids=str,
)
async def test_an_instance_that_does_not_fit_the_schema_is_refused_as_bad_input(
    world: Client, instance: dict[str, Any]
) -> None:
    before = await contents(world.store)
    error = await world.refused(text("registerInstances"), input={**ORDER, "instances": [instance]})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "instances" in error["message"]
    assert await contents(world.store) == before
