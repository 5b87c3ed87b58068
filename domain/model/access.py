"""Defines callers, their roles and API keys, and the guard of every change."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from uplift.domain.errors import Forbidden


class Role(StrEnum):
    """The permissions of a caller."""

    SYSTEM_ADMIN = "system_admin"
    """May read and change everything."""
    READER = "reader"
    """May only read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The sender of a request: the name of the API key, which the audit records, and its role."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key without its secret. Times are in UTC.

    `created_by` and `revoked_by` are names of callers. They are None in keys that were
    created or revoked before Uplift recorded these names.
    """

    id: UUID
    name: str
    role: Role
    created_at: datetime
    created_by: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    def is_valid(self, at: datetime) -> bool:
        """Whether the key is neither revoked nor expired at this time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """How often a key was used on a day (in UTC), and when last.

    `accepted` is False for uses of a revoked or expired key.
    """

    key_id: UUID
    day: date
    accepted: bool
    times: int
    last_at: datetime


Authenticate = Callable[[str | None], Awaitable[Caller]]
"""Returns the caller for the value of an `Authorization` header. Raises Unauthenticated."""


def require_system_admin(caller: Caller) -> None:
    """Raise Forbidden unless the caller is a system administrator.

    Source: the legacy API's 403, "only a system administrator can do it"
    (rules.md#the-request).
    """
    if caller.role is not Role.SYSTEM_ADMIN:
        raise Forbidden(caller=caller.name, role=caller.role)
