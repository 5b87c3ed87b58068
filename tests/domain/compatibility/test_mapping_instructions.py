"""Mapping instructions, as the whole mapping or on top of the generated one."""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from tests.support.bpmn_builder import ProcessBuilder, a_process
from tests.support.process_shapes import (
    around,
    chain,
    compensated,
    fork_and_join,
    joined,
    nested,
    one_task,
    scope_of,
    side_by_side,
    waiting_for,
    with_boundary,
    with_event_sub,
)
from uplift.domain.compatibility import breaking_positions, compare, migrate_position
from uplift.testing.builders import at


class Instructed(NamedTuple):
    """Two versions, the whole mapping as "source>target" (or one id for both), errors exactly."""

    name: str
    source: ProcessBuilder
    target: ProcessBuilder
    instructions: str
    errors: tuple[tuple[str, str], ...] = ()
    kept: str | None = None
    """The pairs that are valid all the same; all of them where there are no errors."""


def pairs(text: str) -> list[tuple[str, str]]:
    """("a", "a") and ("b", "c") from "a b>c"."""
    couples = (couple.partition(">") for couple in text.split())
    return [(source, target or source) for source, _, target in couples]


INSTRUCTED = [
    Instructed("a task", one_task(), one_task(), "task"),
    Instructed("a renamed task", one_task(), one_task("other"), "task>other"),
    Instructed("two tasks onto one", chain("a", "b"), chain("c"), "a>c b>c"),
    Instructed("a task into a new subprocess", one_task(), nested("outer"), "task"),
    Instructed("a task into two new subprocesses", one_task(), nested("outer", "inner"), "task"),
    Instructed("a task out of a removed subprocess", nested("outer"), one_task(), "task"),
    Instructed("a task out of three removed subprocesses", nested("a", "b", "c"), one_task(), "task"),
    Instructed("three subprocesses become one", nested("a", "b", "c"), nested("x"), "b>x task"),
    Instructed("a subprocess to the outer of two", nested("a"), nested("x", "y"), "a>x task"),
    Instructed("a subprocess to the inner of two", nested("a"), nested("x", "y"), "a>y task"),
    Instructed(
        "a subprocess to a transaction", scope_of("subProcess"), scope_of("transaction"), "scope task"
    ),
    Instructed("a scope alone", nested("outer"), nested("outer"), "outer"),
    Instructed("nothing", one_task(), one_task(), ""),
    Instructed(
        "a source that does not exist",
        one_task(),
        one_task(),
        "nowhere>task",
        (("ELEMENT_MISSING", "nowhere"),),
        "",
    ),
    Instructed(
        "a target that does not exist",
        one_task(),
        one_task(),
        "task>nowhere",
        (("ELEMENT_MISSING", "task"),),
        "",
    ),
    Instructed(
        "neither exists", one_task(), one_task(), "here>there", (("ELEMENT_MISSING", "here"),) * 2, ""
    ),
    Instructed(
        "a subprocess to the process",
        nested("outer"),
        one_task(),
        "outer>process",
        (("ELEMENT_MISSING", "outer"),),
        "",
    ),
    Instructed(
        "a source twice",
        chain("a", "b"),
        chain("a", "b"),
        "a a>b",
        (("MAPPED_TWICE", "a"),) * 2,
        "",
    ),
    Instructed(
        "a source twice, another once",
        chain("a", "b"),
        chain("a", "b"),
        "a a>b b",
        (("MAPPED_TWICE", "a"),) * 2,
        "b",
    ),
    Instructed(
        "a user task to a receive task",
        one_task(),
        one_task("other", kind="receiveTask"),
        "task>other",
        (("TYPE_CHANGED", "task"),),
        "",
    ),
    Instructed(
        "a task to the subprocess that took its id",
        one_task(),
        nested("task", task="scope"),
        "task",
        (("TYPE_CHANGED", "task"),),
        "",
    ),
    Instructed(
        "a boundary event to a catch event of another trigger",
        with_boundary(message="M"),
        one_task().catch("event", timer="PT1M"),
        "task event",
        (("TYPE_CHANGED", "event"),),
        "task",
    ),
    Instructed(
        "a receive task that names no message any more",
        one_task(kind="receiveTask", message="M"),
        one_task(kind="receiveTask"),
        "task",
        (("EVENT_TYPE_CHANGED", "task"),),
        "",
    ),
    Instructed(
        "a receive task that names a message now",
        one_task(kind="receiveTask"),
        one_task(kind="receiveTask", message="M"),
        "task",
    ),
    Instructed(
        "a gateway that is no place to wait",
        a_process().start().exclusive("x"),
        a_process().start().exclusive("x"),
        "x",
        (("NOT_A_WAIT_STATE", "x"),),
        "",
    ),
    Instructed(
        "a throw event",
        a_process().start().throw("t", signal="S"),
        a_process().start().throw("t", signal="S"),
        "t",
        (("NOT_A_WAIT_STATE", "t"),),
        "",
    ),
    Instructed("a start event", one_task(), one_task(), "start", (("NOT_A_WAIT_STATE", "start"),), ""),
    Instructed("an end event", one_task(), one_task(), "end", (("NOT_A_WAIT_STATE", "end"),), ""),
    Instructed(
        "scopes flipped",
        nested("a", "b"),
        nested("a", "b"),
        "a>b b>a task",
        (("SCOPE_CHANGED", "b"),),
        "a>b task",
    ),
    Instructed(
        "tasks across to the other subprocess",
        side_by_side("a", "b"),
        side_by_side("c", "d"),
        "left right a>d b>c",
        (("SCOPE_CHANGED", "a"), ("SCOPE_CHANGED", "b")),
        "left right",
    ),
    Instructed(
        "a task out of the scope that stays",
        a_process().sub("scope", around("a", "b")),
        a_process().sub("scope", around("a")).user_task("b"),
        "scope a b",
        (("SCOPE_CHANGED", "b"),),
        "scope a",
    ),
    Instructed(
        "a task out of the grandparent that stays",
        nested("a", "b"),
        a_process().sub("a", around("other")).user_task("task"),
        "a task",
        (("SCOPE_CHANGED", "task"),),
        "a",
    ),
    Instructed(
        "a scope onto the scope of its mapped grandparent",
        nested("a", "b", "c"),
        nested("a", "b", "c"),
        "a c>a task",
        (("SCOPE_CHANGED", "c"),),
        "a task",
    ),
    Instructed("a boundary event", with_boundary(message="M"), with_boundary(message="M"), "task event"),
    Instructed(
        "a renamed boundary event",
        with_boundary(message="M"),
        with_boundary(event="other", message="M"),
        "task event>other",
    ),
    Instructed(
        "a boundary event on a renamed host",
        with_boundary(message="M"),
        with_boundary("other", message="M"),
        "task>other event",
    ),
    Instructed(
        "a boundary event whose host goes into a new subprocess",
        with_boundary(message="M"),
        a_process().sub(
            "outer", lambda scope: scope.user_task("task").boundary("event", on="task", message="M")
        ),
        "task event",
    ),
    Instructed(
        "error and escalation boundary events",
        nested("outer").boundary("e", on="outer", error="E").boundary("x", on="outer", escalation="X"),
        nested("outer").boundary("e", on="outer", error="E").boundary("x", on="outer", escalation="X"),
        "outer e x task",
    ),
    Instructed(
        "a boundary event of another trigger",
        with_boundary(message="M"),
        with_boundary(signal="S"),
        "task event",
        (("EVENT_TYPE_CHANGED", "event"),),
        "task",
    ),
    Instructed(
        "an error boundary event that becomes a timer",
        with_boundary(error="E"),
        with_boundary(timer="PT1M"),
        "task event",
        (("EVENT_TYPE_CHANGED", "event"),),
        "task",
    ),
    Instructed(
        "a boundary event without its host",
        with_boundary(message="M"),
        with_boundary(message="M"),
        "event",
        (("HOST_CHANGED", "event"),),
        "",
    ),
    Instructed(
        "a boundary event to another host",
        chain("a", "b").boundary("event", on="a", message="M"),
        chain("a", "b").boundary("event", on="b", message="M"),
        "a b event",
        (("HOST_CHANGED", "event"),),
        "a b",
    ),
    Instructed(
        "a boundary event from a task to the subprocess around it",
        a_process().sub(
            "outer", lambda scope: scope.user_task("task").boundary("event", on="task", message="M")
        ),
        nested("outer").boundary("event", on="outer", message="M"),
        "outer task event",
        (("SCOPE_CHANGED", "event"), ("HOST_CHANGED", "event")),
        "outer task",
    ),
    Instructed(
        "two boundary events onto one",
        with_boundary(message="M").boundary("second", on="task", message="N"),
        with_boundary(message="M"),
        "task event second>event",
    ),
    Instructed(
        "a compensation boundary event without its host, which may be completed",
        compensated(),
        compensated(),
        "pay undo",
    ),
    Instructed(
        "a compensation boundary event into another scope than its host's",
        a_process().sub(
            "scope",
            lambda scope: (
                scope.user_task("book").boundary("undo", on="book", compensation=True).handler("x", of="undo")
            ),
        ),
        a_process()
        .sub(
            "scope",
            lambda scope: (
                scope.user_task("book").boundary("undo", on="book", compensation=True).handler("x", of="undo")
            ),
        )
        .sub("added", lambda scope: scope.start("s").end("e")),
        "scope>added undo",
        (("SCOPE_CHANGED", "undo"),),
        "scope>added",
    ),
    Instructed(
        "a compensation handler by itself",
        compensated(),
        compensated(),
        "book cancel undo",
        (("COMPENSATION_HANDLER", "cancel"),),
        "book undo",
    ),
    Instructed(
        "a task to a compensation handler",
        chain("pay"),
        compensated(),
        "pay>cancel",
        (("COMPENSATION_HANDLER", "pay"),),
        "",
    ),
    Instructed(
        "the start of an event subprocess alone",
        with_event_sub(timer="PT1M"),
        with_event_sub(timer="PT1M"),
        "heard",
    ),
    Instructed(
        "an event subprocess and its start",
        with_event_sub(timer="PT1M"),
        with_event_sub("other", "hears", timer="PT1M"),
        "watch>other heard>hears react task",
    ),
    Instructed(
        "the start of an event subprocess that is started otherwise",
        with_event_sub(signal="S"),
        with_event_sub(timer="PT1M"),
        "task heard",
        (("EVENT_TYPE_CHANGED", "heard"),),
        "task",
    ),
    Instructed(
        "the start of an event subprocess that moves into a subprocess",
        with_event_sub(timer="PT1M"),
        a_process().sub(
            "scope", lambda scope: scope.user_task("task").event_sub("watch", "heard", timer="PT1M")
        ),
        "task heard",
        (("HOST_CHANGED", "heard"),),
        "task",
    ),
    Instructed(
        "the start of an event subprocess whose scope is not mapped",
        a_process().sub(
            "scope", lambda scope: scope.user_task("task").event_sub("watch", "heard", timer="PT1M")
        ),
        a_process().sub(
            "scope", lambda scope: scope.user_task("task").event_sub("watch", "heard", timer="PT1M")
        ),
        "heard",
        (("HOST_CHANGED", "heard"),),
        "",
    ),
    Instructed(
        "a task out of an event subprocess without an instruction",
        with_event_sub(message="M"),
        with_event_sub(message="M"),
        "task react",
    ),
    Instructed(
        "a catch event without the event-based gateway before it",
        waiting_for(gateway="choice", timer="PT1M"),
        waiting_for(gateway="choice", timer="PT1M"),
        "event",
        (("HOST_CHANGED", "event"),),
        "",
    ),
    Instructed(
        "a catch event with the event-based gateway before it",
        waiting_for(gateway="choice", timer="PT1M"),
        waiting_for(gateway="chosen", timer="PT1M"),
        "choice>chosen event",
    ),
    Instructed(
        "two catch events onto one",
        a_process().catch("a", signal="S").catch("b", signal="S"),
        a_process().catch("c", signal="S"),
        "a>c b>c",
        (("TARGET_TAKEN", "a"), ("TARGET_TAKEN", "b")),
        "",
    ),
    Instructed(
        "a parallel to an inclusive join",
        joined(),
        joined("inclusiveGateway"),
        "join",
        (("TYPE_CHANGED", "join"),),
        "",
    ),
    Instructed("a join that gets more ways", joined(), joined(ways=3), "way1 join"),
    Instructed(
        "a join that loses a way",
        joined(ways=3),
        joined(ways=2),
        "join",
        (("GATEWAY_NARROWED", "join"),),
        "",
    ),
    Instructed(
        "a join whose scope is removed",
        a_process().sub("scope", fork_and_join),
        joined(),
        "join",
        (("GATEWAY_NARROWED", "join"),),
        "",
    ),
    Instructed(
        "a join in a scope that is mapped to another",
        a_process().sub("scope", fork_and_join),
        a_process().sub("other", fork_and_join),
        "scope>other join",
    ),
    Instructed(
        "two gateways onto one",
        joined(),
        joined(),
        "fork>join join",
        (("TARGET_TAKEN", "fork"), ("TARGET_TAKEN", "join")),
        "",
    ),
    Instructed(
        "two event-based gateways onto one",
        a_process().event_based("a").catch("x", signal="S").after("x").event_based("b"),
        a_process().event_based("c"),
        "a>c b>c",
        (("TARGET_TAKEN", "a"), ("TARGET_TAKEN", "b")),
        "",
    ),
    Instructed(
        "a call of another process",
        a_process().call("a", "billing"),
        a_process().call("b", "refunds"),
        "a>b",
        (("CALLED_PROCESS_CHANGED", "a"),),
        "",
    ),
    Instructed(
        "a multi-instance task, by one entry", one_task(many="parallel"), one_task(many="parallel"), "task"
    ),
    Instructed(
        "a task that becomes multi-instance",
        one_task(),
        one_task(many="parallel"),
        "task",
        (("MULTI_INSTANCE_ADDED", "task"),),
        "",
    ),
    Instructed(
        "a task into a new multi-instance subprocess",
        one_task(),
        scope_of("subProcess", many="parallel"),
        "task",
        (("MULTI_INSTANCE_ADDED", "task"),),
        "",
    ),
    Instructed(
        "a task of a multi-instance subprocess without that",
        scope_of("subProcess", many="parallel"),
        scope_of("subProcess", many="parallel"),
        "task",
        (("MULTI_INSTANCE_ADDED", "task"),),
        "",
    ),
    Instructed(
        "a task out of a multi-instance subprocess",
        scope_of("subProcess", many="parallel"),
        one_task(),
        "task",
    ),
    Instructed(
        "a multi-instance task that loses its marker",
        one_task(many="sequential"),
        one_task("other"),
        "task>other",
    ),
    Instructed(
        "a parallel task that becomes sequential",
        one_task(many="parallel"),
        one_task(many="sequential"),
        "task",
        (("MULTI_INSTANCE_CHANGED", "task"),),
        "",
    ),
    Instructed(
        "everything wrong with one task",
        a_process().sub("scope", around("task")),
        a_process().sub("scope", around("other")).service_task("task", many="parallel"),
        "scope task",
        (("TYPE_CHANGED", "task"), ("SCOPE_CHANGED", "task"), ("MULTI_INSTANCE_ADDED", "task")),
        "scope",
    ),
]


