"""Builds BPMN documents for tests, with defaults for everything that does not matter.

    a_process().user_task("check").user_task("approve").model()

Elements are joined by sequence flows in the order they are added; `after` goes back to an earlier one and
`join` adds a flow. Triggers are named by keyword: message="Paid", timer="PT5M", compensation=True.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Self
from xml.sax.saxutils import escape, quoteattr

from uplift.domain.bpmn import ProcessModel, read_model

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"

_NAMED = {"message": "name", "signal": "name", "error": "errorCode", "escalation": "escalationCode"}
_PLAIN = {"compensation": "compensate", "cancel": "cancel", "terminate": "terminate", "link": "link"}


@dataclass
class _Tag:
    name: str
    attributes: dict[str, str]
    children: list["_Tag"] = field(default_factory=list)
    text: str = ""


class ScopeBuilder:
    """A process or subprocess being written."""

    def __init__(self, tag: _Tag, definitions: dict[str, _Tag]) -> None:
        self._tag = tag
        self._definitions = definitions
        self._last: str | None = None
        self._flows = 0

    def start(self, element: str = "start", **trigger: object) -> Self:
        return self._add("startEvent", element, trigger)

    def end(self, element: str = "end", **trigger: object) -> Self:
        return self._add("endEvent", element, trigger)

    def throw(self, element: str, **trigger: object) -> Self:
        return self._add("intermediateThrowEvent", element, trigger)

    def catch(self, element: str, **trigger: object) -> Self:
        return self._add("intermediateCatchEvent", element, trigger)

    def user_task(self, element: str, **facts: object) -> Self:
        return self.node("userTask", element, **facts)

    def service_task(self, element: str, **facts: object) -> Self:
        return self.node("serviceTask", element, **facts)

    def receive_task(self, element: str, **facts: object) -> Self:
        return self.node("receiveTask", element, **facts)

    def call(self, element: str, calls: str | None = None, **facts: object) -> Self:
        called = {} if calls is None else {"calledElement": calls}
        return self.node("callActivity", element, **called, **facts)

    def parallel(self, element: str) -> Self:
        return self.node("parallelGateway", element)

    def exclusive(self, element: str) -> Self:
        return self.node("exclusiveGateway", element)

    def event_based(self, element: str) -> Self:
        return self.node("eventBasedGateway", element)

    def node(self, kind: str, element: str, **facts: object) -> Self:
        """Any flow node; `many="parallel"` or "sequential" makes it multi-instance."""
        return self._add(kind, element, facts)

    def boundary(self, element: str, on: str, *, interrupting: bool = True, **trigger: object) -> Self:
        """A boundary event; what is added next follows it."""
        facts = {"attachedToRef": on, "cancelActivity": str(interrupting).lower(), **trigger}
        return self._add("boundaryEvent", element, facts, joined=False)

    def sub(self, element: str, fill: Callable[["ScopeBuilder"], object], **facts: object) -> Self:
        """An embedded subprocess, filled by the function."""
        return self.scope("subProcess", element, fill, **facts)

    def scope(
        self, kind: str, element: str, fill: Callable[["ScopeBuilder"], object], **facts: object
    ) -> Self:
        self._add(kind, element, facts)
        fill(ScopeBuilder(self._tag.children[-1], self._definitions))
        return self

    def event_sub(
        self,
        element: str,
        start: str,
        fill: Callable[["ScopeBuilder"], object] = lambda scope: None,
        *,
        interrupting: bool = True,
        **trigger: object,
    ) -> Self:
        """An event subprocess with its start event; the next element does not follow it."""
        last = self._last
        self._add("subProcess", element, {"triggeredByEvent": "true"}, joined=False)
        inside = ScopeBuilder(self._tag.children[-1], self._definitions)
        fill(inside.start(start, isInterrupting=str(interrupting).lower(), **trigger))
        self._last = last
        return self

    def handler(self, element: str, of: str, kind: str = "userTask", **facts: object) -> Self:
        """A compensation handler, associated with the boundary event `of`."""
        last = self._last
        self._add(kind, element, {"isForCompensation": "true", **facts}, joined=False)
        self._tag.children.append(
            _Tag("association", {"id": f"link_{of}_{element}", "sourceRef": of, "targetRef": element})
        )
        self._last = last
        return self

    def after(self, element: str) -> Self:
        """Let the next element follow this one."""
        self._last = element
        return self

    def apart(self) -> Self:
        """Let the next element follow none."""
        self._last = None
        return self

    def join(self, source: str, target: str) -> Self:
        """Add a sequence flow."""
        self._flows += 1
        flow = f"{self._tag.attributes['id']}_flow_{self._flows}"
        self._tag.children.append(
            _Tag("sequenceFlow", {"id": flow, "sourceRef": source, "targetRef": target})
        )
        return self

    def _add(self, kind: str, element: str, facts: dict[str, object], *, joined: bool = True) -> Self:
        tag = _Tag(kind, {"id": element})
        self._tag.children.append(tag)
        for fact, value in facts.items():
            self._write_fact(tag, fact, value)
        if joined and self._last is not None:
            self.join(self._last, element)
        self._last = element
        # The tag of the element must stay the last, for the scopes that fill it.
        self._tag.children.remove(tag)
        self._tag.children.append(tag)
        return self

    def _write_fact(self, tag: _Tag, fact: str, value: object) -> None:
        if fact in _NAMED and tag.name == "receiveTask":
            tag.attributes["messageRef"] = self._define(fact, str(value))
        elif fact in _NAMED:
            reference = {} if value is True else {f"{fact}Ref": self._define(fact, str(value))}
            tag.children.append(_Tag(f"{fact}EventDefinition", reference))
        elif fact in _PLAIN:
            tag.children.append(_Tag(f"{_PLAIN[fact]}EventDefinition", {}))
        elif fact == "timer":
            tag.children.append(_Tag("timerEventDefinition", {}, [_Tag("timeDuration", {}, text=str(value))]))
        elif fact == "condition":
            tag.children.append(
                _Tag("conditionalEventDefinition", {}, [_Tag("condition", {}, text=str(value))])
            )
        elif fact == "many":
            sequential = str(value == "sequential").lower()
            tag.children.append(_Tag("multiInstanceLoopCharacteristics", {"isSequential": sequential}))
        elif fact == "form":
            tag.attributes["camunda:formKey"] = str(value)
        else:
            tag.attributes[fact] = str(value)

    def _define(self, kind: str, name: str) -> str:
        reference = f"{kind}_{name}"
        self._definitions[reference] = _Tag(kind, {"id": reference, _NAMED[kind]: name})
        return reference


class ProcessBuilder(ScopeBuilder):
    """A document with one process; `xml` writes it, `model` reads it back."""

    def __init__(self, process: str, name: str | None) -> None:
        named = {} if name is None else {"name": name}
        super().__init__(_Tag("process", {"id": process, "isExecutable": "true", **named}), {})

    def xml(self, *, prefix: str = "bpmn", order: Random | None = None) -> bytes:
        """The document; `order` shuffles all elements that may stand in any order."""
        mark = f"{prefix}:" if prefix else ""
        declared = f"xmlns:{prefix}" if prefix else "xmlns"
        inside = "".join(_written(tag, mark, order) for tag in (*self._definitions.values(), self._tag))
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<{mark}definitions {declared}="{BPMN}" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" '
            f'targetNamespace="https://example.org/">\n{inside}</{mark}definitions>\n'
        ).encode()

    def model(self, *, order: Random | None = None) -> ProcessModel:
        return read_model(self.xml(order=order))


def a_process(process: str = "process", name: str | None = None) -> ProcessBuilder:
    """A process without elements."""
    return ProcessBuilder(process, name)


def _written(tag: _Tag, mark: str, order: Random | None) -> str:
    inside = list(tag.children)
    if order is not None:
        order.shuffle(inside)
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in tag.attributes.items())
    content = escape(tag.text) + "".join(_written(child, mark, order) for child in inside)
    return f"<{mark}{tag.name}{attributes}>{content}</{mark}{tag.name}>\n"
