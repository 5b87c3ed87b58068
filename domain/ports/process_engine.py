"""The port of a workflow engine that runs instances: what Uplift asks of it, and what it answers.

An adapter translates these questions to the API of one kind of engine. It keeps no state that matters: any
number of adapters may talk to one engine, and any of them may stop in the middle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, NewType, Protocol, TypeVar

from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.instance import ElementId
from uplift.domain.model.link import EngineInstanceId as EngineInstanceId
from uplift.domain.model.link import EngineVersionId as EngineVersionId
from uplift.domain.model.process import VersionNumber

Item = TypeVar("Item")

EngineCursor = NewType("EngineCursor", str)
"""Where the next page of a list of the engine begins; only the adapter that made it can read it."""


class EngineFaultKind(StrEnum):
    """What prevented an answer of the engine."""

    UNREACHABLE = "UNREACHABLE"
    """No connection, a broken one, or no answer in time. A request may have taken effect."""
    OVERLOADED = "OVERLOADED"
    """The engine, or a proxy before it, asks to come back later."""
    UNAUTHORISED = "UNAUTHORISED"
    """The credentials are missing or wrong, or do not allow the request."""
    NOT_THIS_ENGINE = "NOT_THIS_ENGINE"
    """Something answers, but not as an engine of this kind does."""
    FAILED = "FAILED"
    """The engine answers with an error that says nothing of the instances."""


class EngineFault(Exception):
    """The engine gave no answer to a question as a whole. `message` is for operators.

    After a fault of `ProcessEngine.move` nothing is known of the instances: ask `locate` before they are sent
    again. `retry_after` is how long the engine wants to be left alone, if it says so.
    """

    def __init__(self, kind: EngineFaultKind, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTraits:
    """What an engine can do, by which a sender arranges its requests.

    `checks_source`: the engine refuses an instance that is not on the source version of the plan. Otherwise
    the sender asks `locate` before each request.
    `checks_position`: the engine refuses an instance that waits where the plan has no instruction.
    `is_atomic`: a request moves all its instances or none.
    `max_size`: the most instances of one request. `concurrency`: the most requests at once.
    `settles_after`: how long an answer of `locate` may be older than the last move.
    """

    checks_source: bool
    checks_position: bool
    is_atomic: bool
    max_size: int
    concurrency: int
    settles_after: timedelta = timedelta()

    def require_size(self, ids: Sequence[EngineInstanceId]) -> None:
        """Raises ValueError if one request cannot move so many instances."""
        if len(ids) > self.max_size:
            instances = "instance" if self.max_size == 1 else "instances"
            raise ValueError(f"Expected at most {self.max_size} {instances} to move, but got {len(ids)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineDescription:
    """What an engine says of itself. What it does not say is None.

    `clock` is the time of the engine when it answered, in UTC. `problems` are sentences on what does not
    suffice, such as a right that the credentials lack.
    """

    product: str
    version: str | None = None
    history_level: str | None = None
    clock: datetime | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineVersion:
    """A version of a process in the engine. Numbers of one process may have gaps."""

    id: EngineVersionId
    key: str
    number: VersionNumber
    name: str | None = None
    tenant: str | None = None
    deployed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePage(Generic[Item]):
    """Consecutive items of a list; `next` is None on the last page."""

    items: tuple[Item, ...]
    next: EngineCursor | None = None


class ElementRole(StrEnum):
    """Why a plan of moves maps an element."""

    POSITION = "POSITION"
    """The instance waits there."""
    SCOPE = "SCOPE"
    """A subprocess around an element at which the instance waits."""
    LISTENER = "LISTENER"
    """A boundary event or an event subprocess that listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveInstruction:
    """Maps the element `source` of the source version to the element `target` of the target version.

    For multi-instance activities on both sides, one instruction stands for the activity and its body.
    `updates_trigger` says that the engine must take the trigger from the target version, because it evaluates
    a condition anew. Source: Camunda 7, ConditionalEventUpdateEventTriggerValidator.
    """

    source: ElementId
    target: ElementId
    role: ElementRole
    is_multi_instance: bool = False
    updates_trigger: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePlan:
    """How the instances of one cohort move. It maps what this cohort needs, and nothing else.

    So an engine that checks the source refuses an instance that has moved on since the plan was made.
    """

    source: EngineVersionId
    target: EngineVersionId
    instructions: tuple[MoveInstruction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """What the engine's own dry run says against a plan; `source` is None unless it names an element."""

    source: ElementId | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the engine refused to move an instance: MOVED_ON, INSTANCE_NOT_FOUND or ENGINE_REFUSED."""

    code: ReasonCode
    message: str


class ProcessEngine(Protocol):
    """A workflow engine. Every method raises EngineFault.

    A list may change between two of its pages, so an item may be missing or come twice.
    """

    @property
    def traits(self) -> EngineTraits: ...

    async def describe(self) -> EngineDescription:
        """Return what the engine says of itself, without changing anything."""
        ...

    async def versions(self, after: EngineCursor | None = None) -> EnginePage[EngineVersion]:
        """Return a page of the versions of all processes that the link may see, in any order."""
        ...

    async def model(self, version: EngineVersionId) -> bytes:
        """Return the BPMN document of a version."""
        ...

    async def instances(
        self, version: EngineVersionId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        """Return a page of the instances of a version that have not ended."""
        ...

    async def waiting(
        self, version: EngineVersionId, element: ElementId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        """Return a page of the instances of a version that wait at an element, alone or among others."""
        ...

    async def locate(
        self, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, EngineVersionId | None]:
        """Return the version on which each instance is; None for one that has ended or never was."""
        ...

    async def objections(self, plan: MovePlan) -> tuple[Objection, ...]:
        """Return what the engine's own dry run says against a plan; nothing if it has none."""
        ...

    async def move(
        self, plan: MovePlan, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, Refusal | None]:
        """Move up to `traits.max_size` instances. Returns, for each, why it was refused, or None if it moved.

        Takes the instances that the engine names out of an all-or-nothing request and sends the others. An
        engine that checks the source refuses an instance that is on the target already as MOVED_ON. Raises
        ValueError for more instances.
        """
        ...

    async def close(self) -> None:
        """Close the connections to the engine."""
        ...