@pytest.mark.parametrize("case", INSTRUCTED, ids=[case.name for case in INSTRUCTED])
def test_judges_instructions_that_are_the_whole_mapping(case: Instructed) -> None:
    comparison = compare(
        case.source.model(), case.target.model(), instructions=pairs(case.instructions), generate=False
    )

    kept = case.instructions if case.kept is None else case.kept
    assert comparison.mapping == dict(pairs(kept))
    assert sorted((finding.code.value, finding.source) for finding in comparison.errors) == sorted(
        case.errors
    )


class BodyInstructed(NamedTuple):
    """Instructions in the notation in which the body of a multi-instance activity has an id of its own."""

    name: str
    source: ProcessBuilder
    target: ProcessBuilder
    instructions: str
    mapping: Mapping[str, str]
    errors: tuple[tuple[str, str], ...] = ()


BODIES = [
    BodyInstructed(
        "body and inner activity make one pair",
        one_task(many="parallel"),
        one_task(many="parallel"),
        "task task#multiInstanceBody",
        {"task": "task"},
    ),
    BodyInstructed(
        "body and inner subprocess make one pair beside the task inside",
        scope_of("subProcess", many="parallel"),
        scope_of("subProcess", "other", many="parallel"),
        "scope>other scope#multiInstanceBody>other#multiInstanceBody task",
        {"scope": "other", "task": "task"},
    ),
    BodyInstructed(
        "body and inner activity by the ids of both",
        one_task(many="parallel"),
        one_task(many="parallel"),
        "task#innerInstance task#multiInstanceBody",
        {"task": "task"},
    ),
    BodyInstructed(
        "an inner activity by both of its ids",
        one_task(many="parallel"),
        one_task("other", many="parallel"),
        "task#innerInstance>other task>other#innerInstance",
        {"task": "other"},
    ),
    BodyInstructed(
        "an inner activity to an activity that is not multi-instance",
        one_task(many="parallel"),
        one_task(),
        "task#innerInstance>task",
        {"task": "task"},
    ),
    BodyInstructed(
        "an inner activity that does not exist",
        one_task(),
        one_task(),
        "task#innerInstance>task",
        {},
        (("ELEMENT_MISSING", "task#innerInstance"),),
    ),
    BodyInstructed(
        "a body without its inner activity",
        one_task(many="parallel"),
        one_task(many="parallel"),
        "task#multiInstanceBody",
        {},
        (("MULTI_INSTANCE_SPLIT", "task#multiInstanceBody"),),
    ),
    BodyInstructed(
        "a body onto that of a task inside, without the subprocess",
        scope_of("subProcess", many="parallel"),
        one_task(many="parallel"),
        "scope#multiInstanceBody>task#multiInstanceBody",
        {},
        (("MULTI_INSTANCE_SPLIT", "scope#multiInstanceBody"),),
    ),
    BodyInstructed(
        "body and inner activity to different places",
        one_task(many="parallel"),
        chain("a").user_task("b", many="parallel"),
        "task#multiInstanceBody>b#multiInstanceBody task>a",
        {"task": "a"},
        (("MULTI_INSTANCE_SPLIT", "task#multiInstanceBody"),),
    ),
    BodyInstructed(
        "a body to an activity that is not multi-instance",
        one_task(many="parallel"),
        one_task(),
        "task#multiInstanceBody>task",
        {},
        (("MULTI_INSTANCE_SPLIT", "task#multiInstanceBody"),),
    ),
    BodyInstructed(
        "an activity to a body",
        one_task(),
        one_task(many="parallel"),
        "task>task#multiInstanceBody",
        {},
        (("MULTI_INSTANCE_SPLIT", "task"),),
    ),
    BodyInstructed(
        "a body that does not exist",
        one_task(),
        one_task(many="parallel"),
        "task#multiInstanceBody>task#multiInstanceBody",
        {},
        (
            ("ELEMENT_MISSING", "task#multiInstanceBody"),
            ("MULTI_INSTANCE_SPLIT", "task#multiInstanceBody"),
        ),
    ),
]


