"""Defines callers, their roles and API keys, and the guard of every change."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from uplift.domain.errors import Forbidden, InvalidInput
from uplift.domain.model.process import MAX_NAME_LENGTH, ProcessKey, is_name

Namespaces = frozenset[str]

MAX_NAMESPACES = 100
"""The largest scope of an API key, in namespaces. Each request reads the scope of its key."""


class Role(StrEnum):
    """The permissions of a caller."""

    SYSTEM_ADMIN = "system_admin"
    """May read and change everything."""
    READER = "reader"
    """May only read."""
    ENGINE = "engine"
    """May fetch and settle orders, and register and report instances: a workflow engine of one's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The sender of a request: the name of the API key, which the audit records, its role and its scope.

    `expires_at` is when the key stops being valid, in UTC; None if it does not expire.

    `namespaces` is the scope: the namespaces whose processes the caller may see; None means all. Pass the
    store through `uplift.domain.scope.visible_to`, which applies the scope to everything in it.
    """

    name: str
    role: Role
    namespaces: Namespaces | None = None
    expires_at: datetime | None = None

    def may_see(self, process_key: ProcessKey) -> bool:
        """Whether the scope of the caller includes this process."""
        return self.namespaces is None or process_key.namespace in self.namespaces


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key without its secret. Times are in UTC. `namespaces` is its scope; None means all.

    `created_by` and `revoked_by` are names of callers. They are None in keys that were
    created or revoked before Uplift recorded these names.
    """

    id: UUID
    name: str
    role: Role
    created_at: datetime
    created_by: str | None = None
    namespaces: Namespaces | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    @property
    def caller(self) -> Caller:
        """The sender of a request with this key."""
        return Caller(name=self.name, role=self.role, namespaces=self.namespaces, expires_at=self.expires_at)

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


def require_engine(caller: Caller) -> None:
    """Raise Forbidden unless the caller is an engine or a system administrator."""
    if caller.role not in (Role.ENGINE, Role.SYSTEM_ADMIN):
        raise Forbidden(
            caller=caller.name, role=caller.role, needed="the key of an engine or a system administrator"
        )


def require_reader(caller: Caller) -> None:
    """Raise Forbidden for an engine: its key lies on another machine, and needs no more than its orders."""
    if caller.role is Role.ENGINE:
        raise Forbidden(
            caller=caller.name, role=caller.role, needed="the key of a reader or a system administrator"
        )


def scope_of(namespaces: Collection[str]) -> Namespaces | None:
    """A checked scope of these namespaces, or None, the scope of all, for no namespace.

    The namespaces need not exist yet. Raises InvalidInput for a text that no namespace can have, and for
    more than MAX_NAMESPACES.
    """
    for namespace in namespaces:
        if not is_name(namespace):
            raise InvalidInput(
                f"Expected each namespace to be 1 to {MAX_NAME_LENGTH} printable characters without spaces "
                f"and '/', but got {namespace[:MAX_NAME_LENGTH]!r}.",
                field=("namespaces",),
            )
    scope = frozenset(namespaces)
    if len(scope) > MAX_NAMESPACES:
        raise InvalidInput(
            f"Expected at most {MAX_NAMESPACES} namespaces, but got {len(scope):,}.", field=("namespaces",)
        )
    return scope or None
