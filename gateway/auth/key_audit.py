"""What was done with API keys, by whom and when?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from uplift.domain.errors import InvalidInput
from uplift.domain.model.access import ApiKey, KeyUse
from uplift.storage.repositories.api_keys import SqlKeys

NOT_KEPT = "somebody"
"""Who created a key when that was not kept yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvent:
    """Something that happened to a key, in words. A day's uses are one event, at the time of the last."""

    at: datetime
    key: UUID
    name: str
    what: str


async def key_events(keys: SqlKeys, of: UUID | None = None) -> list[KeyEvent]:
    """Everything that is known of all keys or of one, the oldest first. Raises InvalidInput for no key."""
    known = {key.id: key for key in await keys.all()}
    if of is not None and of not in known:
        raise InvalidInput(f"Expected to show key {of}, but no key has this id.")
    wanted = [key for key in known.values() if of in (None, key.id)]
    uses = [use for use in await keys.uses() if of in (None, use.key)]
    return sorted([*_managed(wanted), *_used(uses, known)], key=lambda event: event.at)


def _managed(keys: Sequence[ApiKey]) -> Iterator[KeyEvent]:
    for key in keys:
        until = f", until {key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else ""
        created = f"created as {key.role} by {key.created_by or NOT_KEPT}{until}"
        yield KeyEvent(at=key.created_at, key=key.id, name=key.name, what=created)
        if key.revoked_at is not None:
            revoked = f"revoked by {key.revoked_by or NOT_KEPT}"
            yield KeyEvent(at=key.revoked_at, key=key.id, name=key.name, what=revoked)


def _used(uses: Sequence[KeyUse], known: dict[UUID, ApiKey]) -> Iterator[KeyEvent]:
    for use in uses:
        what = "used" if use.accepted else "refused as revoked or expired"
        times = "once" if use.times == 1 else f"{use.times:,} times"
        yield KeyEvent(at=use.last_at, key=use.key, name=known[use.key].name, what=f"{what} {times} that day")
