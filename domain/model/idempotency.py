"""Idempotency keys: a client that got no answer repeats its request with the same key.

It gets the upgrade of the first request, and nothing is done twice. A key belongs to the caller who sent it,
and expires after KEPT_FOR.
"""

from dataclasses import dataclass
from datetime import timedelta

from uplift.domain.errors import ErrorCode, InvalidInput, UpliftError
from uplift.domain.model.access import Caller
from uplift.domain.model.selection import UpgradeId

KEPT_FOR = timedelta(hours=24)
MAX_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """A key of a caller, and the digest (16 bytes) of the request that came with it."""

    caller: str
    key: str
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRequest:
    """An earlier request with the same key: its digest, and the upgrade that it led to."""

    digest: bytes
    upgrade_id: UpgradeId


class IdempotencyConflict(UpliftError):
    """The key came with another request before; nothing was written."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT

    def __init__(self, *, key: str, upgrade_id: UpgradeId) -> None:
        super().__init__(
            f"Expected idempotency key {key!r} to come with the request it came with first, "
            f"which led to upgrade {upgrade_id}, but this request is another one.",
            field=("idempotency_key",),
        )
        self.key = key
        self.upgrade_id = upgrade_id


def idempotency_key(text: str, *, caller: Caller, digest: bytes) -> IdempotencyKey:
    """A checked key of a caller, for the request with this digest. Raises InvalidInput."""
    if not 0 < len(text) <= MAX_KEY_LENGTH or not text.isprintable():
        raise InvalidInput(
            f"Expected an idempotency key of 1 to {MAX_KEY_LENGTH} printable characters, "
            f"but got {text[:100]!r}.",
            field=("idempotency_key",),
        )
    return IdempotencyKey(caller=caller.name, key=text, digest=digest)


def require_same_request(key: IdempotencyKey, known: KnownRequest) -> None:
    """Raise IdempotencyConflict when the key came with another request before."""
    if known.digest != key.digest:
        raise IdempotencyConflict(key=key.key, upgrade_id=known.upgrade_id)
