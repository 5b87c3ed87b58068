"""What compensation may be pending at a position, compared with what is pending in played instances."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bpmn_builder import ProcessBuilder, ScopeBuilder, a_process
from tests.support.process_blocks import Block, blocks, written_blocks
from tests.support.token_game import TokenGame
from uplift.domain.compatibility.pending_compensation import (
    MAX_PENDING,
    compensation_events,
    find_pending_compensation,
)
from uplift.domain.compatibility.wait_states import is_position_element


@settings(max_examples=150, deadline=None, derandomize=True)
@given(blocks, st.integers(0, 1_000))
def test_finds_all_compensation_that_is_pending_in_an_instance(block: Block, seed: int) -> None:
    model = written_blocks(block)
    found = find_pending_compensation(model, [event.id for event in compensation_events(model)][:MAX_PENDING])

    for play in range(6):
        game = TokenGame(model, Random(seed + play))
        for _ in range(25):
            expected = set().union(*(found.by_element.get(element, ()) for element in game.position))
            if game.position:
                assert game.pending <= expected
                assert game.pending <= found.anywhere
            if not game.play():
                break


def add_step(scope: ScopeBuilder, task: str) -> ScopeBuilder:
    """A task that is compensated through the boundary event 'undo_<task>'."""
    scope.user_task(task).boundary(f"undo_{task}", on=task, compensation=True)
    return scope.handler(f"handler_{task}", of=f"undo_{task}").after(task)


def beside(*, interrupting: bool) -> ProcessBuilder:
    """The tasks host and after, and x and y behind a boundary event of host; all but host are compensated."""
    process = a_process().start().user_task("host")
    add_step(add_step(process.boundary("event", on="host", interrupting=interrupting, message="M"), "x"), "y")
    add_step(process.after("host"), "after")
    return process


def forked(*, closed: bool) -> ProcessBuilder:
    """Two branches, a -> b and c -> d, which are joined before e or end apart; all are compensated."""
    process = a_process().start().parallel("fork")
    add_step(add_step(process, "a"), "b")
    if closed:
        process.parallel("join")
    add_step(add_step(process.after("fork"), "c"), "d")
    if closed:
        process.join("d", "join")
        add_step(process.after("join"), "e")
    return process


def linked() -> ProcessBuilder:
    process = a_process().start()
    add_step(process, "a").throw("there", link=True)
    return add_step(process.apart().catch("here", link=True), "b")  # type: ignore[return-value]


def in_scope(kind: str, **facts: str) -> ProcessBuilder:
    """The tasks a and b in a scope, then c; a and b are compensated."""
    process = a_process().start()
    process.scope(kind, "scope", lambda scope: add_step(add_step(scope, "a"), "b"), **facts)
    return process.user_task("c")


def watched(*, interrupting: bool) -> ProcessBuilder:
    """The task a, and an event subprocess with b; both are compensated."""
    process = a_process().start("s")
    add_step(process, "a")
    return process.event_sub(
        "watch", "heard", lambda scope: add_step(scope, "b"), interrupting=interrupting, message="M"
    )


def fork_in_a_loop() -> ProcessBuilder:
    """The tasks a and b between a fork and a join, repeated by a loop, then the compensated task c."""
    process = a_process().start().exclusive("entry").parallel("z_fork").user_task("a").parallel("join")
    process.after("z_fork").user_task("b").join("b", "join")
    process.after("join").exclusive("again").join("again", "entry")
    add_step(process, "c")
    return process


def interrupted_branch() -> ProcessBuilder:
    """Two branches: a, which a boundary event interrupts and leads to the compensated x; and b."""
    process = a_process().start().parallel("fork").user_task("a").end()
    add_step(process.boundary("event", on="a", message="M"), "x").end("xEnd")
    return process.after("fork").user_task("b")


def started_together() -> ProcessBuilder:
    """The compensated tasks a and b, which start with the process."""
    process = a_process()
    add_step(process, "a")
    add_step(process.apart(), "b")
    return process


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        pytest.param(
            beside(interrupting=True),
            {"y": "x"},
            id="an interrupting boundary event",
        ),
        pytest.param(
            beside(interrupting=False),
            {"host": "x y", "after": "x y", "x": "after x y", "y": "after x y"},
            id="a boundary event that does not interrupt",
        ),
        pytest.param(
            forked(closed=True), {"b": "a", "d": "c", "join": "a b c d", "e": "a b c d"}, id="a join"
        ),
        pytest.param(
            forked(closed=False), {"a": "c d", "b": "a c d", "c": "a b", "d": "a b c"}, id="open ends"
        ),
        pytest.param(fork_in_a_loop(), {}, id="a join in a loop"),
        pytest.param(interrupted_branch(), {"b": "x"}, id="an interrupted branch"),
        pytest.param(started_together(), {"a": "b", "b": "a"}, id="several starts"),
        pytest.param(linked(), {"b": "a"}, id="a link"),
        pytest.param(in_scope("subProcess"), {"b": "a", "c": "a b"}, id="a subprocess"),
        pytest.param(
            in_scope("subProcess", many="sequential"), {"a": "a b", "b": "a b", "c": "a b"}, id="a loop"
        ),
        pytest.param(in_scope("adHocSubProcess"), {"a": "a b", "b": "a b", "c": "a b"}, id="an ad-hoc scope"),
        pytest.param(watched(interrupting=True), {"b": "a"}, id="an event subprocess"),
        pytest.param(
            watched(interrupting=False), {"a": "b", "b": "a b"}, id="an event subprocess beside the scope"
        ),
    ],
)
def test_finds_what_may_be_pending_at_each_element(process: ProcessBuilder, expected: dict[str, str]) -> None:
    model = process.model()
    found = find_pending_compensation(model, sorted(event.id for event in compensation_events(model)))

    by_element = {
        element: " ".join(event.removeprefix("undo_") for event in events)
        for element, events in found.by_element.items()
        if is_position_element(model.elements[element], model) and not element.startswith("handler")
    }
    assert by_element == expected


def test_finds_at_a_handler_what_may_be_pending_anywhere() -> None:
    process = a_process().start()
    add_step(add_step(process, "a"), "b")
    model = process.model()

    found = find_pending_compensation(model, ["undo_a", "undo_b"])

    assert found.by_element["handler_a"] == ("undo_a", "undo_b")


def test_finds_what_a_handler_has_completed_wherever_the_instance_continues() -> None:
    process = a_process().start().user_task("a").boundary("undo", on="a", compensation=True)
    process.scope("subProcess", "handler", lambda scope: add_step(scope, "inside"), isForCompensation="true")
    model = process.after("a").user_task("b").model()

    found = find_pending_compensation(model, ["undo_inside"])

    assert found.by_element["b"] == ("undo_inside",)


def test_finds_the_first_events_where_many_may_be_pending() -> None:
    process = a_process().start()
    for number in range(MAX_PENDING + 2):
        add_step(process, f"task{number:02}")
    model = process.user_task("last").model()
    events = [f"undo_task{number:02}" for number in range(MAX_PENDING + 2)]

    found = find_pending_compensation(model, events[::-1])

    assert found.by_element["last"] == tuple(events[:1:-1])
    assert found.anywhere == set(events)


def test_does_not_find_compensation_after_which_no_instance_waits() -> None:
    process = a_process().start()
    process.user_task("a").boundary("undo_a", on="a", compensation=True).after("a").end()

    assert find_pending_compensation(process.model(), ["undo_a"]).anywhere == set()
