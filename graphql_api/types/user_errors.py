"""User errors: the domain's refusals of a mutation or a plan, as entries of `userErrors`.

Refusals that are not about the input (an invalid key, a missing role, a rate limit, a store that cannot
answer) are top-level errors instead.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Self
from uuid import UUID

import strawberry

from uplift.domain import errors
from uplift.domain.model.idempotency import IdempotencyConflict
from uplift.domain.model.mapping import InvalidMapping
from uplift.domain.use_cases.plan import Fingerprint, PlanChanged
from uplift.graphql_api.engine.errors import field_path
from uplift.graphql_api.types.enums import UpgradeState, UserErrorCode
from uplift.graphql_api.types.reasons import Finding

Facts = Callable[[Any], dict[str, Any]]
"""From a domain error to the fields that its user error adds to the interface."""


@strawberry.interface(
    description="Why a mutation or a plan was refused. A refused request changed nothing. Errors that are "
    "not about the input are top-level errors with the code UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED or "
    "STORE_UNAVAILABLE."
)
class UserError:
    message: str = strawberry.field(
        description="The error as a sentence for people: what was expected and what was found."
    )
    field: list[str] | None = strawberry.field(
        description="The path to the invalid value, starting below `input`; null if there is no single one."
    )
    code: UserErrorCode = strawberry.field(description="The error as a stable code, for programs.")


@strawberry.type(description="PROCESS_NOT_FOUND: no process has this namespace and code.")
class ProcessNotFoundError(UserError):
    namespace: str = strawberry.field(description="The namespace in the request.")
    process_code: str = strawberry.field(description="The code in the request.")


@strawberry.type(description="PROCESS_EXISTS: a process with this namespace and code exists already.")
class ProcessExistsError(UserError):
    namespace: str = strawberry.field(description="The namespace of the process.")
    process_code: str = strawberry.field(description="The code of the process.")


@strawberry.type(description="NO_PUBLISHED_VERSION: the process has no published version to upgrade to.")
class NoPublishedVersionError(UserError):
    namespace: str = strawberry.field(description="The namespace of the process.")
    process_code: str = strawberry.field(description="The code of the process.")


@strawberry.type(description="NO_DRAFT: the process has no draft to publish.")
class NoDraftError(UserError):
    namespace: str = strawberry.field(description="The namespace of the process.")
    process_code: str = strawberry.field(description="The code of the process.")


@strawberry.type(
    description="LINKED: the process runs in a linked engine, from which its versions and instances come."
)
class ProcessLinkedError(UserError):
    namespace: str = strawberry.field(description="The namespace of the process.")
    process_code: str = strawberry.field(description="The code of the process.")


@strawberry.type(description="LINK_EXISTS: a link with this name exists already.")
class LinkExistsError(UserError):
    name: str = strawberry.field(description="The name of the link.")


@strawberry.type(description="LINK_NOT_FOUND: no link has this name.")
class LinkNotFoundError(UserError):
    name: str = strawberry.field(description="The name in the request.")


@strawberry.type(
    description="LINK_IN_USE: an upgrade of the link has not finished, or waits for answers of the engine."
)
class LinkInUseError(UserError):
    name: str = strawberry.field(description="The name of the link.")
    upgrade_id: UUID = strawberry.field(description="The id of the upgrade.")


@strawberry.type(description="INVALID_SELECTION: the selection names no instances, or too many.")
class InvalidSelectionError(UserError):
    pass


@strawberry.type(description="INVALID_INPUT: the field does not accept this value.")
class InvalidInputError(UserError):
    pass


@strawberry.type(description="INVALID_MODEL: the BPMN document is not valid.")
class InvalidModelError(UserError):
    line: int | None = strawberry.field(
        description="The number of the invalid line, from 1; null if it is unknown."
    )
    element: str | None = strawberry.field(
        description="The id of the invalid BPMN element; null if it is unknown."
    )


@strawberry.type(description="INVALID_MAPPING: a mapping instruction breaks a rule.")
class InvalidMappingError(UserError):
    from_version: int = strawberry.field(description="The number of the source version of the instructions.")
    findings: list[Finding] = strawberry.field(description="The rules that instructions break.")


@strawberry.type(description="The main figures of a plan.")
class PlanSummary:
    fingerprint: str = strawberry.field(description="The fingerprint of the plan.")
    target_version: int = strawberry.field(description="The number of the target version.")
    upgraded: int = strawberry.field(description="The number of instances that would be upgraded.")
    skipped: int = strawberry.field(description="The number of instances that would be skipped.")

    @classmethod
    def from_domain(cls, fingerprint: Fingerprint) -> Self:
        return cls(
            fingerprint=str(fingerprint),
            target_version=fingerprint.target_version,
            upgraded=fingerprint.upgraded,
            skipped=fingerprint.skipped,
        )


@strawberry.type(description="PLAN_CHANGED: the upgrade would no longer do what the plan said.")
class PlanChangedError(UserError):
    planned: PlanSummary = strawberry.field(description="The plan with the fingerprint in the request.")
    now: PlanSummary = strawberry.field(description="The plan as it would be now.")


@strawberry.type(description="UPGRADE_NOT_FOUND: no upgrade has this id.")
class UpgradeNotFoundError(UserError):
    upgrade_id: UUID = strawberry.field(description="The id in the request.")


@strawberry.type(description="WRONG_STATE: the state of the upgrade does not allow the change.")
class WrongStateError(UserError):
    upgrade_id: UUID = strawberry.field(description="The id of the upgrade.")
    state: UpgradeState = strawberry.field(description="The state of the upgrade.")
    allowed_states: list[UpgradeState] = strawberry.field(description="The states that allow the change.")


@strawberry.type(
    description="IDEMPOTENCY_CONFLICT: the idempotency key was used before with another request."
)
class IdempotencyConflictError(UserError):
    upgrade_id: UUID = strawberry.field(description="The id of the upgrade that was requested with the key.")


def user_error_from_domain(error: errors.UpliftError) -> UserError:
    """The user error for a refusal. Raises the refusal itself if it is not about the input."""
    entry = USER_ERRORS.get(type(error))
    if entry is None:
        raise error
    user_error, facts_of = entry
    return user_error(
        message=error.message,
        field=field_path(error) or None,
        code=UserErrorCode(error.code),
        **facts_of(error),
    )


def _attributes(*names: str) -> Facts:
    return lambda error: {name: getattr(error, name) for name in names}


def _of_mapping(error: InvalidMapping) -> dict[str, Any]:
    return {
        "from_version": error.from_version,
        "findings": list(map(Finding.from_domain, error.findings)),
    }


def _of_plans(error: PlanChanged) -> dict[str, Any]:
    return {
        "planned": PlanSummary.from_domain(error.planned),
        "now": PlanSummary.from_domain(error.now),
    }


def _of_state(error: errors.WrongState) -> dict[str, Any]:
    return {
        **_of_upgrade(error),
        "state": UpgradeState(error.state),
        "allowed_states": [UpgradeState(state) for state in error.allowed],
    }


def _of_upgrade(error: Any) -> dict[str, Any]:
    return {"upgrade_id": error.upgrade_id}


_of_process = _attributes("namespace", "process_code")

USER_ERRORS: Mapping[type[errors.UpliftError], tuple[type[UserError], Facts]] = MappingProxyType(
    {
        errors.ProcessNotFound: (ProcessNotFoundError, _of_process),
        errors.ProcessExists: (ProcessExistsError, _of_process),
        errors.NoPublishedVersion: (NoPublishedVersionError, _of_process),
        errors.NoDraft: (NoDraftError, _of_process),
        errors.ProcessLinked: (ProcessLinkedError, _of_process),
        errors.LinkExists: (LinkExistsError, _attributes("name")),
        errors.LinkNotFound: (LinkNotFoundError, _attributes("name")),
        errors.LinkInUse: (LinkInUseError, _attributes("name", "upgrade_id")),
        errors.InvalidSelection: (InvalidSelectionError, _attributes()),
        errors.InvalidInput: (InvalidInputError, _attributes()),
        errors.InvalidModel: (InvalidModelError, _attributes("line", "element")),
        InvalidMapping: (InvalidMappingError, _of_mapping),
        PlanChanged: (PlanChangedError, _of_plans),
        errors.UpgradeNotFound: (UpgradeNotFoundError, _of_upgrade),
        errors.WrongState: (WrongStateError, _of_state),
        IdempotencyConflict: (IdempotencyConflictError, _of_upgrade),
    }
)
"""The user error of each refusal that is about the input."""
