"""Which pairs does the mapping between two versions consist of? (rules.md#the-mapping)

Walk both models scope by scope, pair elements of the same id, drop what breaks a rule, descend into what is
left; then check everything together until nothing more is dropped. Follows Camunda 7's
DefaultMigrationInstructionGenerator, except that an instruction replaces the pair of its source.
"""

from collections.abc import Iterable, Iterator, Set

from uplift.domain.bpmn.model import Element, ProcessModel
from uplift.domain.compatibility.finding import Finding
from uplift.domain.compatibility.pairs import Pair, Pairs
from uplift.domain.compatibility.rules import broken_rules
from uplift.domain.compatibility.wait_states import (
    compensation_handler,
    event_subprocess_starts,
    is_armed,
    is_compensation_handler,
    is_listener,
    is_wait_state,
)


class MappingBuilder:
    """A mapping being made from the instructions in `pairs`.

    `instructed` are the source elements that instructions speak of: for these nothing is generated.
    `refused` collects the dropped pairs, each with the rules it broke.
    """

    __slots__ = ("instructed", "pairs", "refused")

    def __init__(self, pairs: Pairs, instructed: Set[str]) -> None:
        self.pairs = pairs
        self.instructed = instructed
        self.refused: dict[Pair, tuple[Finding, ...]] = {}

    def generate(self) -> None:
        """Add the pairs of equal ids, also inside the scopes that instructions pair."""
        instructions = sorted(self.pairs, key=self._depth)
        self._walk(None)
        for instruction in instructions:
            if not broken_rules(instruction, self.pairs):
                self._walk(instruction)

    def settle(self) -> None:
        """Check all pairs together and drop those that break a rule, until none does."""
        while self._drop_broken(self.pairs):
            pass

    def carry_along(self) -> None:
        """Add the pairs that need no place in the mapping, because they move with another pair.

        Events that nothing is kept for move with what they are tied to, compensation handlers with their
        event.
        """
        waiting: list[Pair | None] = [None, *self.pairs]
        while waiting:
            carried = self._add_valid(_carried_with(waiting.pop(), self.pairs), carried=True)
            waiting.extend(carried)
            for pair in carried:
                waiting.extend(self._walk(pair, carried=True))

    def _walk(self, start: Pair | None, *, carried: bool = False) -> list[Pair]:
        """Pair what is inside a pair of scopes (None: both processes), and inside what survives."""
        found: list[Pair] = []
        waiting = [start]
        while waiting:
            survivors = self._add_valid(_same_ids(waiting.pop(), self.pairs), carried=carried)
            found.extend(survivors)
            waiting.extend(survivors)
        return found

    def _add_valid(self, couples: Iterable[tuple[Element, Element]], *, carried: bool) -> list[Pair]:
        """Add pairs of the couples, judge them together, and take back those that break a rule."""
        candidates = [
            Pair(source=source, target=target, carried=carried)
            for source, target in couples
            if source.id not in self.instructed and not self.pairs.of(source.id)
        ]
        for pair in candidates:
            self.pairs.add(pair)
        dropped = self._drop_broken(candidates)
        return [pair for pair in candidates if pair not in dropped]

    def _drop_broken(self, candidates: Iterable[Pair]) -> dict[Pair, tuple[Finding, ...]]:
        judged = [(pair, broken_rules(pair, self.pairs)) for pair in candidates]
        broken = {pair: findings for pair, findings in judged if findings}
        for pair in broken:
            self.pairs.drop(pair)
        self.refused |= broken
        return broken

    def _depth(self, pair: Pair) -> int:
        return len(tuple(self.pairs.source_model.scopes_around(pair.source)))


def _same_ids(around: Pair | None, pairs: Pairs) -> Iterator[tuple[Element, Element]]:
    """What a mapping lists inside a pair: elements in both scopes, events that listen with both."""
    sources = _listed(_source(around), pairs.source_model)
    targets = _listed(_target(around), pairs.target_model)
    return ((element, targets[id_]) for id_, element in sources.items() if id_ in targets)


def _listed(around: Element | None, model: ProcessModel) -> dict[str, Element]:
    """By id, what Camunda 7's three MigrationActivityValidators let into a mapping."""
    inside = (*model.contents(around.id if around else None), *_listeners(around, model))
    return {element.id: element for element in inside if _is_listed(element, model)}


def _is_listed(element: Element, model: ProcessModel) -> bool:
    if is_listener(element, model) and not is_armed(element):
        return False
    return is_wait_state(element, model) and not is_compensation_handler(element, model)


def _carried_with(pair: Pair | None, pairs: Pairs) -> Iterator[tuple[Element, Element]]:
    """What moves with a pair (None: both processes) without being listed."""
    sources = _unarmed(_source(pair), pairs.source_model)
    targets = _unarmed(_target(pair), pairs.target_model)
    yield from ((event, targets[id_]) for id_, event in sources.items() if id_ in targets)
    if pair is not None:
        before = compensation_handler(pair.source, pairs.source_model)
        after = compensation_handler(pair.target, pairs.target_model)
        if before is not None and after is not None:
            yield before, after


def _unarmed(element: Element | None, model: ProcessModel) -> dict[str, Element]:
    return {event.id: event for event in _listeners(element, model) if not is_armed(event)}


def _listeners(element: Element | None, model: ProcessModel) -> Iterator[Element]:
    """The events that listen with an activity or in a scope (None: the process)."""
    if element is not None:
        yield from model.boundary_events(element.id)
    if element is None or element.is_scope:
        yield from event_subprocess_starts(element.id if element else None, model)


def _source(pair: Pair | None) -> Element | None:
    return None if pair is None else pair.source


def _target(pair: Pair | None) -> Element | None:
    return None if pair is None else pair.target
