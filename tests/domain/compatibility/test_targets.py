"""What an element may be mapped to is what a comparison with that instruction accepts."""

from hypothesis import given, settings

from tests.support.bpmn_builder import a_process
from tests.support.process_strategies import Recipe, recipes, written
from uplift.domain.compatibility import Code, compare, find_targets
from uplift.domain.compatibility.mapping.targets import MAX_TARGETS


def test_elements_of_the_same_kind_are_listed_the_allowed_ones_first() -> None:
    source = a_process("orders").start().user_task("approve").user_task("pay").end().model()
    target = (
        a_process("orders")
        .start()
        .user_task("sign")
        .user_task("pay", many="parallel")
        .service_task("send")
        .end()
    ).model()
    found = find_targets(source, target, "approve")
    assert found is not None
    assert [(candidate.element.id, [f.code for f in candidate.findings]) for candidate in found] == [
        ("sign", []),
        ("pay", [Code.MULTI_INSTANCE_ADDED]),
    ]


def test_an_element_that_does_not_exist_has_no_targets() -> None:
    model = a_process("orders").start().user_task("approve").end().model()
    assert find_targets(model, model, "nothing") is None


def test_an_instruction_for_the_element_itself_does_not_count_and_others_do() -> None:
    process = a_process("orders").start().catch("first", message="A").catch("second", message="A").end()
    source, target = process.model(), process.model()

    def allowed(*instructions: tuple[str, str]) -> list[str]:
        found = find_targets(source, target, "first", instructions=instructions) or ()
        return [candidate.element.id for candidate in found if not candidate.findings]

    assert allowed() == allowed(("first", "second")) == ["first", "second"]
    # An intermediate event has one source, and an instruction has it before a generated pair.
    assert allowed(("second", "second")) == ["first"]


def test_the_list_is_bounded() -> None:
    source = a_process("orders").start().user_task("approve").end().model()
    wide = a_process("orders").start()
    for number in range(MAX_TARGETS + 5):
        wide = wide.user_task(f"task{number}")
    assert len(find_targets(source, wide.end().model(), "approve") or ()) == MAX_TARGETS


@settings(max_examples=40, deadline=None, derandomize=True)
@given(recipes, recipes)
def test_a_target_is_allowed_if_and_only_if_a_comparison_accepts_the_instruction(
    before: Recipe, after: Recipe
) -> None:
    source, target = written(before).model(), written(after).model()
    for element in list(source.elements)[:6]:
        found = find_targets(source, target, element)
        assert found is not None
        for candidate in found[:6]:
            comparison = compare(source, target, instructions={element: candidate.element.id})
            refused = [finding for finding in comparison.errors if finding.source == element]
            assert bool(candidate.findings) == bool(refused)