@pytest.mark.parametrize("case", BODIES, ids=[case.name for case in BODIES])
def test_keeps_body_and_inner_activity_together(case: BodyInstructed) -> None:
    comparison = compare(
        case.source.model(), case.target.model(), instructions=pairs(case.instructions), generate=False
    )

    assert comparison.mapping == case.mapping
    assert sorted((finding.code.value, finding.source) for finding in comparison.errors) == sorted(
        case.errors
    )


def test_overrides_the_generated_pair_of_the_source() -> None:
    comparison = compare(chain("a", "b").model(), chain("a", "b", "c").model(), instructions={"a": "c"})

    assert comparison.mapping == {"a": "c", "b": "b"}
    assert comparison.errors == ()


def test_generates_inside_the_scopes_that_an_instruction_pairs() -> None:
    comparison = compare(
        nested("outer", "inner").model(), nested("around", "inner").model(), instructions={"outer": "around"}
    )

    assert comparison.mapping == {"outer": "around", "inner": "inner", "task": "task"}


def test_generates_the_boundary_events_of_a_host_that_an_instruction_maps() -> None:
    target = a_process().sub(
        "outer", lambda scope: scope.user_task("other").boundary("event", on="other", message="M")
    )

    comparison = compare(with_boundary(message="M").model(), target.model(), instructions={"task": "other"})

    assert comparison.mapping == {"task": "other", "event": "event"}
    assert comparison.errors == ()


