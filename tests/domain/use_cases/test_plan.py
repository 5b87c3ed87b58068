"""The counts, fingerprints and errors of plans. That a plan holds is tested by the laws of plans."""

from dataclasses import replace

import pytest

from tests.support.bpmn_builder import a_process as a_document
from tests.support.process_shapes import chain
from uplift.domain import Status, all_active, by_ids, plan_upgrade
from uplift.domain.compatibility import Code
from uplift.domain.errors import ErrorCode
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.instance import ElementId
from uplift.domain.model.mapping import (
    MAX_INSTRUCTIONS,
    MappingInstruction,
    VersionMapping,
    require_valid_mappings,
)
from uplift.domain.model.process import VersionNumber
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.upgrade import Tally
from uplift.domain.ports import Store
from uplift.domain.use_cases.plan import (
    Fingerprint,
    PlanChanged,
    read_fingerprint,
    require_planned_result,
    require_same_plan,
)
from uplift.testing.builders import (
    ORDERS,
    a_modelled_process,
    a_process,
    an_id,
    an_instance,
    an_instruction,
    an_upgrade,
    at,
    instances,
)
from uplift.testing.refusals import refused

pytestmark = pytest.mark.anyio

ONE_TO_TWO = VersionMapping(from_version=VersionNumber(1), instructions=())


async def test_instances_are_counted_under_every_reason_and_every_finding(store: Store) -> None:
    renamed = a_document().start().user_task("approve", name="Approve").user_task("check").end()
    await a_modelled_process(
        store,
        chain("approve", "pay", "ship").xml(),
        renamed.xml(),
        holding=[
            *instances(range(3), position=at("pay", "ship")),
            *instances(range(3, 5), position=at("pay"), status=Status.RUNNING),
            *instances(range(5, 6), position=at("approve")),
            an_instance(6, version=2, position=at("approve")),
        ],
    )
    plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=by_ids(map(an_id, range(9)))))
    assert (plan.upgraded, plan.skipped, plan.total) == (1, 8, 9)
    assert dict(plan.counts_by_reason) == {
        ReasonCode.INSTANCE_NOT_FOUND: 2,
        ReasonCode.NOT_PENDING: 2,
        ReasonCode.ALREADY_LATEST: 1,
        ReasonCode.INCOMPATIBLE: 5,
    }
    # An instance at two removed elements counts once. A warning also counts for instances that move.
    assert dict(plan.counts_by_finding) == {Code.ELEMENT_MISSING: 5, Code.NAME_CHANGED: 1}
    assert list(plan.counts_by_finding) == [Code.ELEMENT_MISSING, Code.NAME_CHANGED]
    # An instance at two elements counts at both, and one that would be upgraded at none.
    assert list(plan.counts_by_element.items()) == [("pay", 5), ("ship", 3), ("approve", 1)]


async def test_nothing_is_counted_where_nothing_is_to_say(store: Store) -> None:
    await a_modelled_process(store, chain("approve").xml(), chain("approve").xml(), holding=instances([1]))
    plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=all_active()))
    assert (dict(plan.counts_by_reason), dict(plan.counts_by_finding)) == ({}, {})


async def test_warns_of_all_upgraded_instances_if_a_version_has_no_model(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=all_active()))
    assert (plan.upgraded, dict(plan.counts_by_finding)) == (3, {Code.NO_MODEL: 3})


async def test_a_plan_names_its_request_and_holds_only_for_that(store: Store) -> None:
    await a_modelled_process(store, chain("approve").xml(), chain("accept").xml(), holding=instances([1]))
    selection = all_active()
    renamed = an_instruction("approve", "accept")
    mapping = VersionMapping(from_version=VersionNumber(1), instructions=(renamed,))
    request = UpgradeRequest(process=ORDERS, selection=selection, mappings=(mapping,))
    plan = await plan_upgrade(store, request)
    assert (plan.process, plan.selection, plan.mappings) == (ORDERS, selection, (mapping,))
    assert {
        version: migration_path.mapping["approve"] for version, migration_path in plan.migration_paths.items()
    } == {1: "accept"}
    fingerprint = str(plan.fingerprint)
    assert await require_same_plan(store, replace(request, fingerprint=fingerprint)) == plan.fingerprint
    with pytest.raises(PlanChanged):
        await require_same_plan(store, replace(request, fingerprint=fingerprint, mappings=()))


async def test_without_a_published_version_there_is_no_plan(store: Store) -> None:
    await a_process(store, published=0, draft=True)
    message = (
        "Expected to upgrade to the latest published version of process 'crm/orders', "
        "but it has no published version."
    )
    async with refused(store, ErrorCode.NO_PUBLISHED_VERSION, message):
        await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=all_active()))


async def test_a_version_is_mapped_once(store: Store) -> None:
    await a_process(store)
    message = "Expected to map each version once, but version 1 is mapped twice."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("mappings", "1", "from_version")):
        await plan_upgrade(
            store,
            UpgradeRequest(
                process=ORDERS,
                selection=all_active(),
                mappings=(
                    ONE_TO_TWO,
                    ONE_TO_TWO,
                ),
            ),
        )


