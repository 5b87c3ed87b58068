"""Finds where compensation may be pending: which compensated activities an instance may have completed.

An engine keeps a compensation event once its activity is completed. When the scope around the activity is
completed, the scope around that one keeps it, and so on. An interrupted scope loses what it keeps. A position
does not say which activities the instance has completed, so the analysis finds what may be pending, along all
paths to the position:

- along sequence flows, links and boundary events, also through completed subprocesses;
- from one instance of a multi-instance activity to the others, and between the elements of an ad-hoc
  subprocess;
- into event subprocesses, which may start at any time, and out of those that do not interrupt;
- between the branches of a fork, where one of them may have ended while the instance waits at another.

Source: the compensation of Camunda 7 (CompensationUtil).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from uplift.domain.bpmn.model import Element, ElementKind, ProcessModel, TriggerKind
from uplift.domain.compatibility.links import link_targets
from uplift.domain.compatibility.reachability import first_origins, immediate_postdominators
from uplift.domain.compatibility.wait_states import (
    JOINING_GATEWAYS,
    compensation_handler,
    event_scope,
    is_compensation_handler,
    is_listener,
    is_position_element,
)

MAX_PENDING = 20
"""The most compensation events that are found for one element."""


class _Stage(IntEnum):
    """What an instance has done at an element or in a scope, or has done beside it."""

    REACHED = 0
    LEFT = 1
    ENTERED = 2  # it has started the contents of the scope
    PASSED_INSIDE = 3  # it has left some element of the scope
    ENDED = 4  # a token that came through the element has ended
    ENDED_BEFORE = 5  # a token has ended in this branch of a fork, or in one before it
    ENDED_AFTER = 6  # … or in one after it
    WAITS = 7  # it waits at the element, with what other tokens have completed
    PASSED_ANYWHERE = 8  # it has left some element of the process


_Point = tuple[str | None, _Stage, bool]
"""An element, scope (None for the process) or sequence flow, by its id; a stage; and whether the token meets
there what another token has completed that ended beside it.

