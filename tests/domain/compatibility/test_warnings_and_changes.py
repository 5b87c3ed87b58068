"""Warnings, and the added, removed and changed elements."""

from typing import NamedTuple

import pytest

from tests.support.bpmn_builder import ProcessBuilder, a_process
from tests.support.process_shapes import (
    chain,
    compensated,
    nested,
    one_task,
    scope_of,
    with_boundary,
    with_event_sub,
)
from uplift.domain.compatibility import (
    Aspect,
    Change,
    Code,
    Severity,
    breaking_positions,
    compare,
    without_model,
)


class Warned(NamedTuple):
    """Two versions and the warnings, exactly, as (code, source, target)."""

    name: str
    source: ProcessBuilder
    target: ProcessBuilder
    warnings: tuple[tuple[str, str, str | None], ...]


WARNED = [
    Warned("nothing changed", with_boundary(message="M"), with_boundary(message="M"), ()),
    Warned(
        "another name", one_task(name="Check"), one_task(name="Check it"), (("NAME_CHANGED", "task", "task"),)
    ),
    Warned("a name added", one_task(), one_task(name="Check"), (("NAME_CHANGED", "task", "task"),)),
    Warned("another form", one_task(form="f1"), one_task(form="f2"), (("FORM_CHANGED", "task", "task"),)),
    Warned("a form removed", one_task(form="f1"), one_task(), (("FORM_CHANGED", "task", "task"),)),
    Warned(
        "another message",
        with_boundary(message="M"),
        with_boundary(message="N"),
        (("EVENT_DEFINITION_CHANGED", "event", "event"),),
    ),
    Warned(
        "another time",
        a_process().catch("t", timer="PT1M"),
        a_process().catch("t", timer="PT2M"),
        (("EVENT_DEFINITION_CHANGED", "t", "t"),),
    ),
    Warned(
        "another condition",
        a_process().catch("c", condition="${a}"),
        a_process().catch("c", condition="${b}"),
        (("EVENT_DEFINITION_CHANGED", "c", "c"),),
    ),
    Warned(
        "another error of a boundary event that is not listed",
        with_boundary(error="E"),
        with_boundary(error="F"),
        (("EVENT_DEFINITION_CHANGED", "event", "event"),),
    ),
    Warned(
        "another message of a receive task",
        one_task(kind="receiveTask", message="M"),
        one_task(kind="receiveTask", message="N"),
        (("EVENT_DEFINITION_CHANGED", "task", "task"),),
    ),
    Warned(
        "a boundary event added",
        one_task(),
        with_boundary(timer="PT1M"),
        (("NEW_BOUNDARY_EVENT", "task", "event"),),
    ),
    Warned("an error boundary event added, which works at once", one_task(), with_boundary(error="E"), ()),
    Warned("compensation added", chain("book", "pay"), compensated(), ()),
    Warned(
        "a boundary event on a scope added",
        nested("outer"),
        nested("outer").boundary("event", on="outer", signal="S"),
        (("NEW_BOUNDARY_EVENT", "outer", "event"),),
    ),
    Warned(
        "an event subprocess added",
        one_task(),
        with_event_sub(message="M"),
        (("NEW_BOUNDARY_EVENT", "process", "heard"),),
    ),
    Warned(
        "an event subprocess added in a subprocess",
        nested("outer"),
        a_process()
        .start()
        .sub(
            "outer",
            lambda scope: scope.start("outerStart").user_task("task").event_sub("w", "heard", message="M"),
        )
        .end(),
        (("NEW_BOUNDARY_EVENT", "outer", "heard"),),
    ),
    Warned(
        "a boundary event removed",
        with_boundary(message="M"),
        one_task(),
        (("LISTENER_REMOVED", "event", None),),
    ),
    Warned(
        "an error boundary event removed",
        with_boundary(error="E"),
        one_task(),
        (("LISTENER_REMOVED", "event", None),),
    ),
    Warned(
        "a boundary event removed with its host",
        chain("a").user_task("task").boundary("event", on="task", message="M"),
        chain("a"),
        (),
    ),
    Warned(
        "a boundary event replaced by another",
        with_boundary(message="M"),
        with_boundary(event="other", message="M"),
        (("NEW_BOUNDARY_EVENT", "task", "other"), ("LISTENER_REMOVED", "event", None)),
    ),
    Warned(
        "a task behind the position removed",
        chain("a", "b", "c"),
        chain("b", "c"),
        (("PATH_BEHIND_CHANGED", "b", "b"), ("PATH_BEHIND_CHANGED", "c", "c")),
    ),
    Warned("a task before the position removed", chain("a", "b"), chain("a"), ()),
    Warned(
        "a task behind the position renamed",
        one_task(name="x").user_task("b"),
        one_task(name="x").user_task("b"),
        (),
    ),
    Warned(
        "a script behind the position became a service",
        a_process().start().node("scriptTask", "x").user_task("a"),
        a_process().start().service_task("x").user_task("a"),
        (("PATH_BEHIND_CHANGED", "a", "a"),),
    ),
    Warned(
        "a task behind the position removed, before a link",
        a_process()
        .start()
        .user_task("x")
        .throw("there", link=True)
        .apart()
        .catch("here", link=True)
        .user_task("a"),
        a_process().start().throw("there", link=True).apart().catch("here", link=True).user_task("a"),
        (("PATH_BEHIND_CHANGED", "a", "a"),),
    ),
    Warned(
        "a gateway behind the position removed, inside the subprocess before it",
        a_process().sub("s", lambda scope: scope.start("b").exclusive("x").user_task("t")).user_task("a"),
        a_process().sub("s", lambda scope: scope.start("b").user_task("t")).user_task("a"),
        (("PATH_BEHIND_CHANGED", "a", "a"), ("PATH_BEHIND_CHANGED", "t", "t")),
    ),
    Warned(
        "a task in a loop removed",
        a_process().start().user_task("a").user_task("x").join("x", "a"),
        a_process().start().user_task("a").join("a", "a"),
        (("PATH_BEHIND_CHANGED", "a", "a"),),
    ),
    Warned(
        "the task whose boundary event led here removed the event's time",
        a_process().start().user_task("a").boundary("t", on="a", timer="PT1M").user_task("late"),
        a_process().start().user_task("a").boundary("t", on="a", timer="PT2M").user_task("late"),
        (("EVENT_DEFINITION_CHANGED", "t", "t"), ("PATH_BEHIND_CHANGED", "late", "late")),
    ),
    Warned(
        "the task whose boundary event led here became another kind",
        a_process().start().service_task("a").boundary("t", on="a", timer="PT1M").user_task("late"),
        a_process().start().user_task("a").boundary("t", on="a", timer="PT1M").user_task("late"),
        (("PATH_BEHIND_CHANGED", "late", "late"),),
    ),
    Warned(
        "the only gateway of the subprocess before the position removed",
        a_process().sub("s", lambda scope: scope.exclusive("x")).user_task("a"),
        a_process().sub("s", lambda scope: scope).user_task("a"),
        (("PATH_BEHIND_CHANGED", "a", "a"),),
    ),
    Warned(
        "a gateway before the subprocess removed, in which tasks have no start event",
        a_process().exclusive("x").sub("s", lambda scope: scope.user_task("t").user_task("u")),
        a_process().sub("s", lambda scope: scope.user_task("t").user_task("u")),
        (("PATH_BEHIND_CHANGED", "t", "t"), ("PATH_BEHIND_CHANGED", "u", "u")),
    ),
    Warned(
        "the subprocess around the position became a transaction",
        scope_of("subProcess"),
        scope_of("transaction"),
        (),
    ),
    Warned(
        "the last task of a loop of three removed",
        a_process().start().user_task("a").user_task("b").user_task("x").join("x", "a"),
        a_process().start().user_task("a").user_task("b").join("b", "a"),
        (("PATH_BEHIND_CHANGED", "a", "a"), ("PATH_BEHIND_CHANGED", "b", "b")),
    ),
    Warned(
        "another time of an event in a loop, which is not behind itself",
        a_process().start().catch("t", timer="PT1M").join("t", "t"),
        a_process().start().catch("t", timer="PT2M").join("t", "t"),
        (("EVENT_DEFINITION_CHANGED", "t", "t"),),
    ),
    Warned(
        "a task removed from an ad-hoc subprocess, where one may wait that has not passed it",
        a_process().scope(
            "adHocSubProcess", "any", lambda scope: scope.user_task("t").apart().user_task("x")
        ),
        a_process().scope("adHocSubProcess", "any", lambda scope: scope.user_task("t")),
        (),
    ),
    Warned(
        "a task in a loop that nothing leads to removed",
        chain("t").apart().user_task("a").user_task("x").join("x", "a"),
        chain("t").apart().user_task("a").join("a", "a"),
        (("PATH_BEHIND_CHANGED", "a", "a"),),
    ),
]