def test_does_not_generate_a_pair_for_the_source_of_a_refused_instruction() -> None:
    comparison = compare(chain("a").model(), chain("a").model(), instructions={"a": "nowhere"})

    assert comparison.mapping == {}
    assert [(finding.code.value, finding.source, finding.target) for finding in comparison.errors] == [
        ("ELEMENT_MISSING", "a", "nowhere")
    ]
    assert breaking_positions(comparison) == ("a",)


def test_lets_a_generated_pair_yield_to_an_instruction_with_the_same_target() -> None:
    source = waiting_for(message="M").catch("second", message="N")

    comparison = compare(source.model(), waiting_for(message="M").model(), instructions={"second": "event"})

    assert comparison.mapping == {"next": "next", "second": "event"}
    assert [(finding.code.value, finding.source) for finding in comparison.errors] == [
        ("TARGET_TAKEN", "event")
    ]


def test_drops_pairs_that_depend_on_a_refused_instruction_with_the_reason() -> None:
    source, target = with_boundary(message="M"), with_boundary(message="M").service_task("other")

    comparison = compare(
        source.model(), target.model(), instructions={"task": "other", "event": "event"}, generate=False
    )

    assert comparison.mapping == {}
    assert [(finding.code.value, finding.source) for finding in comparison.errors] == [
        ("HOST_CHANGED", "event"),
        ("TYPE_CHANGED", "task"),
    ]


