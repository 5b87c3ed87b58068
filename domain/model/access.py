"""Who may ask: the roles of API keys and the one rule that guards every change."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from uplift.domain.errors import Forbidden


class Role(StrEnum):
    """What a caller may do."""

    SYSTEM_ADMIN = "system_admin"
    """May read and change everything."""
    READER = "reader"
    """May only read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the name of the API key (kept in the audit) and its role."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is listed: everything but its secret. Times are in UTC.

    `created_by` and `revoked_by` are names of callers; None of what happened before they were kept.
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
        """Whether it lets its holder in at this time: neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """How often a key was accepted on a day (in UTC), or refused as revoked or expired, and when last."""

    key: UUID
    day: date
    accepted: bool
    times: int
    last_at: datetime


Authenticate = Callable[[str | None], Awaitable[Caller]]
"""Tells who asks from the value of an `Authorization` header; raises Unauthenticated when it cannot."""


def require_system_admin(caller: Caller) -> None:
    """Refuse a caller who may only read.

    Raises Forbidden. Source: the legacy API's 403, "only a system administrator can do it"
    (rules.md#the-request).
    """
    if caller.role is not Role.SYSTEM_ADMIN:
        raise Forbidden(caller=caller.name, role=caller.role)
