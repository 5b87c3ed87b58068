"""Why a request as a whole cannot be answered; a verdict on one instance is data, never an exception."""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar
from uuid import UUID


class ErrorCode(StrEnum):
    """The stable codes of refused requests, the same at every front door."""

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


class UpliftError(Exception):
    """A request that cannot be answered; nothing was written.

    `field` is the path of the invalid input, empty when no single one is invalid. Its names are those of the
    domain; each front door translates them to its own.
    """

    code: ClassVar[ErrorCode]

    def __init__(self, message: str, *, field: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class Unauthenticated(UpliftError):
    """No API key was sent, or one that is unknown, revoked or expired."""

    code = ErrorCode.UNAUTHENTICATED

    def __init__(self) -> None:
        super().__init__("Expected a valid API key, but found none.")


class Forbidden(UpliftError):
    """The caller's role does not allow what was asked."""

    code = ErrorCode.FORBIDDEN

    def __init__(self, *, caller: str, role: str) -> None:
        super().__init__(f"Expected a system administrator, but the key '{caller}' has the role '{role}'.")
        self.caller = caller
        self.role = role


class TooManyRequests(UpliftError):
    """The caller asks more often than the operator lets one key ask; `retry_after` is in whole seconds."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, *, caller: str, allowed: str, retry_after: int) -> None:
        super().__init__(
            f"Expected at most {allowed} of the key '{caller}', but got more. Nothing was written; try again "
            f"in {retry_after} seconds."
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
    """A process with this namespace and code was created before."""

    code = ErrorCode.PROCESS_EXISTS

    def __init__(self, *, namespace: str, process_code: str) -> None:
        super().__init__(
            f"Expected to create process '{namespace}/{process_code}', but it exists already.",
            field=("code",),
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
    """The process has no draft that could be published."""

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
    """What was asked of an upgrade makes no sense in its state; `allowed` lists those in which it does."""

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
    """The store cannot answer now, but may later: it is locked by others, full, or out of reach."""

    code = ErrorCode.STORE_UNAVAILABLE

    def __init__(self, why: str) -> None:
        super().__init__(f"Expected the store to answer, but {why}. Nothing was written; try again later.")


class InvalidSelection(UpliftError):
    """The request does not select instances in exactly one way.

    `field` has every field at fault, side by side, in the names that the front door passed.
    """

    code = ErrorCode.INVALID_SELECTION


class InvalidInput(UpliftError):
    """A value of the request is not one that this field takes."""

    code = ErrorCode.INVALID_INPUT


class InvalidModel(UpliftError):
    """A BPMN document that cannot be read: not XML, not BPMN, or at odds with itself.

    `line` counts from 1; `element` is the id of the BPMN element at fault. Either may be unknown.
    """

    code = ErrorCode.INVALID_MODEL

    def __init__(self, message: str, *, line: int | None = None, element: str | None = None) -> None:
        super().__init__(message, field=("bpmn",))
        self.line = line
        self.element = element
