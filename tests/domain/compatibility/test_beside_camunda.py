"""Cases that were also given to camunda-engine 7.24.0; the docstrings say what it answered.

Each case deploys both versions, starts an instance on the source version, completes the tasks before the
position, and migrates the instance by the generated plan, with the instructions of the case.
"""

import pytest

from tests.support.bpmn_builder import ProcessBuilder, ScopeBuilder, a_process
from tests.support.process_shapes import chain, one_task, waiting_for, with_boundary
from uplift.domain.compatibility import MigratedPosition, compare, migrate_position
from uplift.testing.builders import at

Codes = list[tuple[str, str | None]]


def moved(
    source: ProcessBuilder, target: ProcessBuilder, *position: str, **instructions: str
) -> MigratedPosition:
    comparison = compare(source.model(), target.model(), instructions=instructions)
    return migrate_position(comparison, frozenset(position))


def errors(migrated: MigratedPosition) -> Codes:
    return [(finding.code.value, finding.source) for finding in migrated.errors]


def warnings(migrated: MigratedPosition) -> Codes:
    return [(finding.code.value, finding.source) for finding in migrated.warnings]


def add_step(scope: ScopeBuilder, task: str = "a", event: str = "b", handler: str = "h") -> ScopeBuilder:
    """A task that the handler compensates through the boundary event."""
    scope.user_task(task).boundary(event, on=task, compensation=True).handler(handler, of=event)
    return scope.after(task)


def then_wait(process: ProcessBuilder, *, throws: bool = True) -> ProcessBuilder:
    """The user task 'u', a throw event that compensates, and the user task 'w'."""
    process.user_task("u")
    if throws:
        process.throw("t", compensation=True)
    return process.user_task("w").end()


def compensated_inside(scope: str = "sub", **facts: str) -> ProcessBuilder:
    """The compensated task 'a' in a subprocess."""
    process = a_process().start()
    process.sub(scope, lambda inside: add_step(inside.start("s")).end("e"), **facts)
    return then_wait(process)


def compensated_flat(*, throws: bool = True) -> ProcessBuilder:
    """The compensated task 'a' in the process."""
    process = a_process().start()
    add_step(process)
    return then_wait(process, throws=throws)


def compensated_outside() -> ProcessBuilder:
    """A compensated subprocess around the task 'a'."""
    process = a_process().start().sub("sub", lambda inside: inside.start("s").user_task("a").end("e"))
    process.boundary("b", on="sub", compensation=True).handler("h", of="b").after("sub")
    return then_wait(process)


def uncompensated() -> ProcessBuilder:
    process = a_process().start().sub("sub", lambda inside: inside.start("s").user_task("a").end("e"))
    return then_wait(process)


def test_keeps_the_compensation_of_a_completed_subprocess() -> None:
    """Camunda moves the instance, with the subscriptions of h and of sub."""
    assert moved(compensated_inside(), compensated_inside(), "u").position == at("u")


@pytest.mark.parametrize(
    ("target", "code"),
    [
        pytest.param(compensated_inside("other"), "SCOPE_CHANGED", id="renamed"),
        pytest.param(compensated_flat(), "SCOPE_CHANGED", id="unwrapped"),
        pytest.param(compensated_inside(many="parallel"), "MULTI_INSTANCE_ADDED", id="made multi-instance"),
    ],
)
def test_does_not_lose_compensation_with_the_completed_subprocess_around_it(
    target: ProcessBuilder, code: str
) -> None:
    """Camunda refuses all three: there is no migration instruction for the compensation boundary event."""
    assert errors(moved(compensated_inside(), target, "u")) == [(code, "b")]


def test_lets_an_instruction_rename_a_completed_subprocess() -> None:
    """Camunda moves the instance, and requires the instruction for b as well, which Uplift generates."""
    assert moved(compensated_inside(), compensated_inside("other"), "u", sub="other").position == at("u")


def test_lets_an_instruction_unwrap_compensation() -> None:
    """Camunda moves the instance, and drops the subscription of sub."""
    assert moved(compensated_inside(), compensated_flat(), "u", b="b").position == at("u")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param(compensated_inside(), uncompensated(), id="in a completed subprocess"),
        pytest.param(compensated_flat(), chain("a", "u", "w"), id="in the process"),
        pytest.param(compensated_flat(), chain("u", "w"), id="with its activity"),
    ],
)
def test_refuses_pending_compensation_whose_event_is_gone(
    source: ProcessBuilder, target: ProcessBuilder
) -> None:
    """Camunda refuses: there is no migration instruction for the compensation boundary event."""
    assert errors(moved(source, target, "u")) == [("COMPENSATION_LOST", "b")]


