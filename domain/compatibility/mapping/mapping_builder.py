"""Generates the mapping between two versions of a process (rules.md#the-mapping).

The builder walks both models scope by scope. In each pair of scopes it pairs the elements that have the same
id, drops the pairs that break a rule, and descends into the remaining pairs. Afterwards it validates all
pairs together until it drops no more.

Source: Camunda 7, DefaultMigrationInstructionGenerator. There the last validation runs once, and an
instruction does not override a generated one: a source with both is mapped twice.
"""

from collections.abc import Iterable, Iterator, Set

from uplift.domain.bpmn.model import Element, ProcessModel, TriggerKind
from uplift.domain.compatibility.finding import Finding
from uplift.domain.compatibility.mapping.pair_rules import broken_rules
from uplift.domain.compatibility.mapping.pairs import Pair, Pairs
from uplift.domain.compatibility.wait_states import (
    compensation_handler,
    event_scope,
    event_subprocess_starts,
    has_subscription,
    is_compensation_handler,
    is_listener,
    is_wait_state,
)


class MappingBuilder:
    """Builds a mapping on top of the instructions in `pairs`.

    `instructed_sources` are the source ids of all instructions, also of invalid ones: the builder generates
    no pairs for them. `dropped` holds each dropped pair with the findings of the rules that it broke.
    """

    __slots__ = ("dropped", "instructed_sources", "pairs")

    def __init__(self, pairs: Pairs, instructed_sources: Set[str]) -> None:
        self.pairs = pairs
        self.instructed_sources = instructed_sources
        self.dropped: dict[Pair, tuple[Finding, ...]] = {}

    def generate(self) -> None:
        """Add the pairs of elements with the same id, also inside scopes that instructions pair."""
        # Outer scopes first: whether an inner pair keeps its scope depends on the pairs around it.
        instructions = sorted(self.pairs, key=self._depth)
        self._pair_contents(None)
        for instruction in instructions:
            if not broken_rules(instruction, self.pairs):
                self._pair_contents(instruction)

    def drop_invalid_pairs(self) -> None:
        """Drop the pairs that break a rule, until none does: a dropped pair may invalidate others."""
        while self._drop_broken(self.pairs):
            pass

    def add_implicit_pairs(self) -> None:
        """Add the pairs that follow another pair and that the mapping does not list.

        Events without a subscription follow the activity or scope they are attached to. Compensation handlers
        follow their event.
        """
        queue: list[Pair | None] = [None, *(pair for pair in self.pairs if self._leads_on(pair))]
        while queue:
            # Followers may have followers: the handler of a compensation event may be a scope, with contents
            # and with events of its own.
            added = self._add_valid(_implicit_couples(queue.pop(), self.pairs), implicit=True)
            queue.extend(pair for pair in added if self._leads_on(pair))
            for pair in added:
                inside = self._pair_contents(pair, implicit=True)
                queue.extend(other for other in inside if self._leads_on(other))

    def _pair_contents(self, start: Pair | None, *, implicit: bool = False) -> list[Pair]:
        """Pair the contents of a pair of scopes (None for both processes), and those of the valid pairs."""
        added: list[Pair] = []
        queue = [start]
        while queue:
            # Only valid pairs are entered: inside an invalid pair of scopes no element could keep its scope.
            valid = self._add_valid(_couples_of_same_id(queue.pop(), self.pairs), implicit=implicit)
            added.extend(valid)
            queue.extend(pair for pair in valid if self._leads_on(pair))
        return added

    def _add_valid(self, couples: Iterable[tuple[Element, Element]], *, implicit: bool) -> list[Pair]:
        """Add a pair for each couple, then drop those that break a rule. Returns the valid ones."""
        # Rules look at the other pairs, so all candidates are added before the first is validated.
        candidates = [
            Pair(source=source, target=target, is_implicit=implicit)
            for source, target in couples
            if source.id not in self.instructed_sources and not self.pairs.by_source(source.id)
        ]
        for pair in candidates:
            self.pairs.add(pair)
        dropped = self._drop_broken(candidates)
        return [pair for pair in candidates if pair not in dropped]

    def _drop_broken(self, candidates: Iterable[Pair]) -> dict[Pair, tuple[Finding, ...]]:
        # All candidates are validated before the first is dropped, so that their order does not matter.
        validated = [(pair, broken_rules(pair, self.pairs)) for pair in candidates]
        broken = {pair: findings for pair, findings in validated if findings}
        for pair in broken:
            self.pairs.drop(pair)
        self.dropped |= broken
        return broken

    def _leads_on(self, pair: Pair) -> bool:
        """Whether other pairs may follow this one: those of contents, of listeners or of a handler."""
        element = pair.source
        return (
            element.is_scope
            or element.id in self.pairs.source_model.attached
            or element.trigger_kind is TriggerKind.COMPENSATION
        )

    def _depth(self, pair: Pair) -> int:
        return len(tuple(self.pairs.source_model.scopes_around(pair.source)))


