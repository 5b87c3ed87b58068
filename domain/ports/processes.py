"""Reads and writes processes, their versions and BPMN documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from uplift.domain.errors import InvalidInput
from uplift.domain.model.access import Namespaces
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import (
    Process,
    ProcessKey,
    ProcessState,
    Version,
    VersionModel,
    VersionNumber,
)

MAX_SEARCH_LENGTH = 200
"""The longest text to search for, in characters. No title, namespace or code is longer."""


class ProcessOrder(StrEnum):
    """The order of a list of processes."""

    CREATED = "CREATED"
    """The oldest first."""
    NAME = "NAME"
    """By namespace, then code, in the order of Unicode."""
    TITLE = "TITLE"
    """By title, whatever its case, in the order of Unicode; the oldest first among equal titles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFilter:
    """Restricts a list of processes; None means any.

    `search` is a part of the title or of `namespace/code`. Both are compared as `folded` by
    uplift.domain.model.process.
    """

    search: str | None = None
    namespace: str | None = None

    def __post_init__(self) -> None:
        """Raises InvalidInput if `search` is too long."""
        if self.search is not None and len(self.search) > MAX_SEARCH_LENGTH:
            raise InvalidInput(
                f"Expected search to be at most {MAX_SEARCH_LENGTH} characters, but got "
                f"{self.search[:50]!r} ({len(self.search):,} characters).",
                field=("search",),
            )


ANY_PROCESS = ProcessFilter()


class ProcessQueries(Protocol):
    """Reads committed processes and versions. Each call reads its own snapshot and waits for no writer."""

    async def find(self, process_key: ProcessKey) -> Process | None: ...

    async def find_many(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, Process]:
        """Return the processes that exist, by key; the others are absent from the result."""
        ...

    async def states(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, ProcessState]:
        """Return the state of each process that exists.

        Checksums differ when counts differ, but for rare chances. Keep this fast: it is called every second,
        so it should read neither instances nor all versions.
        """
        ...

    async def page(
        self,
        page: PageRequest,
        process_filter: ProcessFilter = ANY_PROCESS,
        *,
        order: ProcessOrder = ProcessOrder.CREATED,
        namespaces: Namespaces | None = None,
    ) -> Page[Process]:
        """Return a page of the processes in these namespaces, or in all (None), in this order.

        A sort key means a process, which must be in these namespaces: after any other the page is empty.
        """
        ...

    async def count(
        self, process_filter: ProcessFilter = ANY_PROCESS, *, namespaces: Namespaces | None = None
    ) -> int:
        """Count the processes in these namespaces, or in all (None)."""
        ...

    async def versions(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[Version, ...]]:
        """Return the versions of each process by number; an empty tuple for an unknown process."""
        ...

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> VersionModel | None:
        """Return the model of a version; None when the version has none or does not exist."""
        ...


class ProcessRepository(Protocol):
    """Reads and writes processes and versions within a transaction.

    Reads see the writes of the same transaction. `put_version` and `publish` need a process that exists.
    """

    async def find(self, process_key: ProcessKey) -> Process | None:
        """Return a process without locking it."""
        ...

    async def add(self, process: Process) -> None:
        """Add a process.

        Waits for a concurrent transaction that adds the same key, and raises ProcessExists when that one
        commits.
        """
        ...

    async def lock_versions(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[Version, ...]]:
        """Lock the processes and return their versions by number; an empty tuple for an unknown process.

        Waits for other transactions that hold these locks. Until this transaction ends, no other one locks
        or changes the versions; readers are not blocked.
        """
        ...

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> VersionModel | None:
        """Return the model of a version of an existing process; None when it has none."""
        ...

    async def put_version(self, process_key: ProcessKey, version: Version, document: bytes | None) -> None:
        """Add a version, or replace the one that has its number.

        The version has a `model_process_id` if and only if there is a BPMN document.
        """
        ...

    async def publish(self, process_key: ProcessKey, number: VersionNumber, at: datetime) -> None:
        """Mark an existing draft as published."""
        ...
