"""Plays the tokens of an instance through a process model, as far as the contract and `FakeEngine` need it.

Tasks, call activities, catch events and event-based gateways wait. A parallel gateway waits for a token on
each incoming flow. Other gateways and events pass the token on, by their first outgoing flow. No event is
triggered.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from uplift.domain.bpmn import Element, ElementKind, ProcessModel
from uplift.domain.compatibility.wait_states import TASKS
from uplift.domain.model.instance import ElementId, Position

_WAITING = TASKS | {
    ElementKind.CALL_ACTIVITY,
    ElementKind.INTERMEDIATE_CATCH_EVENT,
    ElementKind.EVENT_BASED_GATEWAY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Where an instance waits; many instances share one value.

    `arrived` are the joins at which tokens wait, each with the flows on which they came.
    """

    waiting: Position = frozenset()
    arrived: frozenset[tuple[ElementId, str]] = frozenset()

    @property
    def position(self) -> Position:
        """The elements at which the instance waits, joins included; empty if it has ended."""
        return self.waiting | {gateway for gateway, _ in self.arrived} if self.arrived else self.waiting

    def moved(self, mapping: Mapping[ElementId, ElementId]) -> "Tokens":
        """The tokens at the elements to which a mapping leads; elements that it lacks stay."""
        return Tokens(
            waiting=frozenset(mapping.get(element, element) for element in self.waiting),
            arrived=frozenset((mapping.get(gateway, gateway), flow) for gateway, flow in self.arrived),
        )


def first_tokens(model: ProcessModel) -> Tokens:
    """The tokens of an instance that has just started."""
    return _Play(model, Tokens()).start_in(None).tokens


def tokens_after(model: ProcessModel, tokens: Tokens, element_id: ElementId) -> Tokens:
    """The tokens once the element at which the instance waits is done."""
    if element_id not in tokens.waiting:
        raise ValueError(f"Expected a token at '{element_id}', but tokens are at {sorted(tokens.waiting)}.")
    rest = Tokens(waiting=tokens.waiting - {element_id}, arrived=tokens.arrived)
    return _Play(model, rest).leave(model.elements[element_id]).tokens


class _Play:
    def __init__(self, model: ProcessModel, tokens: Tokens) -> None:
        self._model = model
        self._waiting = set(tokens.waiting)
        self._arrived = set(tokens.arrived)

    @property
    def tokens(self) -> Tokens:
        return Tokens(waiting=frozenset(self._waiting), arrived=frozenset(self._arrived))

    def start_in(self, scope: str | None) -> "_Play":
        for element in self._model.contents(scope):
            if element.kind is ElementKind.START_EVENT:
                self.leave(element)
        return self

    def leave(self, element: Element) -> "_Play":
        flows = element.outgoing if element.kind is ElementKind.PARALLEL_GATEWAY else element.outgoing[:1]
        for flow_id in flows:
            self._arrive(self._model.elements[self._model.flows[flow_id].target], flow_id)
        if not flows:
            self._end_scope(element)
        return self

    def _arrive(self, element: Element, flow_id: str) -> None:
        if element.kind in _WAITING:
            self._waiting.add(ElementId(element.id))
        elif element.is_scope:
            self.start_in(element.id)
        elif element.kind is ElementKind.PARALLEL_GATEWAY and not self._joins(element, flow_id):
            return
        else:
            self.leave(element)

    def _joins(self, gateway: Element, flow_id: str) -> bool:
        self._arrived.add((ElementId(gateway.id), flow_id))
        here = {token for token in self._arrived if token[0] == gateway.id}
        if len(here) < len(gateway.incoming):
            return False
        self._arrived -= here
        return True

    def _end_scope(self, element: Element) -> None:
        scope = element.scope
        if scope is None:
            return
        busy = (self._model.elements[element_id] for element_id in self.tokens.position)
        if not any(around.id == scope for inside in busy for around in self._model.scopes_around(inside)):
            self.leave(self._model.elements[scope])
