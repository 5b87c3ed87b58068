"""Defines the errors that refuse a request as a whole; a verdict on one instance is data, not an error."""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar
from uuid import UUID


class ErrorCode(StrEnum):
    """The stable codes of refused requests, the same in GraphQL, REST and on the command line."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    PROCESS_NOT_FOUND = "PROCESS_NOT_FOUND"
    NO_PUBLISHED_VERSION = "NO_PUBLISHED_VERSION"
    INVALID_SELECTION = "INVALID_SELECTION"
    INVALID_INPUT = "INVALID_INPUT"
    INVALID_MODEL = "INVALID_MODEL"
    INVALID_MAPPING = "INVALID_MAPPING"
    PLAN_CHANGED = "PLAN_CHANGED"
    UPGRADE_NOT_FOUND = "UPGRADE_NOT_FOUND"
    WRONG_STATE = "WRONG_STATE"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    RATE_LIMITED = "RATE_LIMITED"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    PROCESS_EXISTS = "PROCESS_EXISTS"
    NO_DRAFT = "NO_DRAFT"
    LINKED = "LINKED"
    LINK_EXISTS = "LINK_EXISTS"
    LINK_NOT_FOUND = "LINK_NOT_FOUND"
    LINK_IN_USE = "LINK_IN_USE"


class UpliftError(Exception):
    """A refused request. Nothing was written.

    `field` is the path of the invalid input, and empty if the error concerns no single input. It has the
    names of the domain, which each API translates to its own.
    """

    code: ClassVar[ErrorCode]

    def __init__(self, message: str, *, field: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class KeyFault(StrEnum):
    """What is wrong with the API key of a request. The text ends a sentence that begins "Expected …, but".

    Nobody learns more of a key: an unknown, a revoked and an expired one look the same.
    """

    MISSING = "none was sent"
    MALFORMED = "what was sent is not a key; it may be cut off or mistyped"
    INVALID = "the one that was sent is unknown, revoked or expired"


class Unauthenticated(UpliftError):
    """The request has no API key, or one that is malformed, unknown, revoked or expired."""

    code = ErrorCode.UNAUTHENTICATED

    def __init__(self, fault: KeyFault = KeyFault.INVALID) -> None:
        super().__init__(f"Expected a valid API key, but {fault}.")
        self.fault = fault


class Forbidden(UpliftError):
    """The role of the caller does not allow the request. `needed` says which one would."""

    code = ErrorCode.FORBIDDEN

    def __init__(self, *, caller: str, role: str, needed: str = "a system administrator") -> None:
        super().__init__(f"Expected {needed}, but the key '{caller}' has the role '{role}'.")
        self.caller = caller
        self.role = role


class OutsideScope(UpliftError):
    """The scope of the caller does not contain the namespace in which the request creates a process."""

    code = ErrorCode.FORBIDDEN

    def __init__(self, *, caller: str, namespace: str) -> None:
        super().__init__(
            f"Expected a namespace in the scope of the key '{caller}', but '{namespace}' is outside of it."
        )
        self.caller = caller
        self.namespace = namespace


class TooManyRequests(UpliftError):
    """The caller exceeds its rate limit, such as "600 per 1 minute"; `retry_after` is in whole seconds."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, *, caller: str, allowed: str, retry_after: int) -> None:
        super().__init__(
            f"Expected at most {allowed} from the key '{caller}', but received more. Nothing was written; "
            f"try again in {retry_after} seconds."
        )
        self.caller = caller
        self.allowed = allowed
        self.retry_after = retry_after


class ProcessNotFound(UpliftError):
    """No process has this namespace and code."""

    code = ErrorCode.PROCESS_NOT_FOUND

    def __init__(self, *, namespace: str, process_code: str) -> None:
        super().__init__(f"Expected to find process '{namespace}/{process_code}', but there is none.")
        self.namespace = namespace
        self.process_code = process_code


class ProcessExists(UpliftError):
    """A process with this namespace and code exists already."""

    code = ErrorCode.PROCESS_EXISTS

    def __init__(self, *, namespace: str, process_code: str) -> None:
        super().__init__(
            f"Expected to create process '{namespace}/{process_code}', but it exists already.",
            field=("code",),
        )
        self.namespace = namespace
        self.process_code = process_code


