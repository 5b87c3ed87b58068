"""How does a client of a mutation learn that the domain refused it?

By entries of `userErrors`, made here from the domain's errors by one table. What is about the caller instead
of the input (no valid key, not a system administrator) stays a top-level error.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import strawberry

from domain import errors
from graphql_api.enums import UserErrorCode


@strawberry.interface(
    description=(
        "Why a mutation was refused; nothing was changed. What is about the caller instead of the input is a "
        "top-level error with the code UNAUTHENTICATED or FORBIDDEN."
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


USER_ERRORS: Mapping[type[errors.UpliftError], tuple[type[UserError], tuple[str, ...]]] = MappingProxyType(
    {
        errors.ProcessNotFound: (ProcessNotFoundError, ("namespace", "process_code")),
        errors.ProcessExists: (ProcessExistsError, ("namespace", "process_code")),
        errors.NoPublishedVersion: (NoPublishedVersionError, ("namespace", "process_code")),
        errors.NoDraft: (NoDraftError, ("namespace", "process_code")),
        errors.InvalidSelection: (InvalidSelectionError, ()),
        errors.InvalidInput: (InvalidInputError, ()),
        errors.InvalidModel: (InvalidModelError, ("line", "element")),
    }
)
"""For each refusal that the client can mend: its type, and the facts that the type shows."""


def show_refusal(error: errors.UpliftError) -> UserError:
    """The user error that stands for a refusal. Raises the refusal itself when it is about the caller."""
    entry = USER_ERRORS.get(type(error))
    if entry is None:
        raise error
    shown, facts = entry
    return shown(
        message=error.message,
        field=[part for name in error.field for part in name.split(".")] or None,
        code=UserErrorCode(error.code),
        **_facts(error, facts),
    )


def _facts(error: errors.UpliftError, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(error, name) for name in names}
