"""Laws that hold for all processes."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.process_blocks import Block, blocks, written_blocks
from tests.support.process_strategies import Recipe, recipes, written
from tests.support.token_game import TokenGame
from uplift.domain.bpmn import ProcessModel, TriggerKind
from uplift.domain.compatibility import Code, breaking_positions, compare, migrate_position
from uplift.domain.compatibility.wait_states import is_position_element
from uplift.testing.builders import at

law = settings(max_examples=120, deadline=None, derandomize=True)


def places_to_wait(model: ProcessModel) -> list[str]:
    return sorted(element.id for element in model.elements.values() if is_position_element(element, model))


@law
@given(recipes)
def test_a_version_compared_with_itself_maps_every_wait_state_to_itself_with_no_finding(
    recipe: Recipe,
) -> None:
    comparison = compare(written(recipe).model(), written(recipe).model())

    assert comparison.findings == ()
    assert all(source == target for source, target in comparison.mapping.items())
    assert breaking_positions(comparison) == ()
    for place in places_to_wait(comparison.source):
        assert migrate_position(comparison, frozenset({place})).position == at(place)
    assert (comparison.added, comparison.removed, comparison.changed) == ((), (), ())


@law
@given(recipes, recipes)
def test_an_addition_after_the_position_never_breaks_it(recipe: Recipe, addition: Recipe) -> None:
    comparison = compare(written(recipe).model(), written((*recipe, *addition)).model())

    assert comparison.errors == ()
    for place in places_to_wait(comparison.source):
        assert migrate_position(comparison, frozenset({place})).position == at(place)


@law
@given(recipes, recipes)
def test_generating_again_from_what_was_generated_changes_nothing(before: Recipe, after: Recipe) -> None:
    source, target = written(before).model(), written(after).model()
    once = compare(source, target)

    as_instructions = compare(source, target, instructions=once.mapping, generate=False)
    generated_over = compare(source, target, instructions=once.mapping)

    assert as_instructions.mapping == once.mapping
    assert as_instructions.errors == ()
    assert (generated_over.mapping, generated_over.findings) == (once.mapping, once.findings)


@law
@given(recipes, recipes, st.integers(0, 1000))
def test_findings_do_not_depend_on_the_order_of_elements_in_the_file(
    before: Recipe, after: Recipe, seed: int
) -> None:
    as_written = compare(written(before).model(), written(after).model())
    order = Random(seed)
    shuffled = compare(written(before).model(order=order), written(after).model(order=order))

    assert (shuffled.mapping, shuffled.findings) == (as_written.mapping, as_written.findings)
    assert breaking_positions(shuffled) == breaking_positions(as_written)
    assert shuffled.changed == as_written.changed
    for place in places_to_wait(shuffled.source):
        assert migrate_position(shuffled, at(place)) == migrate_position(as_written, at(place))


@law
@given(recipes, recipes)
def test_a_position_breaks_exactly_if_an_error_is_found(before: Recipe, after: Recipe) -> None:
    comparison = compare(written(before).model(), written(after).model())

    assert bool(comparison.errors) is bool(breaking_positions(comparison))
    for place in places_to_wait(comparison.source):
        migrated_position = migrate_position(comparison, frozenset({place}))
        assert (migrated_position.position is None) is (place in breaking_positions(comparison))
        assert (migrated_position.position is None) is bool(migrated_position.errors)
        assert set(migrated_position.errors) <= set(comparison.errors)
        assert set(migrated_position.warnings) <= set(comparison.warnings)


@law
@given(recipes, recipes)
def test_a_mapping_is_made_of_valid_pairs_that_keep_their_kind_and_scope(
    before: Recipe, after: Recipe
) -> None:
    comparison = compare(written(before).model(), written(after).model())

    for source_id, target_id in comparison.mapping.items():
        source, target = comparison.source.elements[source_id], comparison.target.elements[target_id]
        assert source_id == target_id
        assert source.trigger_kind is target.trigger_kind
        scopes = {around.id for around in comparison.target.scopes_around(target)}
        for around in comparison.source.scopes_around(source):
            assert comparison.mapping.get(around.id, around.id) in scopes


@law
@given(blocks, blocks, st.integers(0, 1000))
def test_an_instance_that_goes_keeps_every_subscription_or_a_warning_names_it(
    before: Block, after: Block, seed: int
) -> None:
    """What is pending of compensation is kept without exception, and stays compensation."""
    comparison = compare(written_blocks(before), written_blocks(after))
    game = TokenGame(comparison.source, Random(seed))

    for _ in range(25):
        migrated = migrate_position(comparison, game.position)
        if migrated.position is not None:
            kept = comparison.position_map
            removed = {
                finding.source for finding in migrated.warnings if finding.code is Code.LISTENER_REMOVED
            }
            assert game.listening <= kept.keys() | removed
            assert game.pending <= kept.keys() or not game.position
            for event in game.pending & kept.keys():
                assert comparison.target.elements[kept[event]].trigger_kind is TriggerKind.COMPENSATION
        if not game.play():
            break
