"""The audit of API keys: who created and revoked them, and when they were used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from uplift.domain.errors import InvalidInput
from uplift.domain.model.access import ApiKey, KeyUse
from uplift.storage.repositories.api_keys import SqlKeys

UNKNOWN = "somebody"
"""Stands for the creator of a key that is older than the column `created_by`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvent:
    """An event in the life of a key. The uses of one day are one event, at the time of the last use."""

    at: datetime
    key_id: UUID
    name: str
    what: str


async def key_events(keys: SqlKeys, key_id: UUID | None = None) -> list[KeyEvent]:
    """The events of all keys, or of one, oldest first. Raises InvalidInput when no key has this id."""
    known = {key.id: key for key in await keys.all()}
    if key_id is not None and key_id not in known:
        raise InvalidInput(f"Expected to show key {key_id}, but no key has this id.")
    selected = [key for key in known.values() if key_id in (None, key.id)]
    uses = [use for use in await keys.uses() if key_id in (None, use.key_id)]
    return sorted([*_lifecycle_events(selected), *_use_events(uses, known)], key=lambda event: event.at)


def _lifecycle_events(keys: Sequence[ApiKey]) -> Iterator[KeyEvent]:
    for key in keys:
        until = f", until {key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else ""
        scope = "" if key.namespaces is None else f" for {', '.join(sorted(key.namespaces))}"
        created = f"created as {key.role}{scope} by {key.created_by or UNKNOWN}{until}"
        yield KeyEvent(at=key.created_at, key_id=key.id, name=key.name, what=created)
        if key.revoked_at is not None:
            revoked = f"revoked by {key.revoked_by or UNKNOWN}"
            yield KeyEvent(at=key.revoked_at, key_id=key.id, name=key.name, what=revoked)


def _use_events(uses: Sequence[KeyUse], known: dict[UUID, ApiKey]) -> Iterator[KeyEvent]:
    for use in uses:
        what = "used" if use.accepted else "refused as revoked or expired"
        times = "once" if use.times == 1 else f"{use.times:,} times"
        yield KeyEvent(
            at=use.last_at, key_id=use.key_id, name=known[use.key_id].name, what=f"{what} {times} that day"
        )