def _couples_of_same_id(parent: Pair | None, pairs: Pairs) -> Iterator[tuple[Element, Element]]:
    """The elements with the same id that are in both scopes of a pair, or that both listen at it."""
    # Listing the elements of the target, too, would be slow if thousands of scopes are mapped to it.
    source, around, model = _source(parent), _target(parent), pairs.target_model
    source_id = source.id if source else None
    # An event that is inside its own host is found there as a listener.
    contents = (
        element
        for element in pairs.source_model.contents(source_id)
        if element.host is None or element.host != source_id
    )
    # What is in a scope and what listens at it are different things, even if both have the same id.
    for elements, is_alike in (
        (contents, _is_inside),
        (_listeners(source, pairs.source_model), _listens_at),
    ):
        for element in elements:
            namesake = model.elements.get(element.id)
            if (
                namesake is not None
                and is_alike(namesake, around, model)
                and _is_mappable(element, pairs.source_model)
                and _is_mappable(namesake, model)
            ):
                yield element, namesake


def _is_inside(element: Element, parent: Element | None, _: ProcessModel) -> bool:
    """Whether the element is directly in a scope (None for the process)."""
    return element.scope == (parent.id if parent else None)


def _listens_at(element: Element, parent: Element | None, model: ProcessModel) -> bool:
    """Whether the element is attached to an activity, or listens in a scope (None for the process)."""
    return is_listener(element, model) and event_scope(element, model) == (parent.id if parent else None)


def _is_mappable(element: Element, model: ProcessModel) -> bool:
    """Whether a mapping may list the element.

    Source: Camunda 7, SupportedPassiveEventTriggerActivityValidator, SupportedActivityValidator and
    NoCompensationHandlerActivityValidator, in the order of the conditions.
    """
    if is_listener(element, model) and not has_subscription(element):
        return False
    return is_wait_state(element, model) and not is_compensation_handler(element, model)


def _implicit_couples(pair: Pair | None, pairs: Pairs) -> Iterator[tuple[Element, Element]]:
    """The elements that follow a pair (None for both processes) without being listed."""
    sources = _unsubscribed_events(_source(pair), pairs.source_model)
    targets = _unsubscribed_events(_target(pair), pairs.target_model)
    yield from ((event, targets[event_id]) for event_id, event in sources.items() if event_id in targets)
    if pair is not None:
        source_handler = compensation_handler(pair.source, pairs.source_model)
        target_handler = compensation_handler(pair.target, pairs.target_model)
        if source_handler is not None and target_handler is not None:
            yield source_handler, target_handler


def _unsubscribed_events(element: Element | None, model: ProcessModel) -> dict[str, Element]:
    return {event.id: event for event in _listeners(element, model) if not has_subscription(event)}


def _listeners(element: Element | None, model: ProcessModel) -> Iterator[Element]:
    """The events that are attached to an activity or listen in a scope (None for the process)."""
    if element is not None:
        yield from model.boundary_events(element.id)
    if element is None or element.is_scope:
        yield from event_subprocess_starts(element.id if element else None, model)


def _source(pair: Pair | None) -> Element | None:
    return None if pair is None else pair.source


def _target(pair: Pair | None) -> Element | None:
    return None if pair is None else pair.target