@pytest.mark.parametrize("case", WARNED, ids=[case.name for case in WARNED])
def test_warns_of_exactly_what_changed(case: Warned) -> None:
    comparison = compare(case.source.model(), case.target.model())

    warnings = [(finding.code.value, finding.source, finding.target) for finding in comparison.warnings]
    assert sorted(warnings, key=str) == sorted(case.warnings, key=str)
    assert all(finding.severity is Severity.WARNING for finding in comparison.warnings)


def test_does_not_let_a_warning_break_a_position() -> None:
    for case in WARNED:
        comparison = compare(case.source.model(), case.target.model())
        waiting_still = {error.source for error in comparison.errors}
        assert set(breaking_positions(comparison)) <= waiting_still


@pytest.mark.parametrize(
    ("source", "target", "name", "message"),
    [
        (
            one_task(name="Check"),
            one_task(name="Check it"),
            "Check",
            "User task 'task' (Check) is called 'Check it' in the target version.",
        ),
        (
            one_task(name="Check", form="f1"),
            one_task(name="Check", form="f2"),
            "Check",
            "User task 'task' (Check) has form 'f2' instead of form 'f1'.",
        ),
        (
            one_task(),
            one_task().boundary("event", on="task", message="M", name="Paid"),
            "Paid",
            (
                "Boundary event 'event' (Paid) is new in the target version: an upgraded instance will not "
                "listen for it until it enters user task 'task' again."
            ),
        ),
        (
            one_task(),
            with_event_sub(message="M"),
            None,
            (
                "Start event 'heard' is new in the target version: an upgraded instance will not listen "
                "for it until it enters the process again."
            ),
        ),
        (
            one_task().boundary("event", on="task", message="M", name="Paid"),
            one_task(),
            "Paid",
            (
                "Boundary event 'event' (Paid) is gone in the target version: an upgraded instance no longer "
                "listens for it."
            ),
        ),
    ],
    ids=["name", "form", "new on a task", "new in the process", "gone"],
)
def test_describes_a_change_in_words(
    source: ProcessBuilder, target: ProcessBuilder, name: str | None, message: str
) -> None:
    [warning] = compare(source.model(), target.model()).warnings

    assert (warning.name, warning.message) == (name, message)


