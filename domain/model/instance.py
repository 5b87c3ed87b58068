"""What is upgraded: one run of a process, the version it is pinned to and where it waits."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType
from uuid import UUID

from uplift.domain.model.process import ProcessKey, VersionNumber

InstanceId = NewType("InstanceId", UUID)
ElementId = NewType("ElementId", str)

Position = frozenset[ElementId]
"""The elements at which an instance waits; empty when the engine has not told."""


class Status(StrEnum):
    """What an instance is doing."""

    PENDING = "PENDING"
    """Waiting: the only status that can be upgraded."""
    RUNNING = "RUNNING"
    """Being worked on by the engine at this moment."""
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


ACTIVE = frozenset({Status.PENDING, Status.RUNNING})
"""The statuses of instances that have not ended: what "all active" means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One run of a process, pinned to one version."""

    id: InstanceId
    process: ProcessKey
    version: VersionNumber
    status: Status
    position: Position = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReport:
    """What an engine says of an instance it runs: its status and where it waits now."""

    id: InstanceId
    status: Status
    position: Position = frozenset()
