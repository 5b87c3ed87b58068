"""Explains why source elements have no valid pair."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from uplift.domain.bpmn.model import Element, ProcessModel
from uplift.domain.compatibility.finding import Code, Finding, describe, quoted
from uplift.domain.compatibility.mapping.camunda_ids import without_part
from uplift.domain.compatibility.mapping.mapping_builder import MappingBuilder
from uplift.domain.compatibility.mapping.pair_rules import broken_rules
from uplift.domain.compatibility.mapping.pairs import Pair, Pairs
from uplift.domain.compatibility.wait_states import is_listener, is_position_element

Unmapped = Mapping[str, tuple[Finding, ...]]
"""The reasons why a source element has no valid pair, by its id."""


def find_unmapped(
    builder: MappingBuilder, instruction_findings: Iterable[Finding], *, generated: bool
) -> Unmapped:
    """Find the reasons for every source element without a pair.

    `instruction_findings` concern the instructions that did not resolve to pairs. `generated` is False if
    the instructions are the whole mapping.
    """
    dropped: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in chain(instruction_findings, *builder.dropped.values()):
        dropped[without_part(str(finding.source))].append(finding)
    return {
        element.id: tuple(dropped.get(element.id) or _reasons(element, builder, generated=generated))
        for element in builder.pairs.source_model.elements.values()
        if builder.pairs.by_source(element.id) is None
    }


def relevant_findings(unmapped: Unmapped, pairs: Pairs) -> Iterator[Finding]:
    """The reasons for elements at which an instance can wait or that listen, and for the scopes around them.

    A removed listener is a warning instead (see `warnings.removed_listeners`). A removed scope has no finding
    of its own, because each element inside it has one.
    """
    model = pairs.source_model
    for element in (model.elements[element_id] for element_id in unmapped):
        if is_position_element(element, model):
            yield from unmapped[element.id]
            yield from scope_findings(element, unmapped, model, pairs.target_model)
        elif is_listener(element, model) and not is_removed(element, pairs.target_model):
            yield from unmapped[element.id]


def scope_findings(
    element: Element, unmapped: Unmapped, source: ProcessModel, target: ProcessModel
) -> Iterator[Finding]:
    """The reasons for the scopes around an element that still exist but have no pair."""
    for scope in source.scopes_around(element):
        if not is_removed(scope, target):
            yield from unmapped.get(scope.id, ())


def is_removed(element: Element, target: ProcessModel) -> bool:
    """Whether the target version has no element of this id."""
    return element.id not in target.elements


def unknown_element(element_id: str) -> Finding:
    """The error for an instance that waits at an element that its own version does not have."""
    return Finding(
        code=Code.ELEMENT_MISSING,
        source=element_id,
        message="Expected the instance to wait at an element of its own version, "
        f"but that version has no element {quoted(element_id)}.",
    )


def _reasons(element: Element, builder: MappingBuilder, *, generated: bool) -> tuple[Finding, ...]:
    if not generated:
        return (_missing(element, "to be mapped, but no instruction says to which element"),)
    namesake = builder.pairs.target_model.elements.get(element.id)
    if namesake is None:
        return (_missing(element, "to exist in the target version, but it has no element of this id"),)
    # The pair was never a candidate, so the rules it would break were not recorded.
    broken = broken_rules(Pair(source=element, target=namesake), builder.pairs)
    return broken or (_moved(element, namesake),)


def _missing(element: Element, expectation: str) -> Finding:
    return Finding(
        code=Code.ELEMENT_MISSING,
        source=element.id,
        name=element.name,
        message=f"Expected {describe(element)} {expectation}.",
    )


def _moved(element: Element, namesake: Element) -> Finding:
    if element.scope is not None and element.scope == namesake.scope:
        obstacle = f"{quoted(element.scope)} has no valid pair, so nothing inside it is paired"
    else:
        obstacle = (
            f"in the target version it is {_inside(namesake.scope)}; "
            f"a mapping instruction for {quoted(element.id)} allows this move"
        )
    return Finding(
        code=Code.SCOPE_CHANGED,
        source=element.id,
        target=namesake.id,
        name=element.name,
        message=f"Expected {describe(element)} to stay {_inside(element.scope)}, but {obstacle}.",
    )


def _inside(scope: str | None) -> str:
    return "directly in the process" if scope is None else f"inside {quoted(scope)}"
