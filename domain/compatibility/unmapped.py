"""Why has an element no counterpart that an instance could go to, and who needs to know?"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from uplift.domain.bpmn.model import Element, ProcessModel
from uplift.domain.compatibility.finding import Code, Finding, describe
from uplift.domain.compatibility.instructions import BODY
from uplift.domain.compatibility.mapping_builder import MappingBuilder
from uplift.domain.compatibility.pairs import Pair, Pairs
from uplift.domain.compatibility.rules import broken_rules
from uplift.domain.compatibility.wait_states import holds_instances, is_listener

Unmapped = Mapping[str, tuple[Finding, ...]]
"""By source element: the reasons why it has no valid pair."""


def find_unmapped(builder: MappingBuilder, unread: Iterable[Finding], *, generated: bool) -> Unmapped:
    """The reasons for every source element without a pair.

    `unread` are the findings on instructions that ask for no pair; `generated` tells whether a mapping was
    generated or is only what the instructions say.
    """
    refused: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in (*unread, *(finding for findings in builder.refused.values() for finding in findings)):
        refused[str(finding.source).removesuffix(BODY)].append(finding)
    return {
        element.id: tuple(refused.get(element.id) or _reasons(element, builder, generated=generated))
        for element in builder.pairs.source_model.elements.values()
        if builder.pairs.of(element.id) is None
    }


def relevant_unmapped(unmapped: Unmapped, pairs: Pairs) -> Iterator[Finding]:
    """The reasons for elements at which an instance can wait or that listen, and for the scopes around these.

    A listener that is gone for good is no loss but a warning; a scope that is gone says nothing that its
    elements do not say.
    """
    model = pairs.source_model
    for element in (model.elements[lost] for lost in unmapped):
        if holds_instances(element, model):
            yield from unmapped[element.id]
            yield from unmapped_around(element, unmapped, model, pairs.target_model)
        elif is_listener(element, model) and not is_gone(element, pairs.target_model):
            yield from unmapped[element.id]


def unmapped_around(
    element: Element, unmapped: Unmapped, source: ProcessModel, target: ProcessModel
) -> Iterator[Finding]:
    """The reasons for the scopes around an element that are still there, but have no pair."""
    for scope in source.scopes_around(element):
        if not is_gone(scope, target):
            yield from unmapped.get(scope.id, ())


def is_gone(element: Element, target: ProcessModel) -> bool:
    """Whether the target version has no element of this id."""
    return element.id not in target.elements


def unknown_element(element: str) -> Finding:
    """The reason for an instance that waits at an element its own version does not have."""
    return Finding(
        code=Code.ELEMENT_MISSING,
        source=element,
        message="Expected the instance to wait at an element of its own version, "
        f"but that version has no element '{element}'.",
    )


def _reasons(element: Element, builder: MappingBuilder, *, generated: bool) -> tuple[Finding, ...]:
    if not generated:
        return (_lost(element, "to be mapped, but no instruction says to which element"),)
    twin = builder.pairs.target_model.elements.get(element.id)
    if twin is None:
        return (_lost(element, "to exist in the target version, but it has no element of this id"),)
    broken = broken_rules(Pair(source=element, target=twin), builder.pairs)
    return broken or (_moved(element, twin),)


def _lost(element: Element, expectation: str) -> Finding:
    return Finding(
        code=Code.ELEMENT_MISSING,
        source=element.id,
        name=element.name,
        message=f"Expected {describe(element)} {expectation}.",
    )


def _moved(element: Element, twin: Element) -> Finding:
    if element.scope == twin.scope:
        stands_in_the_way = f"but {_inside(element.scope)} nothing was paired, because that has no valid pair"
    else:
        stands_in_the_way = (
            f"but in the target version it is {_inside(twin.scope)}; "
            f"a mapping instruction for '{element.id}' allows this move"
        )
    return Finding(
        code=Code.SCOPE_CHANGED,
        source=element.id,
        target=twin.id,
        name=element.name,
        message=f"Expected {describe(element)} to stay {_inside(element.scope)}, {stands_in_the_way}.",
    )


def _inside(scope: str | None) -> str:
    return "directly in the process" if scope is None else f"inside '{scope}'"
