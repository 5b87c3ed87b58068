"""The migrated positions of instances, and the findings on a position."""

from typing import Any

import pytest

from tests.support.bpmn_builder import ProcessBuilder, ScopeBuilder, a_process
from tests.support.process_shapes import (
    around,
    chain,
    compensated,
    joined,
    nested,
    one_task,
    scope_of,
    side_by_side,
    with_boundary,
    with_event_sub,
)
from uplift.domain.compatibility import Code, MigratedPosition, breaking_positions, compare, migrate_position
from uplift.testing.builders import at


def moved(source: ProcessBuilder, target: ProcessBuilder, *position: str) -> MigratedPosition:
    return migrate_position(compare(source.model(), target.model()), frozenset(position))


def codes(migrated_position: MigratedPosition) -> list[tuple[Code, str | None]]:
    return [(finding.code, finding.source) for finding in migrated_position.errors]


def test_moves_every_element_of_a_position() -> None:
    assert moved(joined(), joined(ways=3), "way1", "join").position == at("way1", "join")


def test_moves_to_the_elements_that_instructions_name() -> None:
    comparison = compare(chain("a", "b").model(), chain("c").model(), instructions={"a": "c", "b": "c"})

    assert migrate_position(comparison, frozenset({"a", "b"})).position == at("c")


def test_moves_the_empty_position_to_itself() -> None:
    assert moved(one_task(), one_task()) == MigratedPosition(position=frozenset())


def test_says_why_an_element_of_the_position_breaks() -> None:
    migrated_position = moved(chain("a", "b"), chain("a"), "a", "b")

    assert migrated_position.position is None
    assert codes(migrated_position) == [(Code.ELEMENT_MISSING, "b")]


def test_reports_elements_that_the_version_does_not_have() -> None:
    migrated_position = moved(one_task(), one_task(), "task", "ghost")

    assert migrated_position.position is None
    assert codes(migrated_position) == [(Code.ELEMENT_MISSING, "ghost")]
    assert [finding.message for finding in migrated_position.errors] == [
        (
            "Expected the instance to wait at an element of its own version, "
            "but that version has no element 'ghost'."
        )
    ]


def test_reports_an_element_that_is_no_place_to_wait() -> None:
    process = a_process().start().exclusive("x")

    assert codes(moved(process, process, "x")) == [(Code.NOT_A_WAIT_STATE, "x")]


def test_ignores_findings_on_elements_where_the_instance_does_not_wait() -> None:
    migrated_position = moved(chain("a", "b"), chain("a"), "a")

    assert migrated_position == MigratedPosition(position=frozenset({"a"}))


def test_names_the_scope_that_broke_together_with_the_element_inside() -> None:
    source, target = scope_of("subProcess"), scope_of("subProcess", many="parallel")

    assert codes(moved(source, target, "task")) == [
        (Code.MULTI_INSTANCE_ADDED, "scope"),
        (Code.MULTI_INSTANCE_ADDED, "task"),
    ]


def test_refuses_a_position_whose_boundary_event_changed_its_trigger() -> None:
    migrated_position = moved(with_boundary(message="M"), with_boundary(timer="PT1M"), "task")

    assert codes(migrated_position) == [(Code.EVENT_TYPE_CHANGED, "event")]


def test_refuses_a_position_inside_a_scope_whose_boundary_event_changed() -> None:
    source = nested("a", "b", "c").boundary("event", on="a", message="M")
    target = nested("a", "b", "c").boundary("event", on="a", error="E")

    assert codes(moved(source, target, "task")) == [(Code.EVENT_TYPE_CHANGED, "event")]


def test_refuses_a_position_beside_an_event_subprocess_that_changed() -> None:
    migrated_position = moved(with_event_sub(message="M"), with_event_sub(signal="S"), "task")

    assert codes(migrated_position) == [(Code.EVENT_TYPE_CHANGED, "heard")]


def test_ignores_the_start_event_of_an_interrupting_event_subprocess_that_has_started() -> None:
    migrated_position = moved(with_event_sub(message="M"), with_event_sub(signal="S"), "react")

    assert migrated_position.position == at("react")


def test_checks_the_start_event_of_a_non_interrupting_event_subprocess() -> None:
    source = with_event_sub(message="M", interrupting=False)
    target = with_event_sub(signal="S", interrupting=False)

    assert codes(moved(source, target, "react")) == [(Code.EVENT_TYPE_CHANGED, "heard")]


def test_warns_when_a_listener_is_removed_and_lets_the_instance_go() -> None:
    migrated_position = moved(with_boundary(message="M"), one_task(), "task")

    assert migrated_position.position == at("task")
    assert [(finding.code, finding.source, finding.target) for finding in migrated_position.warnings] == [
        (Code.LISTENER_REMOVED, "event", None)
    ]


def test_warns_of_what_is_new_around_the_position_and_of_nothing_else_there() -> None:
    source = nested("outer", "inner", name="Check")
    target = nested("outer", "inner", name="Look").boundary("event", on="outer", message="M")
    target.after("outer").user_task("later").event_sub("watch", "heard", message="N")
    renamed = scope_of("subProcess", name="Old"), scope_of("subProcess", name="New")

    warnings = moved(source, target, "task").warnings

    assert [(finding.code, finding.target) for finding in warnings] == [
        (Code.NEW_BOUNDARY_EVENT, "event"),
        (Code.NEW_BOUNDARY_EVENT, "heard"),
        (Code.NAME_CHANGED, "task"),
    ]
    assert moved(*renamed, "task").warnings == ()


def test_refuses_a_position_at_a_listener_that_is_removed() -> None:
    assert codes(moved(with_boundary(message="M"), one_task(), "event")) == [(Code.ELEMENT_MISSING, "event")]