def test_asks_for_an_instruction_for_each_position_when_nothing_is_generated() -> None:
    comparison = compare(
        chain("a", "b").model(), chain("a", "b").model(), instructions={"a": "a"}, generate=False
    )

    assert comparison.errors == ()
    assert breaking_positions(comparison) == ("b",)
    assert migrate_position(comparison, frozenset({"a"})).position == at("a")
    assert [finding.message for finding in migrate_position(comparison, frozenset({"b"})).errors] == [
        "Expected user task 'b' to be mapped, but no instruction says to which element."
    ]


def test_carries_unlisted_boundary_events_along_when_nothing_is_generated() -> None:
    comparison = compare(
        with_boundary(error="E").model(),
        with_boundary("other", error="E").model(),
        instructions={"task": "other"},
        generate=False,
    )

    assert comparison.mapping == {"task": "other"}
    assert migrate_position(comparison, frozenset({"task"})).position == at("other")


def test_takes_instructions_in_any_order() -> None:
    instructions = pairs("a>c b>a a>b")
    source, target = chain("a", "b"), chain("a", "b", "c")

    forwards = compare(source.model(), target.model(), instructions=instructions)
    backwards = compare(source.model(), target.model(), instructions=instructions[::-1])

    assert (forwards.mapping, forwards.findings) == (backwards.mapping, backwards.findings)


