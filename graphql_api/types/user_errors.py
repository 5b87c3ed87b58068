"""How does a client learn that the domain refused a mutation, or a plan of one?

By entries of `userErrors`, made here from the domain's errors by one table. What is not about the input (no
valid key, not a system administrator, a store that cannot answer) stays a top-level error.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

import strawberry

from uplift.domain import errors
from uplift.domain.model.idempotency import IdempotencyConflict
from uplift.domain.model.mapping import InvalidMapping
from uplift.domain.use_cases.plan import Fingerprint, PlanChanged
from uplift.graphql_api.types.enums import UpgradeState, UserErrorCode
from uplift.graphql_api.types.reasons import Finding, show_findings


@strawberry.interface(
    description=(
        "Why a mutation or a plan was refused; nothing was changed. What is not about the input is a "
        "top-level error with the code UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED or STORE_UNAVAILABLE."
    )
)
class UserError:
    message: str = strawberry.field(
        description="What was attempted and what stood in the way, for people to read."
    )
    field: list[str] | None = strawberry.field(
        description="The path from `input` to the value at fault; null if no single one is to blame."
    )
    code: UserErrorCode = strawberry.field(description="The reason as a stable code, for programs to read.")


@strawberry.type(description="PROCESS_NOT_FOUND: no process has this name.")
class ProcessNotFoundError(UserError):
    namespace: str = strawberry.field(description="The namespace asked for.")
    process_code: str = strawberry.field(description="The code asked for.")


@strawberry.type(description="PROCESS_EXISTS: a process of this name was created before.")
class ProcessExistsError(UserError):
    namespace: str = strawberry.field(description="The namespace of the process.")
    process_code: str = strawberry.field(description="The code of the process.")


@strawberry.type(description="NO_PUBLISHED_VERSION: there is nothing to upgrade to.")
class NoPublishedVersionError(UserError):
    namespace: str = strawberry.field(description="The namespace of the process.")
    process_code: str = strawberry.field(description="The code of the process.")


@strawberry.type(description="NO_DRAFT: there is nothing to publish.")
class NoDraftError(UserError):
    namespace: str = strawberry.field(description="The namespace of the process.")
    process_code: str = strawberry.field(description="The code of the process.")


@strawberry.type(description="INVALID_SELECTION: the selection names no instances, or too many.")
class InvalidSelectionError(UserError):
    pass


@strawberry.type(description="INVALID_INPUT: a value is not one that its field takes.")
class InvalidInputError(UserError):
    pass


@strawberry.type(description="INVALID_MODEL: the BPMN document cannot be read.")
class InvalidModelError(UserError):
    line: int | None = strawberry.field(description="The line at fault, counted from 1, if it is known.")
    element: str | None = strawberry.field(description="The id of the BPMN element at fault, if it is known.")


@strawberry.type(description="INVALID_MAPPING: mapping instructions break rules.")
class InvalidMappingError(UserError):
    from_version: int = strawberry.field(description="The version whose instructions they are.")
    findings: list[Finding] = strawberry.field(description="Every rule that an instruction breaks.")


@strawberry.type(description="A plan in short.")
class PlanSummary:
    fingerprint: str = strawberry.field(description="The fingerprint of the plan.")
    target_version: int = strawberry.field(description="The number of the version to upgrade to.")
    upgraded: int = strawberry.field(description="How many instances would be upgraded.")
    skipped: int = strawberry.field(description="How many instances would be skipped.")


@strawberry.type(description="PLAN_CHANGED: the upgrade would not do what was planned.")
class PlanChangedError(UserError):
    planned: PlanSummary = strawberry.field(description="The plan whose fingerprint was given.")
    now: PlanSummary = strawberry.field(description="What the upgrade would do now.")


@strawberry.type(description="UPGRADE_NOT_FOUND: no upgrade has this id.")
class UpgradeNotFoundError(UserError):
    upgrade_id: UUID = strawberry.field(description="The id asked for.")


@strawberry.type(description="WRONG_STATE: what was asked of an upgrade makes no sense in its state.")
class WrongStateError(UserError):
    upgrade_id: UUID = strawberry.field(description="The id of the upgrade.")
    state: UpgradeState = strawberry.field(description="The state it is in.")
    allowed_states: list[UpgradeState] = strawberry.field(description="The states in which it can be done.")


@strawberry.type(description="IDEMPOTENCY_CONFLICT: the key came with another request before.")
class IdempotencyConflictError(UserError):
    upgrade_id: UUID = strawberry.field(description="The id of the upgrade that the key led to.")


def _named(*facts: str) -> Callable[[Any], dict[str, Any]]:
    return lambda error: {name: getattr(error, name) for name in facts}


def _of_mapping(error: InvalidMapping) -> dict[str, Any]:
    return {"from_version": error.from_version, "findings": show_findings(error.findings)}


def _of_plans(error: PlanChanged) -> dict[str, Any]:
    return {"planned": _summary(error.planned), "now": _summary(error.now)}


def _summary(fingerprint: Fingerprint) -> PlanSummary:
    return PlanSummary(
        fingerprint=str(fingerprint),
        target_version=fingerprint.target_version,
        upgraded=fingerprint.upgraded,
        skipped=fingerprint.skipped,
    )


def _of_state(error: errors.WrongState) -> dict[str, Any]:
    return {
        **_of_upgrade(error),
        "state": UpgradeState(error.state),
        "allowed_states": [UpgradeState(state) for state in error.allowed],
    }


def _of_upgrade(error: Any) -> dict[str, Any]:
    return {"upgrade_id": error.upgrade}


_of_process = _named("namespace", "process_code")

USER_ERRORS: Mapping[type[errors.UpliftError], tuple[type[UserError], Callable[[Any], dict[str, Any]]]] = (
    MappingProxyType(
        {
            errors.ProcessNotFound: (ProcessNotFoundError, _of_process),
            errors.ProcessExists: (ProcessExistsError, _of_process),
            errors.NoPublishedVersion: (NoPublishedVersionError, _of_process),
            errors.NoDraft: (NoDraftError, _of_process),
            errors.InvalidSelection: (InvalidSelectionError, _named()),
            errors.InvalidInput: (InvalidInputError, _named()),
            errors.InvalidModel: (InvalidModelError, _named("line", "element")),
            InvalidMapping: (InvalidMappingError, _of_mapping),
            PlanChanged: (PlanChangedError, _of_plans),
            errors.UpgradeNotFound: (UpgradeNotFoundError, _of_upgrade),
            errors.WrongState: (WrongStateError, _of_state),
            IdempotencyConflict: (IdempotencyConflictError, _of_upgrade),
        }
    )
)
"""For each refusal that the client can mend: its type, and how the facts that the type shows are found."""


def show_refusal(error: errors.UpliftError) -> UserError:
    """The user error that stands for a refusal. Raises the refusal itself when it is not about the input."""
    entry = USER_ERRORS.get(type(error))
    if entry is None:
        raise error
    shown, facts_of = entry
    return shown(
        message=error.message,
        field=[part for name in error.field for part in name.split(".")] or None,
        code=UserErrorCode(error.code),
        **facts_of(error),
    )
