"""Defines processes and their numbered versions."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from unicodedata import normalize

from uplift.domain.errors import InvalidInput
from uplift.domain.model.link import LinkId

VersionNumber = NewType("VersionNumber", int)

MAX_NAME_LENGTH = 200
"""The longest namespace or code, in characters."""


class VersionState(StrEnum):
    """The state of a version."""

    DRAFT = "DRAFT"
    """Being edited. A draft is never an upgrade target."""
    PUBLISHED = "PUBLISHED"
    """Immutable. The published version with the highest number is the upgrade target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessKey:
    """The name of a process: `namespace` is the workspace code, `code` the process code."""

    namespace: str
    code: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.code}"

    @property
    def can_exist(self) -> bool:
        """Whether the name is valid, so that a process may have it."""
        return is_name(self.namespace) and is_name(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process. `latest_published` is None if it has no published version.

    `link` is set while its instances run in a linked engine.
    """

    key: ProcessKey
    title: str
    created_at: datetime
    latest_published: VersionNumber | None = None
    link: LinkId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a process, numbered from 1. Times are in UTC.

    `model_process_id` is the id of the process that the version means in its BPMN document, or None if it has
    no document. `ProcessQueries.model` reads the document.
    """

    number: VersionNumber
    state: VersionState
    created_at: datetime
    published_at: datetime | None = None
    model_process_id: str | None = None

    @property
    def has_model(self) -> bool:
        """Whether the version has a BPMN document."""
        return self.model_process_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """A process, and what shows whether its versions or the numbers of its instances have changed.

    `newest_version` may be a draft. `checksum` is computed from the count of each cohort.
    """

    process: Process
    newest_version: Version | None
    checksum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionModel:
    """The BPMN document of a version, and the id of the process that the version means in it."""

    document: bytes
    process_id: str


def process_key(namespace: str, code: str) -> ProcessKey:
    """Make the name of a new process.

    Raises InvalidInput unless both parts are valid as a segment of a URL path.
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
    """Whether a namespace or code is valid as one segment of a URL path."""
    return (
        0 < len(value) <= MAX_NAME_LENGTH
        and value.isprintable()
        and not any(character.isspace() or character == "/" for character in value)
        and value not in (".", "..")
    )


def folded(text: str) -> str:
    """The text in the form in which searches and orders compare titles and names, whatever their case.

    It is the case folding of Unicode, so it is the same on every database: `GRÖSSE`, `Größe` and `grösse` are
    one text, however the Ö is composed.
    """
    return normalize("NFC", normalize("NFC", text).casefold())
