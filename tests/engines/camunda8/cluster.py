"""A cluster of Camunda 8 in memory, as far as the contract of an adapter needs it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from uplift.domain.bpmn import Element, ProcessModel, read_model
from uplift.domain.model.instance import ElementId
from uplift.testing.engine.tokens import Tokens, first_tokens, tokens_after

STARTED = "2026-11-30T12:00:00.000Z"
PARTS = 5
"""How many parts a multi-instance activity has."""
FIRST_KEY = 2_251_799_813_685_249
NOT_MAPPED = "no mapping instruction defined for active element with id"

Row = Mapping[str, Any]


class Rejection(Exception):
    """The engine rejects a command: the status of the reply, its code, and why."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A version of a process."""

    key: str
    process_id: str
    number: int
    tenant: str
    document: bytes
    model: ProcessModel

    def row(self) -> Row:
        """What a search says of it."""
        return {
            "name": self.model.name,
            "resourceName": f"{self.process_id}.bpmn",
            "version": self.number,
            "processDefinitionId": self.process_id,
            "tenantId": self.tenant,
            "processDefinitionKey": self.key,
            "hasStartForm": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An instance."""

    key: str
    definition: Definition
    tokens: Tokens
    state: str = "ACTIVE"

    def row(self) -> Row:
        """What a search says of it."""
        return {
            "processDefinitionId": self.definition.process_id,
            "processDefinitionName": self.definition.model.name,
            "processDefinitionVersion": self.definition.number,
            "startDate": STARTED,
            "state": self.state,
            "hasIncident": False,
            "tenantId": self.definition.tenant,
            "processInstanceKey": self.key,
            "processDefinitionKey": self.definition.key,
        }

    def active_elements(self) -> list[Element]:
        """The elements at which it waits, and the subprocesses around them.

        A token at a joining gateway is none: Camunda 8 activates the gateway when all have arrived.
        """
        elements = self.definition.model.elements
        found: dict[str, Element] = {}
        for element_id in sorted(self.tokens.waiting):
            around = self.definition.model.scopes_around(elements[element_id])
            found |= {element.id: element for element in (*around, elements[element_id])}
        return list(found.values())

    def element_rows(self) -> Iterator[Row]:
        """What a search says of its elements."""
        numbers = count(int(self.key) * 1_000)
        yield self._element_row(self.definition.process_id, "PROCESS", next(numbers))
        for element in self.active_elements():
            kind = "SUB_PROCESS" if element.is_scope else element.kind.name
            if element.multi_instance is not None:
                yield self._element_row(element.id, "MULTI_INSTANCE_BODY", next(numbers))
                for _ in range(PARTS):
                    yield self._element_row(element.id, kind, next(numbers))
            else:
                yield self._element_row(element.id, kind, next(numbers))

    def _element_row(self, element_id: str, kind: str, key: int) -> Row:
        return {
            "processDefinitionId": self.definition.process_id,
            "startDate": STARTED,
            "elementId": element_id,
            "elementName": element_id,
            "type": kind,
            "state": self.state,
            "hasIncident": False,
            "tenantId": self.definition.tenant,
            "elementInstanceKey": str(key),
            "processInstanceKey": self.key,
            "processDefinitionKey": self.definition.key,
        }


@dataclass(kw_only=True)
class Cluster:
    """The versions and instances. Searches read `exported`, which follows unless it is held back."""

    definitions: dict[str, Definition] = field(default_factory=dict)
    instances: dict[str, Running] = field(default_factory=dict)
    exported: dict[str, Running] = field(default_factory=dict)
    is_held_back: bool = False
    _keys: Iterator[int] = field(default_factory=lambda: count(FIRST_KEY))

    def deploy(self, process_id: str, document: bytes, tenant: str = "<default>") -> str:
        """Deploy the next version of a process; returns its key."""
        earlier = [(known.process_id, known.tenant) for known in self.definitions.values()]
        key = str(next(self._keys))
        self.definitions[key] = Definition(
            key=key,
            process_id=process_id,
            number=1 + earlier.count((process_id, tenant)),
            tenant=tenant,
            document=document,
            model=read_model(document, process_id=process_id),
        )
        return key

    def start(self, definition_key: str) -> str:
        """Start an instance; returns its key."""
        definition = self.definitions[definition_key]
        key = str(next(self._keys))
        self._keep(Running(key=key, definition=definition, tokens=first_tokens(definition.model)))
        return key

    def complete(self, key: str, element: ElementId) -> None:
        """Complete what the instance waits for at an element."""
        running = self.instances[key]
        tokens = tokens_after(running.definition.model, running.tokens, element)
        self._keep(replace(running, tokens=tokens, state="ACTIVE" if tokens.position else "COMPLETED"))

    def cancel(self, key: str) -> None:
        """End an instance."""
        self._keep(replace(self.instances[key], state="TERMINATED"))

    def export(self) -> None:
        """Let searches see everything, from now on."""
        self.is_held_back = False
        self.exported = dict(self.instances)

    def migrate(self, key: str, target_key: str, instructions: Sequence[Mapping[str, str]]) -> None:
        """Move an instance. Raises Rejection for what the engine rejects."""
        running = self.instances.get(key)
        if running is None or running.state != "ACTIVE":
            raise _not_found(f"but no process instance found with key '{key}'")
        target = self.definitions.get(target_key)
        if target is None:
            raise _not_found(f"to process definition but no process definition found with key '{target_key}'")
        mapping = {step["sourceElementId"]: step["targetElementId"] for step in instructions}
        wrong = "but mapping instructions contain"
        if len(mapping) < len(instructions):
            raise Rejection(400, "INVALID_ARGUMENT", f"{wrong} duplicate source element ids")
        for source_id, target_id in mapping.items():
            if source_id not in running.definition.model.elements:
                raise Rejection(
                    400, "INVALID_ARGUMENT", f"{wrong} a non-existing source element id '{source_id}'"
                )
            if target_id not in target.model.elements:
                raise Rejection(
                    400, "INVALID_ARGUMENT", f"{wrong} a non-existing target element id '{target_id}'"
                )
        for element in running.active_elements():
            if element.id not in mapping:
                raise _invalid(f"but {NOT_MAPPED} '{element.id}'")
            if target.model.elements[mapping[element.id]].kind is not element.kind:
                raise _invalid(f"but active element with id '{element.id}' is mapped to a different type")
        if running.tokens.arrived:
            raise _invalid("but no mapping instruction defined for a taken sequence flow")
        moved = running.tokens.moved(
            {ElementId(source): ElementId(target_id) for source, target_id in mapping.items()}
        )
        self._keep(replace(running, definition=target, tokens=moved))

    def _keep(self, running: Running) -> None:
        self.instances[running.key] = running
        if not self.is_held_back:
            self.exported[running.key] = running


def _not_found(reason: str) -> Rejection:
    return Rejection(404, "NOT_FOUND", f"Expected to migrate process instance {reason}")


def _invalid(reason: str) -> Rejection:
    return Rejection(409, "INVALID_STATE", f"Expected to migrate process instance {reason}")