What another token has completed follows a token on its way, but not back to the branch of the other token.
"""

_Place = tuple[str | None, _Stage]

_CHOICES = frozenset({ElementKind.EXCLUSIVE_GATEWAY, ElementKind.EVENT_BASED_GATEWAY})


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCompensation:
    """The compensation events that may be pending.

    `by_element` holds at most MAX_PENDING of them by the id of the element at which an instance waits.
    `anywhere` holds all that may be pending at some position.
    """

    by_element: Mapping[str, tuple[str, ...]]
    anywhere: Set[str]


def compensation_events(model: ProcessModel) -> list[Element]:
    """The compensation boundary events and the start events of event subprocesses that may be pending.

    An engine keeps no compensation event without a handler. A compensation event subprocess of the process
    itself never runs, because the process has ended when it is completed.
    """
    events = (element for element in model.elements.values() if is_listener(element, model))
    return [
        event
        for event in events
        if compensation_handler(event, model) is not None and event_scope(event, model) is not None
    ]


def find_pending_compensation(model: ProcessModel, events: Sequence[str]) -> PendingCompensation:
    """Find which of these compensation events may be pending, and where; the first ones are preferred."""
    if not events:
        return PendingCompensation(by_element={}, anywhere=frozenset())
    graph = _CompensationGraph(model)
    completions = [tuple(graph.completions(model.elements[event_id])) for event_id in events]
    return PendingCompensation(
        by_element=_pending_by_element(graph, model, events, completions),
        anywhere=_pending_anywhere(graph, model, events, completions),
    )


def _pending_by_element(
    graph: "_CompensationGraph",
    model: ProcessModel,
    events: Sequence[str],
    completions: Iterable[tuple[_Point, ...]],
) -> Mapping[str, tuple[str, ...]]:
    origins: defaultdict[_Point, list[int]] = defaultdict(list)
    for index, points in enumerate(completions):
        for point in points:
            origins[point].append(index)
    found = first_origins(graph.points(), graph.successors, origins, limit=MAX_PENDING)
    pending = (
        (element_id, found.get((element_id, _Stage.WAITS, False), ())) for element_id in model.elements
    )
    return {
        element_id: tuple(events[index] for index in indexes) for element_id, indexes in pending if indexes
    }


def _pending_anywhere(
    graph: "_CompensationGraph",
    model: ProcessModel,
    events: Sequence[str],
    completions: Iterable[tuple[_Point, ...]],
) -> Set[str]:
    positions: dict[_Point, list[int]] = {
        (element.id, _Stage.WAITS, False): [0]
        for element in model.elements.values()
        if is_position_element(element, model)
    }
    before_a_position = first_origins(graph.points(), graph.predecessors(), positions, limit=1)
    return {
        event_id
        for event_id, points in zip(events, completions, strict=True)
        if any(before_a_position.get(point) for point in points)
    }


class _CompensationGraph:
    """The stages of all elements of a model, and to which others each leads."""

    def __init__(self, model: ProcessModel) -> None:
        self.successors: defaultdict[_Point, list[_Point]] = defaultdict(list)
        self._model = model
        self._links = link_targets(model)
        open_forks = self._open_forks()
        for element in model.elements.values():
            self._add_element(element)
            if element.id in open_forks:
                self._join_branches([(flow_id, model.flows[flow_id].target) for flow_id in element.outgoing])
        for scope_id in (None, *(element.id for element in model.elements.values() if element.is_scope)):
            self._add_scope(scope_id)

    def points(self) -> list[_Point]:
        """All points, also those that lead nowhere."""
        points = dict.fromkeys(self.successors)
        points.update(dict.fromkeys(target for targets in self.successors.values() for target in targets))
        return list(points)

    def predecessors(self) -> Mapping[_Point, list[_Point]]:
        """The points that lead to each point."""
        predecessors: defaultdict[_Point, list[_Point]] = defaultdict(list)
        for point, successors in self.successors.items():
            for successor in successors:
                predecessors[successor].append(point)
        return predecessors

    def completions(self, event: Element) -> Iterator[_Point]:
        """The points at which a compensation event begins to be pending."""
        activity = self._model.elements[str(event_scope(event, self._model))]
        yield activity.id, _Stage.LEFT, False
        # What a handler has completed stays pending where the compensation was thrown, which may be anywhere.
        around = (activity, *self._model.scopes_around(activity))
        if any(is_compensation_handler(element, self._model) for element in around):
            yield None, _Stage.ENTERED, False

    def _add(self, source: _Place, target: _Place) -> None:
        """The token that is at the source may get to the target."""
        self.successors[*source, False].append((*target, False))
        self.successors[*source, True].append((*target, True))

    def _add_ended(self, source: _Place, target: _Place) -> None:
        """A token that has ended at the source has also ended at the target."""
        self.successors[*source, False].append((*target, False))

    def _add_beside(self, source: _Place, target: _Place) -> None:
        """A token may be at the target while another one is at the source."""
        self.successors[*source, False].append((*target, True))

    def _add_element(self, element: Element) -> None:
        reached, done, ended = ((element.id, stage) for stage in (_Stage.REACHED, _Stage.LEFT, _Stage.ENDED))
        self._add(reached, done)
        for beside in (False, True):
            self.successors[*reached, beside].append((element.id, _Stage.WAITS, False))
        if element.multi_instance is not None:
            self._add(done, reached)
        # A handler runs where the compensation was thrown, which may be anywhere.
        self._add(done, (None, _Stage.PASSED_ANYWHERE))
        if is_compensation_handler(element, self._model):
            self._add((None, _Stage.PASSED_ANYWHERE), reached)
        elif element.kind is ElementKind.EVENT_SUB_PROCESS and _interrupts(element, self._model):
            self._add(done, (element.scope, _Stage.LEFT))
        else:
            self._add(done, (element.scope, _Stage.PASSED_INSIDE))
        targets = self._targets(element)
        for target in targets:
            self._add(done, (target, _Stage.REACHED))
            self._add_ended((target, _Stage.ENDED), ended)
        if not targets:
            self._add_ended(done, ended)
        if element.host is not None and element.trigger_kind is not TriggerKind.COMPENSATION:
            self._add_boundary_event(element, element.host)
        if element.is_scope:
            self._add(reached, (element.id, _Stage.ENTERED))
            self._add((element.id, _Stage.PASSED_INSIDE), done)

    def _add_boundary_event(self, event: Element, host: str) -> None:
        """A boundary event follows its host, or runs beside it, whichever ends first."""
        self._add((host, _Stage.REACHED), (event.id, _Stage.REACHED))
        self._add_ended((event.id, _Stage.ENDED), (host, _Stage.ENDED))
        if not event.interrupting:
            self._add_beside((host, _Stage.ENDED), (event.id, _Stage.REACHED))
            self._add_beside((event.id, _Stage.ENDED), (host, _Stage.REACHED))

    def _add_scope(self, scope_id: str | None) -> None:
        entered, passed_inside = (scope_id, _Stage.ENTERED), (scope_id, _Stage.PASSED_INSIDE)
        if scope_id is not None and self._model.elements[scope_id].kind is ElementKind.AD_HOC_SUB_PROCESS:
            self._add(passed_inside, entered)
        for element in self._model.contents(scope_id):
            is_handler = is_compensation_handler(element, self._model)
            if element.kind is ElementKind.EVENT_SUB_PROCESS and not is_handler:
                for beside in (False, True):
                    self.successors[*passed_inside, beside].append((element.id, _Stage.REACHED, True))
                if not _interrupts(element, self._model):
                    self._add_beside((element.id, _Stage.LEFT), entered)
        starts = [element for element in self._model.contents(scope_id) if _is_start(element)]
        for start in starts:
            self._add(entered, (start.id, _Stage.REACHED))
        # Of several start events one begins the instance, but other elements all start with their scope.
        if any(start.kind is not ElementKind.START_EVENT for start in starts):
            self._join_branches([(start.id, start.id) for start in starts])

    def _join_branches(self, branches: Sequence[tuple[str, str]]) -> None:
        """Lead from the end of each branch of a fork to the other branches.

        A branch is a pair of a unique id and the id of its first element.
        """
        for branch_id, first in branches:
            for stage in (_Stage.ENDED_BEFORE, _Stage.ENDED_AFTER):
                self._add_ended((first, _Stage.ENDED), (branch_id, stage))
        for ordered, stage in (
            (branches, _Stage.ENDED_BEFORE),
            (branches[::-1], _Stage.ENDED_AFTER),
        ):
            for (branch_id, _), (next_id, next_first) in pairwise(ordered):
                self._add_ended((branch_id, stage), (next_id, stage))
                self._add_beside((branch_id, stage), (next_first, _Stage.REACHED))

    def _targets(self, element: Element) -> list[str]:
        targets = [self._model.flows[flow_id].target for flow_id in element.outgoing]
        return [*targets, self._links[element.id]] if element.id in self._links else targets

    def _open_forks(self) -> set[str]:
        """The elements that start several branches which do not all lead to one joining gateway."""
        model = self._model
        forks = [
            element.id
            for element in model.elements.values()
            if len(element.outgoing) > 1 and element.kind not in _CHOICES
        ]
        if not forks:
            return set()
        successors = {element.id: self._targets(element) for element in model.elements.values()}
        for host, events in model.attached.items():
            successors[host] += [
                event
                for event in events
                if model.elements[event].trigger_kind is not TriggerKind.COMPENSATION
            ]
        # It depends on the order which edge of a loop closes it: loops are entered from the start.
        ordered = sorted(
            successors, key=lambda element_id: (bool(model.elements[element_id].incoming), element_id)
        )
        joins = immediate_postdominators(
            ordered, {element_id: sorted(targets) for element_id, targets in successors.items()}
        )
        return {fork for fork in forks if not _is_join(joins[fork], model)}


def _is_start(element: Element) -> bool:
    """Whether the element starts with the scope around it."""
    if element.incoming or element.is_for_compensation:
        return False
    if element.kind in (ElementKind.BOUNDARY_EVENT, ElementKind.EVENT_SUB_PROCESS):
        return False
    return (
        element.kind is not ElementKind.INTERMEDIATE_CATCH_EVENT
        or element.trigger_kind is not TriggerKind.LINK
    )


def _is_join(element_id: str | None, model: ProcessModel) -> bool:
    return element_id is not None and model.elements[element_id].kind in JOINING_GATEWAYS


def _interrupts(event_subprocess: Element, model: ProcessModel) -> bool:
    return all(
        start.interrupting
        for start in model.contents(event_subprocess.id)
        if start.kind is ElementKind.START_EVENT
    )