def test_a_listener_that_an_instruction_maps_is_neither_new_nor_gone() -> None:
    source, target = with_boundary(message="M"), with_boundary(event="other", message="M")

    assert compare(source.model(), target.model(), instructions={"event": "other"}).warnings == ()


def test_says_what_will_stay_armed() -> None:
    comparison = compare(with_boundary(message="Paid").model(), with_boundary(message="Refunded").model())

    assert [finding.message for finding in comparison.warnings] == [
        (
            "Boundary event 'event' waits for message 'Refunded' in the target version, "
            "but 'Paid' stays armed unless the event trigger is updated."
        )
    ]


def test_does_not_say_that_an_error_stays_armed() -> None:
    comparison = compare(with_boundary(error="E").model(), with_boundary(error="F").model())

    assert [finding.message for finding in comparison.warnings] == [
        "Boundary event 'event' waits for error 'F' in the target version instead of 'E'."
    ]


@pytest.mark.parametrize(
    ("count", "listed"), [(1, "'a'"), (3, "'a', 'b', 'c'"), (5, "'a', 'b', 'c' and others")]
)
def test_names_the_first_elements_behind_and_counts_the_others(count: int, listed: str) -> None:
    comparison = compare(chain(*"abcde"[:count], "f").model(), chain("f").model())

    assert [finding.message for finding in comparison.warnings] == [
        f"User task 'f' has elements before it that were removed or changed: {listed}."
    ]


