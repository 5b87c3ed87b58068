"""Runs the use case of a mutation, and makes a user error of its refusal."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import strawberry

from uplift.domain.errors import UpliftError
from uplift.domain.model.access import Caller, require_system_admin
from uplift.graphql_api.context import Context
from uplift.graphql_api.types.user_errors import UserError, user_error_from_domain

Changed = TypeVar("Changed")

INPUT = strawberry.argument(name="input", description="What to change.")


async def attempt(
    context: Context,
    change: Callable[[], Awaitable[Changed]],
    require_role: Callable[[Caller], None] = require_system_admin,
) -> tuple[Changed | None, list[UserError]]:
    """What the use case returned, or None with the user error. Raises Forbidden."""
    require_role(context.caller)  # checked before the input, which may be invalid as well
    try:
        changed = await change()
    except UpliftError as error:
        return None, [user_error_from_domain(error)]
    context.loaders.clear()
    return changed, []
