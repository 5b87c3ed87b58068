"""Plays the token game of a process model, to find which compensation is pending at which position.

It follows BPMN 2.0 and camunda-engine 7.24.0 for what the analysis of pending compensation needs: tasks wait,
gateways other than joins and event-based ones pass, inclusive gateways behave like parallel ones.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random

from uplift.domain.bpmn import Element, ElementKind, ProcessModel, TriggerKind
from uplift.domain.compatibility.links import link_targets
from uplift.domain.compatibility.wait_states import (
    JOINING_GATEWAYS,
    TASKS,
    compensation_handler,
    event_subprocess_starts,
    is_compensation_handler,
)

MAX_TOKENS = 12
INSTANCES = 2
"""How many instances of a multi-instance activity run."""

_WAITING = TASKS | {ElementKind.INTERMEDIATE_CATCH_EVENT, ElementKind.EVENT_BASED_GATEWAY}


class _Step(Enum):
    """What may happen next to an instance."""

    COMPLETE = auto()
    TRIGGER = auto()
    START = auto()


@dataclass(eq=False)
class _Run:
    """A running scope, or the body of a multi-instance activity."""

    scope: str | None
    parent: "_Run | None" = None
    is_body: bool = False
    waiting: list[str] = field(default_factory=list)
    runs: list["_Run"] = field(default_factory=list)
    arrived: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    pending: set[str] = field(default_factory=set)

    def inside(self) -> Iterator["_Run"]:
        yield self
        for run in self.runs:
            yield from run.inside()

    def waits_at(self) -> Iterator[str]:
        yield from self.waiting
        yield from (gateway for gateway, flows in self.arrived.items() if flows.total())


class TokenGame:
    """One instance of a process; `play` makes one random step."""

    def __init__(self, model: ProcessModel, random: Random) -> None:
        self._model = model
        self._random = random
        self._links = link_targets(model)
        self._process = _Run(None)
        self._start(self._process)

    @property
    def position(self) -> frozenset[str]:
        """The elements at which the instance waits."""
        return frozenset(element for run in self._process.inside() for element in run.waits_at())

    @property
    def pending(self) -> frozenset[str]:
        """The compensation events that are pending."""
        return frozenset(event for run in self._process.inside() for event in run.pending)

    @property
    def listening(self) -> frozenset[str]:
        """The boundary events and start events of event subprocesses that the instance listens for."""
        return frozenset(
            element_id
            for run in self._process.inside()
            for _, what, element_id in self._steps_in(run)
            if what is not _Step.COMPLETE
        )

    def play(self) -> bool:
        """Make one step. False if there is none, or too many tokens."""
        steps = [step for run in self._process.inside() for step in self._steps_in(run)]
        if not steps or sum(len(run.waiting) for run in self._process.inside()) > MAX_TOKENS:
            return False
        run, what, element_id = self._random.choice(steps)
        element = self._model.elements[element_id]
        if what is _Step.COMPLETE:
            self._complete_task(run, element)
        elif what is _Step.TRIGGER:
            self._trigger_boundary_event(run, element)
        else:
            self._start_event_subprocess(run, element)
        return True

    def _steps_in(self, run: _Run) -> Iterator[tuple[_Run, _Step, str]]:
        for element_id in run.waiting:
            yield run, _Step.COMPLETE, element_id
        if run.is_body:
            return
        active = {*run.waiting, *(child.scope for child in run.runs)}
        for host in sorted(filter(None, active)):
            for event in self._model.boundary_events(host):
                if event.trigger_kind is not TriggerKind.COMPENSATION:
                    yield run, _Step.TRIGGER, event.id
        for start in event_subprocess_starts(run.scope, self._model):
            if start.trigger_kind is not TriggerKind.COMPENSATION and active - {start.scope}:
                yield run, _Step.START, start.id

    def _start(self, run: _Run) -> None:
        for element in list(self._model.contents(run.scope)):
            is_flow = not (element.incoming or element.host or is_compensation_handler(element, self._model))
            is_link = element.trigger_kind is TriggerKind.LINK
            if is_flow and not is_link and element.kind is not ElementKind.EVENT_SUB_PROCESS:
                self._enter(run, element, None)
        self._finish(run)

    def _enter(self, run: _Run, element: Element, flow: str | None) -> None:
        if element.multi_instance is not None:
            body = _Run(element.id, run, is_body=True)
            run.runs.append(body)
            for _ in range(INSTANCES):
                self._begin(body, element)
            self._finish(body)
        elif element.kind in JOINING_GATEWAYS and len(element.incoming) > 1:
            run.arrived[element.id][str(flow)] += 1
            if all(run.arrived[element.id][incoming] for incoming in element.incoming):
                run.arrived[element.id] -= Counter(element.incoming)
                self._leave(run, element)
        else:
            self._begin(run, element)

    def _begin(self, run: _Run, element: Element) -> None:
        if element.is_scope:
            child = _Run(element.id, run)
            run.runs.append(child)
            self._start(child)
        elif element.kind in _WAITING and element.trigger_kind is not TriggerKind.LINK:
            run.waiting.append(element.id)
        else:
            self._leave(run, element)

    def _leave(self, run: _Run, element: Element) -> None:
        if element.id in self._links:
            self._enter(run, self._model.elements[self._links[element.id]], None)
        flows = list(element.outgoing)
        if flows and element.kind in (ElementKind.EXCLUSIVE_GATEWAY, ElementKind.EVENT_BASED_GATEWAY):
            flows = [self._random.choice(flows)]
        for flow in flows:
            self._enter(run, self._model.elements[self._model.flows[flow].target], flow)

    def _complete_task(self, run: _Run, element: Element) -> None:
        run.waiting.remove(element.id)
        run.pending |= self._compensation_of(element)
        if not run.is_body:
            self._leave(run, element)
        self._finish(run)

    def _trigger_boundary_event(self, run: _Run, event: Element) -> None:
        if event.interrupting and event.host in run.waiting:
            run.waiting.remove(event.host)
        elif event.interrupting:
            run.runs.remove(next(child for child in run.runs if child.scope == event.host))
        self._leave(run, event)
        self._finish(run)

    def _start_event_subprocess(self, run: _Run, start: Element) -> None:
        if start.interrupting:
            run.waiting.clear()
            run.runs.clear()
            run.arrived.clear()
        child = _Run(start.scope, run)
        run.runs.append(child)
        self._leave(child, start)
        self._finish(child)

    def _finish(self, run: _Run) -> None:
        """Complete the run if nothing is left in it, and the runs around it."""
        parent = run.parent
        if parent is None or run.runs or any(run.waits_at()) or run not in parent.runs:
            return
        parent.runs.remove(run)
        parent.pending |= run.pending
        element = self._model.elements[str(run.scope)]
        # A scope in a body is one of its instances; the body itself continues with the flow.
        if not run.is_body:
            parent.pending |= self._compensation_of(element)
        if not parent.is_body and element.kind is not ElementKind.EVENT_SUB_PROCESS:
            self._leave(parent, element)
        self._finish(parent)

    def _compensation_of(self, element: Element) -> set[str]:
        listeners = list(self._model.boundary_events(element.id))
        if element.is_scope:
            listeners += event_subprocess_starts(element.id, self._model)
        return {event.id for event in listeners if compensation_handler(event, self._model) is not None}
