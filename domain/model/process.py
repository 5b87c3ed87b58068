"""What is upgraded towards: processes and their numbered versions."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from uplift.domain.errors import InvalidInput

VersionNumber = NewType("VersionNumber", int)

MAX_NAME_LENGTH = 200
"""Longest namespace or code, in characters."""


class VersionState(StrEnum):
    """How far a version has come."""

    DRAFT = "DRAFT"
    """Being drawn; never an upgrade target."""
    PUBLISHED = "PUBLISHED"
    """Fixed for ever; the one with the highest number is the upgrade target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessKey:
    """The name of a process: `namespace` is the workspace code, `code` the process code."""

    namespace: str
    code: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.code}"

    @property
    def can_exist(self) -> bool:
        """Whether any process could have this name."""
        return is_name(self.namespace) and is_name(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process as it stands: its names and the number of its latest published version, if it has one."""

    key: ProcessKey
    title: str
    created_at: datetime
    latest_published: VersionNumber | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One drawing of a process, numbered from 1. Times are in UTC.

    `has_model` says whether a BPMN document is kept; the document itself is read only when it is needed.
    """

    number: VersionNumber
    state: VersionState
    has_model: bool
    created_at: datetime
    published_at: datetime | None = None


def process_key(namespace: str, code: str) -> ProcessKey:
    """A checked name for a new process.

    Raises InvalidInput for a part that could not stand as one segment of a URL path.
    """
    for field, value in (("namespace", namespace), ("code", code)):
        if not is_name(value):
            raise InvalidInput(
                f"Expected {field} to be 1 to {MAX_NAME_LENGTH} printable characters without spaces and '/', "
                f"but got {value!r}.",
                field=(field,),
            )
    return ProcessKey(namespace=namespace, code=code)


def is_name(value: str) -> bool:
    """Whether a namespace or code can stand as one segment of a URL path."""
    return (
        0 < len(value) <= MAX_NAME_LENGTH
        and value.isprintable()
        and not any(sign.isspace() or sign == "/" for sign in value)
        and value not in (".", "..")
    )
