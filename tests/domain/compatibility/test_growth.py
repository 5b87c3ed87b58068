"""Reading and comparing documents takes work in proportion to their size, whatever their shape."""

from collections.abc import Callable

import pytest

from tests.support.large_documents import SHAPES, Versions, document
from tests.support.work import executed_lines
from uplift.domain.bpmn import read_model
from uplift.domain.compatibility import Comparison, breaking_positions, compare, migrate_position

SIZE = 60
MAX_GROWTH = 2.4
"""Twice the size may take this many times the work; a quadratic step would take four times as much."""


def compared(versions: Versions, instructions: dict[str, str] | None = None) -> Comparison:
    old, new = map(read_model, versions)
    comparison = compare(old, new, instructions=instructions or {})
    breaking_positions(comparison)
    migrate_position(comparison, frozenset(old.elements))
    return comparison


def message_characters(comparison: Comparison) -> int:
    return sum(len(finding.message) for finding in comparison.findings)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_twice_the_elements_take_twice_the_work(shape: Callable[[int], Versions]) -> None:
    small, large = shape(SIZE), shape(2 * SIZE)
    compared(small)  # imports, and caches of enums

    assert executed_lines(lambda: compared(large)) < MAX_GROWTH * executed_lines(lambda: compared(small))
    assert message_characters(compared(large)) <= MAX_GROWTH * message_characters(compared(small))


@pytest.mark.parametrize(("source", "target"), [("from", "task"), ("s", "scope")])
def test_twice_the_instructions_to_one_target_take_twice_the_work(source: str, target: str) -> None:
    def mapped(count: int) -> Callable[[], Comparison]:
        versions = scopes(count)
        return lambda: compared(versions, {f"{source}{number}": target for number in range(count)})

    assert executed_lines(mapped(2 * SIZE)) < MAX_GROWTH * executed_lines(mapped(SIZE))
    assert message_characters(mapped(2 * SIZE)()) <= MAX_GROWTH * message_characters(mapped(SIZE)())


def scopes(count: int) -> Versions:
    """Subprocesses to map, a subprocess with as many tasks inside, and a task with as many new events."""
    numbers = range(count)
    old = "".join(
        f'<subProcess id="s{number}"><task id="t{number}"/></subProcess><task id="from{number}"/>'
        for number in numbers
    )
    tasks = "".join(f'<task id="t{number}"/>' for number in numbers)
    events = "".join(
        f'<boundaryEvent id="b{number}" attachedToRef="task"><timerEventDefinition/></boundaryEvent>'
        for number in numbers
    )
    return document(old), document(f'<subProcess id="scope">{tasks}</subProcess><task id="task"/>', events)