def test_reports_refused_instructions_also_where_no_instance_waits() -> None:
    instructions = {"start": "start", "outer": "nowhere", "event": "gone"}
    source = nested("outer").boundary("event", on="outer", message="M")

    comparison = compare(source.model(), nested("outer").model(), instructions=instructions)

    assert [(finding.code.value, finding.source, finding.target) for finding in comparison.errors] == [
        ("ELEMENT_MISSING", "event", "gone"),
        ("ELEMENT_MISSING", "outer", "nowhere"),
        ("NOT_A_WAIT_STATE", "start", "start"),
        ("SCOPE_CHANGED", "task", "task"),
    ]
    assert [finding.message for finding in migrate_position(comparison, frozenset({"task"})).errors][1] == (
        "Expected user task 'task' to stay inside 'outer', "
        "but 'outer' has no valid pair, so nothing inside it is paired."
    )


def test_names_the_version_that_lacks_the_element_of_an_instruction() -> None:
    comparison = compare(one_task().model(), one_task().model(), instructions={"here": "there"})

    assert [finding.message.partition(", but ")[2] for finding in comparison.errors if finding.target] == [
        "the source version has no element 'here'.",
        "the target version has no element 'there'.",
    ]


def test_names_the_instruction_that_splits_a_multi_instance_activity() -> None:
    target = chain("a").user_task("b", many="parallel")
    instructions = {"task#multiInstanceBody": "b#multiInstanceBody", "task": "a"}

    comparison = compare(
        one_task(many="parallel").model(), target.model(), instructions=instructions, generate=False
    )

    [split] = comparison.errors
    assert (split.source, split.target) == ("task#multiInstanceBody", "b#multiInstanceBody")
    assert split.message == (
        "Expected the body and the inner activity of multi-instance 'task' to be mapped together to those "
        "of 'b', but only 'task#multiInstanceBody' is mapped to 'b#multiInstanceBody'."
    )


