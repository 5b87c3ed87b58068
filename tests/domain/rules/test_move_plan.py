"""The instructions by which an engine moves the instances of a position, and by which it moves them back."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bpmn_builder import ProcessBuilder, ScopeBuilder, a_process
from tests.support.process_shapes import (
    around,
    chain,
    compensated,
    joined,
    nested,
    one_task,
    waiting_for,
    with_boundary,
    with_event_sub,
)
from tests.support.process_strategies import Recipe, recipes, written
from tests.support.token_game import TokenGame
from uplift.domain.bpmn import ElementKind
from uplift.domain.compatibility import compare, migrate_position
from uplift.domain.compatibility.pending_compensation import compensation_events
from uplift.domain.compatibility.wait_states import event_scope
from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import ElementRole, MoveInstruction
from uplift.domain.rules.move_plan import (
    MoveInstructions,
    identity_instructions,
    move_instructions,
    undo_instructions,
)
from uplift.testing.builders import at


def plan(
    source: ProcessBuilder, target: ProcessBuilder, *position: str, **instructions: str
) -> MoveInstructions:
    comparison = compare(source.model(), target.model(), instructions=instructions)
    return move_instructions(comparison, at(*position))


def pairs(instructions: MoveInstructions) -> list[tuple[str, str, str]]:
    return [(instruction.role.value, instruction.source, instruction.target) for instruction in instructions]


def test_maps_only_the_elements_of_the_position() -> None:
    assert pairs(plan(joined(), joined(ways=3), "way1", "join")) == [
        ("POSITION", "join", "join"),
        ("POSITION", "way1", "way1"),
    ]


def test_follows_the_instructions_of_the_caller() -> None:
    assert pairs(plan(chain("a", "b"), chain("b", "c"), "a", a="c")) == [("POSITION", "a", "c")]


def test_maps_the_scopes_around_the_position() -> None:
    process = nested("outer", "inner")

    assert pairs(plan(process, process, "task")) == [
        ("POSITION", "task", "task"),
        ("SCOPE", "inner", "inner"),
        ("SCOPE", "outer", "outer"),
    ]


def test_maps_a_multi_instance_activity_once() -> None:
    process = one_task(many="parallel")
    expected = MoveInstruction(
        source=ElementId("task"),
        target=ElementId("task"),
        role=ElementRole.POSITION,
        is_multi_instance=True,
    )

    for position in (["task"], ["task#multiInstanceBody", "task"], ["task#innerInstance"]):
        assert plan(process, process, *position) == (expected,)


def test_keeps_the_events_that_listen_at_an_element_and_still_exist() -> None:
    source, target = with_boundary(timer="PT5M"), one_task()

    assert pairs(plan(source, source, "task")) == [
        ("POSITION", "task", "task"),
        ("LISTENER", "event", "event"),
    ]
    assert pairs(plan(source, target, "task")) == [("POSITION", "task", "task")]
    assert pairs(plan(source, source, "afterEvent")) == []


def test_keeps_the_events_that_listen_at_the_scopes_around_an_element() -> None:
    process = nested("scope").boundary("late", on="scope", timer="PT5M")

    assert pairs(plan(process, process, "task")) == [
        ("POSITION", "task", "task"),
        ("SCOPE", "scope", "scope"),
        ("LISTENER", "late", "late"),
    ]


def test_does_not_map_events_that_an_engine_only_looks_up_when_they_are_thrown() -> None:
    process = with_boundary(error="E1")

    assert pairs(plan(process, process, "task")) == [("POSITION", "task", "task")]


def test_keeps_an_event_subprocess_that_listens() -> None:
    process = with_event_sub(message="Stop")

    assert pairs(plan(process, process, "task")) == [
        ("POSITION", "task", "task"),
        ("LISTENER", "heard", "heard"),
    ]


def test_an_interrupting_event_no_longer_listens_in_its_own_subprocess() -> None:
    process = with_event_sub(message="Stop")

    assert pairs(plan(process, process, "react")) == [
        ("POSITION", "react", "react"),
        ("SCOPE", "watch", "watch"),
    ]


def test_an_event_that_does_not_interrupt_goes_on_listening() -> None:
    process = with_event_sub(message="Stop", interrupting=False)

    assert pairs(plan(process, process, "react")) == [
        ("POSITION", "react", "react"),
        ("SCOPE", "watch", "watch"),
        ("LISTENER", "heard", "heard"),
    ]


def test_keeps_the_events_behind_an_event_based_gateway() -> None:
    process = waiting_for(gateway="choice", message="Paid")

    assert pairs(plan(process, process, "choice")) == [
        ("POSITION", "choice", "choice"),
        ("LISTENER", "event", "event"),
    ]


def test_takes_the_condition_of_an_event_from_the_target_version() -> None:
    """Camunda 7 refuses a plan that does not."""
    process = with_boundary(condition="${late}")

    assert [(item.source, item.updates_trigger) for item in plan(process, process, "task")] == [
        ("task", False),
        ("event", True),
    ]


def test_keeps_compensation_that_may_be_pending() -> None:
    assert pairs(plan(compensated(), compensated(), "pay")) == [
        ("POSITION", "pay", "pay"),
        ("LISTENER", "undo", "undo"),
    ]


def test_keeps_the_scope_in_which_compensation_may_be_pending() -> None:
    def fill(scope: ScopeBuilder) -> None:
        around("book")(scope)
        scope.boundary("undo", on="book", compensation=True).handler("refund", of="undo")

    process = a_process().start().sub("scope", fill).user_task("pay")

    assert pairs(plan(process, process, "pay")) == [
        ("POSITION", "pay", "pay"),
        ("SCOPE", "scope", "scope"),
        ("LISTENER", "undo", "undo"),
    ]


def test_has_no_instruction_for_an_element_without_a_pair() -> None:
    assert plan(chain("a", "b"), chain("b"), "a", "ghost") == ()


def test_has_no_instruction_for_an_unknown_position() -> None:
    assert plan(chain("a"), chain("a")) == ()


def test_without_a_model_each_element_stays_as_it_is() -> None:
    assert pairs(identity_instructions(at("b", "a", "a#multiInstanceBody"))) == [
        ("POSITION", "a", "a"),
        ("POSITION", "b", "b"),
    ]


def test_an_undo_maps_the_same_elements_backwards() -> None:
    moved = plan(with_boundary("a", timer="PT5M"), with_boundary("z", timer="PT1M"), "a", a="z")

    assert pairs(undo_instructions(moved)) == [("POSITION", "z", "a"), ("LISTENER", "event", "event")]
    assert undo_instructions(undo_instructions(moved)) == moved


def test_an_undo_keeps_the_first_of_two_events_that_became_one() -> None:
    source = with_boundary("a", "first", timer="PT5M").boundary("second", on="a", timer="PT9M")
    moved = plan(source, with_boundary("a", "first", timer="PT5M"), "a", second="first")

    assert pairs(moved)[1:] == [("LISTENER", "first", "first"), ("LISTENER", "second", "first")]
    assert pairs(undo_instructions(moved))[1:] == [("LISTENER", "first", "first")]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(recipes, recipes, st.integers(0, 1_000))
def test_maps_what_an_instance_has_and_nothing_else(before: Recipe, more: Recipe, seed: int) -> None:
    """An instance is played at random, so its steps tell for which events it listens."""
    comparison = compare(written(before).model(), written((*before, *more)).model())
    model = comparison.source
    compensation = {event.id for event in compensation_events(model)}
    game = TokenGame(model, Random(seed))
    for _ in range(12):
        migrated = migrate_position(comparison, game.position)
        if game.position and migrated.position is not None:
            moves = move_instructions(comparison, at(*game.position))
            waiting = [model.elements[element] for element in game.position]
            behind = {
                model.flows[flow].target
                for element in waiting
                if element.kind is ElementKind.EVENT_BASED_GATEWAY
                for flow in element.outgoing
            }
            assert sources(moves, ElementRole.POSITION) == game.position
            assert {move.target for move in moves if move.role is ElementRole.POSITION} == migrated.position
            assert sources(moves, ElementRole.SCOPE) >= {
                scope.id for element in waiting for scope in model.scopes_around(element)
            }
            listeners = sources(moves, ElementRole.LISTENER)
            listening = (game.listening | game.pending | behind) - game.position
            assert listeners >= listening & comparison.mapping.keys()
            around = {None, *sources(moves, ElementRole.POSITION), *sources(moves, ElementRole.SCOPE)}
            for event in listeners - compensation - behind:
                assert event_scope(model.elements[event], model) in around
        if not game.play():
            break


def sources(moves: MoveInstructions, role: ElementRole) -> set[str]:
    return {move.source for move in moves if move.role is role}