def test_checks_a_compensation_event_that_a_completed_activity_may_have_armed() -> None:
    source = compensated()
    target = chain("book", "pay").boundary("undo", on="book", message="M")

    assert codes(moved(source, target, "pay")) == [(Code.EVENT_TYPE_CHANGED, "undo")]


def test_moves_an_instance_in_a_compensation_handler_together_with_its_event() -> None:
    assert moved(compensated(), compensated(handler="revoke"), "cancel").position == at("revoke")


def test_moves_an_instance_inside_a_compensation_event_subprocess() -> None:
    process = a_process().sub(
        "scope",
        lambda scope: scope.user_task("task").event_sub(
            "undo", "undoStart", around("revoke"), compensation=True
        ),
    )

    assert moved(process, process, "revoke").position == at("revoke")


def test_refuses_a_compensation_handler_that_became_another_kind() -> None:
    target = chain("book", "pay").boundary("undo", on="book", compensation=True)
    target.handler("cancel", of="undo", kind="serviceTask")

    assert codes(moved(compensated(), target, "cancel")) == [(Code.TYPE_CHANGED, "cancel")]


def test_keeps_every_reason_of_every_element() -> None:
    source = side_by_side("a", "b")
    target = side_by_side("b", "a")

    assert codes(moved(source, target, "a", "b")) == [(Code.SCOPE_CHANGED, "a"), (Code.SCOPE_CHANGED, "b")]


def test_migrates_a_scope_that_is_part_of_the_position() -> None:
    assert moved(nested("outer"), nested("outer"), "outer", "task").position == at("outer", "task")


@pytest.mark.parametrize("part", ["#multiInstanceBody", "#innerInstance"])
def test_reads_the_parts_of_a_multi_instance_activity(part: str) -> None:
    source, target = one_task(many="parallel"), one_task("other", many="parallel")
    comparison = compare(source.model(), target.model(), instructions={"task": "other"})
    dropped = compare(source.model(), one_task().model())

    assert migrate_position(comparison, at(f"task{part}")).position == at(f"other{part}")
    assert migrate_position(comparison, at(f"task{part}", "task")).position == at(f"other{part}", "other")
    assert migrate_position(dropped, at(f"task{part}", "task")).position == at("task")


@pytest.mark.parametrize("part", ["#multiInstanceBody", "#innerInstance"])
def test_reports_the_parts_of_an_activity_that_is_not_multi_instance(part: str) -> None:
    assert codes(moved(one_task(), one_task(), f"task{part}")) == [(Code.ELEMENT_MISSING, f"task{part}")]


def throwing(event: str = "throw", *, inside: str | None = None, **trigger: Any) -> ProcessBuilder:
    """A task that is compensated, and an event that throws, in an event subprocess if one is named."""
    process = compensated()
    if inside is None:
        return process.after("pay").throw(event, **(trigger or {"compensation": True}))
    return process.event_sub(
        inside, "heard", lambda scope: scope.user_task("react").throw(event, compensation=True), message="M"
    )


@pytest.mark.parametrize(
    ("target", "broken"),
    [
        pytest.param(throwing(), [], id="kept"),
        pytest.param(compensated(), [(Code.ELEMENT_MISSING, "throw")], id="gone"),
        pytest.param(throwing("other"), [(Code.ELEMENT_MISSING, "throw")], id="renamed"),
        pytest.param(throwing(signal="S"), [(Code.EVENT_TYPE_CHANGED, "throw")], id="another trigger"),
        pytest.param(
            compensated().after("pay").end("throw", compensation=True),
            [(Code.TYPE_CHANGED, "throw")],
            id="another kind",
        ),
    ],
)
def test_requires_the_throw_event_that_may_wait_for_a_handler(
    target: ProcessBuilder, broken: list[tuple[Code, str]]
) -> None:
    comparison = compare(throwing().model(), target.model())

    assert codes(migrate_position(comparison, at("cancel"))) == broken
    assert [(finding.code, finding.source) for finding in comparison.errors] == broken
    assert breaking_positions(comparison) == (("cancel",) if broken else ())
    assert migrate_position(comparison, at("pay")).position == at("pay")


def test_requires_a_throw_event_in_an_event_subprocess_beside_the_handler() -> None:
    source, target = throwing(inside="watch"), throwing("other", inside="watch")

    assert codes(moved(source, target, "cancel")) == [(Code.ELEMENT_MISSING, "throw")]


def test_does_not_require_a_throw_event_of_a_scope_beside_the_handler() -> None:
    def beside(event: str) -> ProcessBuilder:
        return compensated().sub("sub", lambda scope: scope.start("s").throw(event, compensation=True))

    assert moved(beside("throw"), beside("other"), "cancel").position == at("cancel")


def test_requires_the_throw_event_to_stay_in_its_scope() -> None:
    def fill(scope: ScopeBuilder) -> ScopeBuilder:
        scope.start("s").user_task("book").boundary("undo", on="book", compensation=True)
        return scope.handler("cancel", of="undo").after("book")

    source = a_process().sub("sub", lambda scope: fill(scope).throw("throw", compensation=True))
    target = a_process().sub("sub", fill).throw("throw", compensation=True)

    assert codes(moved(source, target, "cancel")) == [(Code.SCOPE_CHANGED, "throw")]


def test_never_waits_for_the_compensation_of_the_process_itself() -> None:
    source = one_task().event_sub("undo", "undoStart", around("revoke"), compensation=True)

    assert moved(source, one_task(), "task").position == at("task")
    assert breaking_positions(compare(source.model(), one_task().model())) == ("revoke",)
