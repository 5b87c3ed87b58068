"""The exact messages of the rarer findings, reasons and errors."""

from dataclasses import replace

import pytest

from tests.domain.model.test_selection import REST, numbered
from tests.support.bpmn_builder import ProcessBuilder, a_process
from tests.support.process_shapes import chain, one_task, with_event_sub
from uplift.domain import ReasonCode, VersionNumber, all_active, plan_upgrade
from uplift.domain.compatibility import Code, Finding, compare, joined_messages
from uplift.domain.errors import InvalidSelection
from uplift.domain.model.cohort import Origin
from uplift.domain.model.mapping import InvalidMapping, VersionMapping
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import MAX_IDS, selection_from
from uplift.domain.ports import Store
from uplift.domain.rules.eligibility import decide_undo
from uplift.testing.builders import ORDERS, a_cohort, a_modelled_process, an_instruction, at


def messages_of(source: ProcessBuilder, target: ProcessBuilder) -> dict[Code, str]:
    """The messages of a comparison, by their codes."""
    return {finding.code: finding.message for finding in compare(source.model(), target.model()).findings}


@pytest.mark.parametrize(
    ("source", "target", "code", "message"),
    [
        (
            one_task(),
            one_task(form="f1"),
            Code.FORM_CHANGED,
            "User task 'task' has form 'f1' instead of no form.",
        ),
        (
            one_task(name="Check"),
            one_task(),
            Code.NAME_CHANGED,
            "User task 'task' (Check) has no name in the target version.",
        ),
        (
            a_process().catch("heard", message="M"),
            a_process().catch("heard"),
            Code.EVENT_TYPE_CHANGED,
            (
                "Expected intermediate catch event 'heard' to keep its message trigger, "
                "but in the target version 'heard' has no trigger."
            ),
        ),
        (
            with_event_sub(message="M"),
            one_task().sub(
                "around",
                lambda scope: scope.start("in").event_sub(
                    "watch", "heard", lambda inner: inner.user_task("react"), message="M"
                ),
            ),
            Code.HOST_CHANGED,
            (
                "Expected start event 'heard' to stay attached to the process, "
                "but 'heard' is attached to 'around'."
            ),
        ),
    ],
    ids=["form", "name", "trigger", "host"],
)
def test_what_is_absent_is_put_in_words(
    source: ProcessBuilder, target: ProcessBuilder, code: Code, message: str
) -> None:
    assert messages_of(source, target)[code] == message


@pytest.mark.anyio
async def test_every_rule_that_instructions_break_is_reported_at_once(store: Store) -> None:
    await a_modelled_process(store, chain("approve", "pay").xml(), chain("approve", "pay").xml())
    lost = [an_instruction(source, "nowhere") for source in ("approve", "pay")]
    mapping = VersionMapping(from_version=VersionNumber(1), instructions=tuple(lost))
    with pytest.raises(InvalidMapping) as caught:
        await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=all_active(), mappings=(mapping,)))
    error = caught.value
    assert (error.from_version, error.field) == (1, ("mappings", "0", "instructions", "0", "target"))
    assert [(finding.code, finding.source) for finding in error.findings] == [
        (Code.ELEMENT_MISSING, "approve"),
        (Code.ELEMENT_MISSING, "pay"),
    ]
    first, second = (finding.message for finding in error.findings)
    assert error.message == f"Expected a valid mapping from version 1, but: {first} {second}"


def test_a_message_repeats_the_first_findings_and_counts_the_others() -> None:
    findings = [
        Finding(code=Code.ELEMENT_MISSING, source=str(number), message=f"{number}.") for number in range(23)
    ]
    first = " ".join(f"{number}." for number in range(20))
    assert joined_messages(findings[:20]) == first
    assert joined_messages(findings) == f"{first} And 3 more."


@pytest.mark.anyio
async def test_the_fingerprint_of_a_plan_is_short(store: Store) -> None:
    await a_modelled_process(store, chain("approve").xml())
    plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=all_active()))
    assert len(plan.fingerprint.digest) == 16


def test_the_fields_of_a_selection_are_called_as_the_caller_calls_them() -> None:
    many = list(numbered(MAX_IDS + 1))
    with pytest.raises(InvalidSelection, match=f"^Expected {REST.ids} to hold at most"):
        selection_from(ids=many, every_active=None, excluded=None, fields=REST)
    with pytest.raises(InvalidSelection, match=f"^Expected {REST.excluded} to hold at most"):
        selection_from(ids=None, every_active=True, excluded=many, fields=REST)


def test_an_instance_that_moved_on_is_reported_with_both_positions() -> None:
    origin = Origin(
        version=VersionNumber(1),
        position=at("check"),
        put_version=VersionNumber(3),
        put_position=at("pay", "approve"),
    )
    [reason] = decide_undo(replace(a_cohort(3, position=at()), origin=origin), origin).reasons
    assert reason.code is ReasonCode.MOVED_ON
    assert reason.message == (
        "Expected the instance to still be on version 3 at 'approve', 'pay', "
        "but it is on version 3 at no known element."
    )