@pytest.mark.parametrize("lost", ["task00", "task24"])
def test_refuses_one_lost_compensation_among_many_that_are_kept(lost: str) -> None:
    """However many events may be pending, those that are lost are found."""

    def version(*, without: str | None = None) -> ProcessBuilder:
        process = a_process().start()
        for task in (f"task{number:02}" for number in range(25)):
            process.user_task(task)
            if task != without:
                process.boundary(f"undo_{task}", on=task, compensation=True, name=str(without))
                process.handler(f"handler_{task}", of=f"undo_{task}").after(task)
        return process.user_task("last")

    migrated = moved(version(), version(without=lost), "last")

    assert errors(migrated) == [("COMPENSATION_LOST", f"undo_{lost}")]
    assert {finding.code for finding in migrated.warnings} == {"NAME_CHANGED"}


def test_moves_an_instance_that_has_not_completed_the_compensated_activity() -> None:
    """Camunda moves the instance: nothing is subscribed yet."""
    assert moved(compensated_flat(), chain("a", "u", "w"), "a").position == at("a")


def test_refuses_pending_compensation_whose_handler_is_gone() -> None:
    """Camunda fails with a NullPointerException. It moves an instance that has not completed the activity."""
    target = chain("a", "u", "w").boundary("b", on="a", compensation=True)

    migrated = moved(compensated_flat(), target, "u")

    assert [finding.message for finding in migrated.errors] == [
        (
            "Expected boundary event 'b' to lead to a compensation handler in the target version, because "
            "compensation of user task 'a' may be pending, but 'b' leads to none."
        )
    ]
    assert moved(compensated_flat(), target, "a").position == at("a")


@pytest.mark.parametrize(
    ("handler", "kind"),
    [pytest.param("other", "userTask", id="another id"), pytest.param("h", "receiveTask", id="another kind")],
)
def test_keeps_pending_compensation_whose_handler_is_another(handler: str, kind: str) -> None:
    """Camunda moves both instances; the new handler will run."""
    target = chain("a", "u", "w").boundary("b", on="a", compensation=True)
    target.handler(handler, of="b", kind=kind).after("u")

    assert moved(compensated_flat(), target, "u").position == at("u")


def event_subprocess(event_sub: str = "undo") -> ProcessBuilder:
    """A subprocess that its own event subprocess compensates."""
    process = a_process().start()
    process.sub(
        "sub",
        lambda inside: (
            inside.start("s")
            .user_task("a")
            .end("e")
            .event_sub(event_sub, "st", lambda undo: undo.user_task("h"), compensation=True)
        ),
    )
    return then_wait(process)


def test_refuses_a_completed_subprocess_whose_compensation_event_subprocess_is_gone() -> None:
    """Camunda refuses: there is no migration instruction for the compensation start event."""
    assert errors(moved(event_subprocess(), uncompensated(), "u")) == [("COMPENSATION_LOST", "st")]


def test_moves_an_instance_inside_a_subprocess_whose_compensation_event_subprocess_is_gone() -> None:
    """Camunda moves the instance: it subscribes when the subprocess is completed."""
    assert moved(event_subprocess(), uncompensated(), "a").position == at("a")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param(compensated_outside(), compensated_inside(), id="from the subprocess to the task in it"),
        pytest.param(compensated_inside(), compensated_outside(), id="from the task to the subprocess"),
    ],
)
def test_does_not_pair_the_compensation_of_a_subprocess_with_that_of_a_task_in_it(
    source: ProcessBuilder, target: ProcessBuilder
) -> None:
    """Camunda pairs neither, and refuses both instances."""
    comparison = compare(source.model(), target.model())

    assert comparison.mapping == {"a": "a", "sub": "sub", "u": "u", "w": "w"}
    assert {finding.source for finding in migrate_position(comparison, at("u")).errors} == {"b"}


def test_does_not_make_the_compensation_of_one_activity_that_of_another() -> None:
    """Camunda pairs the events, so that the compensation of a becomes that of c."""
    source = chain("a", "c", "u").boundary("b", on="a", compensation=True).handler("h", of="b")
    target = chain("a", "c", "u").boundary("b", on="c", compensation=True).handler("h", of="b")

    assert errors(moved(source, target, "u")) == [("HOST_CHANGED", "b")]
    assert errors(moved(source, target, "u", c="a", a="c")) == []


def receiving(**message: str) -> ProcessBuilder:
    return one_task(kind="receiveTask", **message)


def test_refuses_a_receive_task_that_loses_its_message() -> None:
    """Camunda does not pair it, refuses the instance, and refuses an instruction."""
    assert errors(moved(receiving(message="M"), receiving(), "task")) == [("EVENT_TYPE_CHANGED", "task")]