def test_lists_what_was_added_removed_and_changed() -> None:
    source = a_process().start().user_task("a", name="A").exclusive("x").end()
    target = a_process().start().service_task("a", name="B", many="parallel").user_task("b").end()

    comparison = compare(source.model(), target.model())

    assert comparison.added == ("b",)
    assert comparison.removed == ("x",)
    assert comparison.changed == (
        Change(source="a", target="a", aspects=(Aspect.NAME, Aspect.KIND, Aspect.MULTI_INSTANCE)),
    )


@pytest.mark.parametrize(
    ("source", "target", "element", "aspect"),
    [
        (one_task(name="a"), one_task(name="b"), "task", Aspect.NAME),
        (one_task(form="a"), one_task(form="b"), "task", Aspect.FORM),
        (one_task(), one_task(kind="task"), "task", Aspect.KIND),
        (with_boundary(message="M"), with_boundary(signal="M"), "event", Aspect.TRIGGER),
        (with_boundary(message="M"), with_boundary(message="N"), "event", Aspect.EVENT_DEFINITION),
        (
            with_boundary(message="M"),
            with_boundary(message="M", interrupting=False),
            "event",
            Aspect.INTERRUPTING,
        ),
        (one_task(many="parallel"), one_task(), "task", Aspect.MULTI_INSTANCE),
        (a_process().call("c", "a"), a_process().call("c", "b"), "c", Aspect.CALLED_PROCESS),
        (
            chain("a", "b").boundary("e", on="a", message="M"),
            chain("a", "b").boundary("e", on="b", message="M"),
            "e",
            Aspect.HOST,
        ),
        (one_task(), nested("outer"), "task", Aspect.SCOPE),
        (nested("outer"), one_task(), "task", Aspect.SCOPE),
    ],
)
def test_names_the_changed_aspects_of_an_element(
    source: ProcessBuilder, target: ProcessBuilder, element: str, aspect: Aspect
) -> None:
    comparison = compare(source.model(), target.model())

    assert Change(source=element, target=element, aspects=(aspect,)) in comparison.changed


def test_follows_an_instruction_to_the_counterpart() -> None:
    comparison = compare(chain("a").model(), chain("b").model(), instructions={"a": "b"})

    assert (comparison.added, comparison.removed, comparison.changed) == ((), (), ())


def test_what_moves_with_its_scope_or_host_is_not_changed() -> None:
    source = nested("outer").user_task("a").boundary("event", on="a", message="M")
    target = nested("around").user_task("b").boundary("event", on="b", message="M")

    comparison = compare(source.model(), target.model(), instructions={"outer": "around", "a": "b"})

    assert comparison.changed == ()


def test_says_that_a_version_without_a_model_was_not_compared() -> None:
    finding = without_model("version 3")

    assert (finding.code, finding.severity, finding.source) == (Code.NO_MODEL, Severity.WARNING, None)
    assert finding.message == (
        "version 3 has no BPMN model, so nothing was compared; only the version changes."
    )