async def test_an_element_is_mapped_once(store: Store) -> None:
    await a_process(store)
    instructions = tuple(
        MappingInstruction(source=ElementId(source), target=ElementId("t")) for source in ("a", "b", "a")
    )
    mapping = replace(ONE_TO_TWO, from_version=VersionNumber(2), instructions=instructions)
    message = "Expected to map each element once, but the instructions for version 2 map 'a' twice."
    field = ("mappings", "1", "instructions", "2", "source")
    async with refused(store, ErrorCode.INVALID_INPUT, message, field):
        await plan_upgrade(
            store, UpgradeRequest(process=ORDERS, selection=all_active(), mappings=(ONE_TO_TWO, mapping))
        )


@pytest.mark.parametrize("version", [1, 3, 4, 5])
async def test_only_versions_that_can_be_compared_with_the_target_are_mapped(
    store: Store, version: int
) -> None:
    await a_modelled_process(store, None, chain("approve").xml(), chain("approve").xml())
    unmapped = VersionMapping(from_version=VersionNumber(2), instructions=())
    mapping = VersionMapping(from_version=VersionNumber(version), instructions=())
    message = f"Expected to map a version below 3, both with a BPMN model, but got version {version}."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("mappings", "1", "from_version")):
        await plan_upgrade(
            store,
            UpgradeRequest(
                process=ORDERS,
                selection=all_active(),
                mappings=(
                    unmapped,
                    mapping,
                ),
            ),
        )


async def test_instructions_of_all_versions_together_are_limited(store: Store) -> None:
    await a_process(store, published=3)
    most = tuple(an_instruction(str(number), "approve") for number in range(MAX_INSTRUCTIONS))
    half = most[: MAX_INSTRUCTIONS // 2]
    require_valid_mappings([VersionMapping(from_version=VersionNumber(1), instructions=most)])
    mappings = [
        VersionMapping(from_version=VersionNumber(1), instructions=half),
        VersionMapping(from_version=VersionNumber(2), instructions=(*half, half[0])),
    ]
    message = "Expected at most 10,000 mapping instructions, but got 10,001."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("mappings",)):
        await plan_upgrade(
            store, UpgradeRequest(process=ORDERS, selection=all_active(), mappings=tuple(mappings))
        )


def test_a_fingerprint_is_read_as_it_was_written() -> None:
    written = Fingerprint(target_version=3, upgraded=0, skipped=1_234_567, digest="00ff")
    assert str(written) == "3-0-1234567-00ff"
    assert read_fingerprint(str(written)) == written
    longest = Fingerprint(target_version=1, upgraded=10**19 - 1, skipped=0, digest="0")
    assert read_fingerprint(str(longest)) == longest


@pytest.mark.parametrize(
    "text",
    ["", "2-1-0", "2-1-0-ff-00", "2-1-x-ff", "-1-0-ff", "2-1-\N{SUPERSCRIPT TWO}-ff", f"2-{10**19}-0-ff"],
)
async def test_what_is_no_fingerprint_is_refused(store: Store, text: str) -> None:
    await a_process(store)
    message = f"Expected fingerprint to be that of a plan, but got {text!r}."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("fingerprint",)):
        await require_same_plan(
            store, UpgradeRequest(process=ORDERS, selection=all_active(), fingerprint=text)
        )


async def test_a_text_of_any_length_is_quoted_in_short(store: Store) -> None:
    message = f"Expected fingerprint to be that of a plan, but got {'x' * 100!r}."
    async with refused(store, ErrorCode.INVALID_INPUT, message):
        await require_same_plan(
            store, UpgradeRequest(process=ORDERS, selection=all_active(), fingerprint="x" * 5_000)
        )


@pytest.mark.parametrize(
    ("now", "difference"),
    [
        ((3, 4, 1), "it would go to version 3 instead of 2"),
        ((2, 1_004, 1), "it would upgrade 1,004 instead of 4"),
        ((2, 3, 2), "it would upgrade 3 instead of 4, it would skip 2 instead of 1"),
    ],
    ids=["target", "upgraded", "both"],
)
def test_what_differs_from_the_plan_is_named(now: tuple[int, int, int], difference: str) -> None:
    planned = read_fingerprint("2-4-1-ff")
    target, upgraded, skipped = now
    done = an_upgrade(target=target).with_tally(Tally(upgraded=upgraded, skipped=skipped))
    with pytest.raises(PlanChanged) as caught:
        require_planned_result(planned, done)
    assert caught.value.message == (
        f"Expected to carry out the plan 2-4-1-ff, but {difference}. "
        "Review the new plan and pass its fingerprint."
    )
    assert caught.value.field == ("fingerprint",)
    assert caught.value.planned == planned
    assert caught.value.now == Fingerprint(
        target_version=target, upgraded=upgraded, skipped=skipped, digest="ff"
    )


async def test_the_same_numbers_of_other_instances_are_another_plan(store: Store) -> None:
    await a_process(store, holding=[*instances([1]), an_instance(2, status=Status.RUNNING)])
    request = UpgradeRequest(process=ORDERS, selection=all_active())
    plan = await plan_upgrade(store, request)
    other = f"{plan.target_version}-{plan.upgraded}-{plan.skipped}-0000000000000000"
    with pytest.raises(PlanChanged) as caught:
        await require_same_plan(store, replace(request, fingerprint=other))
    assert "but other instances would be upgraded or skipped, in the same numbers." in caught.value.message
    planned = replace(request, fingerprint=str(plan.fingerprint))
    assert await require_same_plan(store, planned) == plan.fingerprint