def test_warns_of_a_receive_task_that_gets_a_message() -> None:
    """Camunda moves the instance, and subscribes it to the message."""
    migrated = moved(receiving(), receiving(message="M"), "task")

    assert migrated.position == at("task")
    (warning,) = migrated.warnings
    assert warning.message == (
        "Receive task 'task' waits for message 'M' in the target version, but an upgraded instance is not "
        "subscribed to it until it enters the task again."
    )


def test_warns_of_a_receive_task_that_gets_another_message() -> None:
    """Camunda moves the instance, and keeps the subscription to the old message."""
    migrated = moved(receiving(message="M"), receiving(message="N"), "task")

    assert migrated.position == at("task")
    assert warnings(migrated) == [("EVENT_DEFINITION_CHANGED", "task")]


def with_listener(**facts: str) -> ProcessBuilder:
    return one_task(**facts).boundary("event", on="task", message="M").end("x")


def test_warns_of_a_boundary_event_whose_host_is_no_longer_multi_instance() -> None:
    """Camunda maps the task by an instruction only, and makes one subscription for each of its instances."""
    migrated = moved(with_listener(many="parallel"), with_listener(), "task")

    assert migrated.position == at("task")
    assert warnings(migrated) == [("LISTENER_MULTIPLIED", "event")]
    assert warnings(moved(with_listener(many="parallel"), with_listener(many="parallel"), "task")) == []


def test_refuses_an_instance_that_compensates_if_the_event_that_waits_for_it_is_gone() -> None:
    """Camunda refuses: it never migrates an instance that waits at a throw event."""
    migrated = moved(compensated_flat(), compensated_flat(throws=False), "h")

    assert errors(migrated) == [("ELEMENT_MISSING", "t")]
    assert moved(compensated_flat(), compensated_flat(), "h").position == at("h")


def test_refuses_an_instance_that_waits_at_a_throw_event() -> None:
    """Camunda refuses: it never migrates an instance that waits at a throw event."""
    assert errors(moved(compensated_flat(), compensated_flat(), "t", "h")) == [("NOT_A_WAIT_STATE", "t")]


def two_tasks() -> ProcessBuilder:
    process = a_process().start().user_task("a").user_task("c").end()
    process.boundary("ea", on="a", message="M").end("x")
    return process.boundary("ec", on="c", message="M").end("y")


def test_merges_two_activities_with_their_listeners() -> None:
    """Camunda moves both instances, at a and at c."""
    target = one_task("c").boundary("ec", on="c", message="M").end("y")

    for position in ("a", "c"):
        migrated = moved(two_tasks(), target, position, a="c", ea="ec")
        assert (migrated.position, migrated.warnings) == (at("c"), ())


def test_warns_of_two_listeners_of_one_activity_that_are_mapped_to_one() -> None:
    """Camunda moves the instance, which then has two subscriptions of event."""
    source = with_boundary(message="M").boundary("second", on="task", message="M")

    migrated = moved(source, with_boundary(message="M"), "task", second="event")

    assert migrated.position == at("task")
    assert warnings(migrated) == [("LISTENERS_MERGED", "event"), ("LISTENERS_MERGED", "second")]


def test_does_not_map_two_catch_events_to_one() -> None:
    """Camunda moves the instance, which then waits twice at c1."""
    fork = (
        a_process().start().parallel("fork").catch("c1", message="M").after("fork").catch("c2", message="M")
    )

    migrated = moved(fork, waiting_for("c1", message="M"), "c1", "c2", c2="c1")

    assert errors(migrated) == [("TARGET_TAKEN", "c1")]


def behind_gateways(*gateways: str) -> ProcessBuilder:
    process = a_process().start().exclusive("x")
    for gateway in gateways:
        process.after("x").event_based(gateway)
    process.after(gateways[0]).catch("c", message="M").user_task("next").end()
    for gateway in gateways[1:]:
        process.join(gateway, "c")
    return process


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [
        ("g1 g2", "g1 g2", []),
        ("g1 g2", "g2 g1", []),
        ("g1", "g0 g1", []),
        ("g1", "g1 g2", []),
        ("g1 g2", "g1", [("HOST_CHANGED", "c")]),
        ("g1 g2", "g2", [("HOST_CHANGED", "c")]),
        ("g1", "g2", [("HOST_CHANGED", "c")]),
    ],
)
def test_keeps_a_catch_event_behind_all_of_its_event_based_gateways(
    before: str, after: str, broken: Codes
) -> None:
    """Camunda refuses to deploy a catch event behind several gateways."""
    source, target = behind_gateways(*before.split()), behind_gateways(*after.split())

    assert errors(moved(source, target, "c")) == broken