def test_names_a_moved_element_and_both_scopes() -> None:
    inside, outside = nested("outer", name="Check"), one_task(name="Check")

    [source_finding], [target_finding] = (
        [finding for finding in compare(source.model(), target.model()).errors if finding.source == "task"]
        for source, target in ((inside, outside), (outside, inside))
    )

    assert (source_finding.name, source_finding.target, target_finding.name) == ("Check", "task", "Check")
    assert source_finding.message == (
        "Expected user task 'task' (Check) to stay inside 'outer', but in the target version it is directly "
        "in the process; a mapping instruction for 'task' allows this move."
    )
    assert target_finding.message == (
        "Expected user task 'task' (Check) to stay directly in the process, but in the target version it is "
        "inside 'outer'; a mapping instruction for 'task' allows this move."
    )


def test_names_a_removed_element() -> None:
    [gone] = compare(one_task(name="Check").model(), one_task("other").model()).errors

    assert (gone.source, gone.target, gone.name) == ("task", None, "Check")


def test_explains_a_position_by_the_instruction_that_split_a_multi_instance_activity() -> None:
    comparison = compare(
        one_task(many="parallel").model(),
        one_task(many="parallel").model(),
        instructions={"task#multiInstanceBody": "task#multiInstanceBody"},
    )

    assert [finding.code.value for finding in migrate_position(comparison, frozenset({"task"})).errors] == [
        "MULTI_INSTANCE_SPLIT"
    ]
    assert breaking_positions(comparison) == ("task",)
