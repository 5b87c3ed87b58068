"""Defines process instances, their status and position."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType
from uuid import UUID

from uplift.domain.model.process import ProcessKey, VersionNumber

InstanceId = NewType("InstanceId", UUID)
ElementId = NewType("ElementId", str)

Position = frozenset[ElementId]
"""The elements at which an instance waits; empty if the engine did not report them."""


class Status(StrEnum):
    """The state of an instance in its engine."""

    PENDING = "PENDING"
    """Waiting. Only these instances can be upgraded."""
    RUNNING = "RUNNING"
    """The engine is executing the instance at this moment."""
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


ACTIVE = frozenset({Status.PENDING, Status.RUNNING})
"""The statuses of instances that have not ended, which a selection of all active instances contains."""


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
    """The present status and position of an instance, as its engine reports them."""

    id: InstanceId
    status: Status
    position: Position = frozenset()
