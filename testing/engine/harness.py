"""Defines what the contract needs of an engine beside its adapter: to deploy, start, complete and cancel."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar
from uuid import uuid4

from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import (
    ElementRole,
    EngineCursor,
    EngineInstanceId,
    EnginePage,
    EngineVersionId,
    MoveInstruction,
    MovePlan,
    ProcessEngine,
)

Item = TypeVar("Item")


class EngineHarness(Protocol):
    """An engine that tests may share, and the adapter to it.

    Each test deploys processes with keys of its own. Give the adapter pages of 2 or 3 items: the contract
    then reads each list in several pages.
    """

    @property
    def engine(self) -> ProcessEngine:
        """The adapter that the contract tests."""
        ...

    @property
    def has_dry_run(self) -> bool:
        """Whether the engine can check a plan without moving anything."""
        ...

    @property
    def lists_joins(self) -> bool:
        """Whether the engine lists the tokens that wait at a joining gateway."""
        ...

    async def deploy(self, key: str, document: bytes) -> EngineVersionId:
        """Deploy the next version of the process `key`; returns its id."""
        ...

    async def start(self, version: EngineVersionId, count: int = 1) -> Sequence[EngineInstanceId]:
        """Start instances of a version; returns their ids."""
        ...

    async def complete(self, instance: EngineInstanceId, element: ElementId) -> None:
        """Complete the user task at which the instance waits."""
        ...

    async def suspend(self, instance: EngineInstanceId) -> None:
        """Suspend the instance."""
        ...

    async def cancel(self, instance: EngineInstanceId) -> None:
        """End the instance where it is."""
        ...


def a_process_key() -> str:
    """The key of a process that no other test uses."""
    return f"process-{uuid4().hex}"


async def all_pages(
    read: Callable[[EngineCursor | None], Awaitable[EnginePage[Item]]],
) -> tuple[list[Item], int]:
    """The items of all pages of a list, and the number of pages."""
    items: list[Item] = []
    after: EngineCursor | None = None
    pages = 0
    while True:
        page = await read(after)
        items += page.items
        pages += 1
        if page.next is None:
            return items, pages
        assert page.next != after, "each page gets on"
        after = page.next


async def instances_in(engine: ProcessEngine, version: EngineVersionId) -> list[EngineInstanceId]:
    """All instances of a version."""
    return (await all_pages(lambda after: engine.instances(version, after)))[0]


async def waiting_in(engine: ProcessEngine, version: EngineVersionId, element: str) -> list[EngineInstanceId]:
    """All instances of a version that wait at an element."""
    return (await all_pages(lambda after: engine.waiting(version, ElementId(element), after)))[0]


def a_plan(
    source: EngineVersionId,
    target: EngineVersionId,
    *instructions: MoveInstruction,
    **elements: str,
) -> MovePlan:
    """A plan that maps these elements, as positions, and what the other instructions map."""
    positions = tuple(an_instruction(before, after) for before, after in elements.items())
    return MovePlan(source=source, target=target, instructions=(*positions, *instructions))


def an_instruction(
    source: str,
    target: str,
    role: ElementRole = ElementRole.POSITION,
    *,
    is_multi_instance: bool = False,
    updates_trigger: bool = False,
) -> MoveInstruction:
    """An instruction of a plan."""
    return MoveInstruction(
        source=ElementId(source),
        target=ElementId(target),
        role=role,
        is_multi_instance=is_multi_instance,
        updates_trigger=updates_trigger,
    )