class LinkExists(UpliftError):
    """A link with this name exists already."""

    code = ErrorCode.LINK_EXISTS

    def __init__(self, *, name: str) -> None:
        super().__init__(f"Expected to add link '{name}', but it exists already.", field=("name",))
        self.name = name


class LinkNotFound(UpliftError):
    """No link has this name."""

    code = ErrorCode.LINK_NOT_FOUND

    def __init__(self, *, name: str) -> None:
        super().__init__(f"Expected to find link '{name}', but there is none.", field=("name",))
        self.name = name


class LinkInUse(UpliftError):
    """An upgrade of the link has not finished, or waits for answers of the engine."""

    code = ErrorCode.LINK_IN_USE

    def __init__(self, *, name: str, upgrade_id: UUID) -> None:
        super().__init__(
            f"Expected to remove link '{name}', but upgrade {upgrade_id} still uses it. Cancel the upgrade, "
            "and wait until the engine has answered what was sent.",
            field=("name",),
        )
        self.name = name
        self.upgrade_id = upgrade_id


class ProcessLinked(UpliftError):
    """The process runs in a linked engine, from which its versions and instances come."""

    code = ErrorCode.LINKED

    def __init__(self, *, attempt: str, namespace: str, process_code: str) -> None:
        super().__init__(
            f"Expected to {attempt}, but process '{namespace}/{process_code}' runs in a linked engine, "
            "from which its versions and instances come."
        )
        self.namespace = namespace
        self.process_code = process_code


class NoPublishedVersion(UpliftError):
    """The process has no published version to upgrade to."""

    code = ErrorCode.NO_PUBLISHED_VERSION

    def __init__(self, *, namespace: str, process_code: str) -> None:
        super().__init__(
            f"Expected to upgrade to the latest published version of process '{namespace}/{process_code}', "
            "but it has no published version."
        )
        self.namespace = namespace
        self.process_code = process_code


class NoDraft(UpliftError):
    """The process has no draft to publish."""

    code = ErrorCode.NO_DRAFT

    def __init__(self, *, namespace: str, process_code: str) -> None:
        super().__init__(
            f"Expected to publish the draft of process '{namespace}/{process_code}', but it has no draft."
        )
        self.namespace = namespace
        self.process_code = process_code


class UpgradeNotFound(UpliftError):
    """No upgrade has this id."""

    code = ErrorCode.UPGRADE_NOT_FOUND

    def __init__(self, *, upgrade_id: UUID) -> None:
        super().__init__(f"Expected to find upgrade {upgrade_id}, but there is none.", field=("upgrade_id",))
        self.upgrade_id = upgrade_id


class WrongState(UpliftError):
    """The state of the upgrade does not allow the operation; `allowed` lists the states that do."""

    code = ErrorCode.WRONG_STATE

    def __init__(self, *, upgrade_id: UUID, attempt: str, state: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"Expected to {attempt} upgrade {upgrade_id} while it is {' or '.join(allowed)}, "
            f"but it is {state}.",
            field=("upgrade_id",),
        )
        self.upgrade_id = upgrade_id
        self.state = state
        self.allowed = tuple(allowed)


class StoreUnavailable(UpliftError):
    """The store cannot answer at present: it is locked, full or out of reach."""

    code = ErrorCode.STORE_UNAVAILABLE

    def __init__(self, reason: str) -> None:
        super().__init__(f"Expected the store to answer, but {reason}. Nothing was written; try again later.")


class InvalidSelection(UpliftError):
    """The request does not select instances in exactly one way.

    `field` holds every invalid field, in the names that the API passed.
    """

    code = ErrorCode.INVALID_SELECTION


class InvalidInput(UpliftError):
    """A field of the request has an invalid value."""

    code = ErrorCode.INVALID_INPUT


class InvalidModel(UpliftError):
    """The BPMN document is invalid: not XML, not BPMN, or inconsistent, or it lacks the requested process.

    `line` counts from 1. `element` is the id of the invalid BPMN element. Either is None if unknown.
    """

    code = ErrorCode.INVALID_MODEL

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        element: str | None = None,
        field: tuple[str, ...] = ("bpmn",),
    ) -> None:
        super().__init__(message, field=field)
        self.line = line
        self.element = element

    @property
    def place(self) -> str:
        """Where in the document it is, such as "line 3, element 'a'"; empty if unknown."""
        line = () if self.line is None else (f"line {self.line}",)
        element = () if self.element is None else (f"element '{self.element}'",)
        return ", ".join((*line, *element))
