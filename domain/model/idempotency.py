"""Was this request made before?

A client that got no answer repeats its request under the same key: it gets the upgrade of the first one, and
nothing is done twice. A key belongs to the caller who sent it, and is forgotten after KEPT_FOR.
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
    """A key of a caller, and the digest (16 bytes) of what was asked under it."""

    caller: str
    key: str
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRequest:
    """An earlier request: the digest of what was asked, and the upgrade it led to."""

    digest: bytes
    upgrade: UpgradeId


class IdempotencyConflict(UpliftError):
    """The key was used before, for something else; nothing was written."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT

    def __init__(self, *, key: str, upgrade: UpgradeId) -> None:
        super().__init__(
            f"Expected idempotency key {key!r} to come with the request it came with first, "
            f"which led to upgrade {upgrade}, but this request is another one.",
            field=("idempotencyKey",),
        )
        self.key = key
        self.upgrade = upgrade


def idempotency_key(text: str, *, caller: Caller, digest: bytes) -> IdempotencyKey:
    """A checked key of a caller, for the request with this digest. Raises InvalidInput."""
    if not 0 < len(text) <= MAX_KEY_LENGTH or not text.isprintable():
        raise InvalidInput(
            f"Expected idempotencyKey to be 1 to {MAX_KEY_LENGTH} printable characters, "
            f"but got {text[:100]!r}.",
            field=("idempotencyKey",),
        )
    return IdempotencyKey(caller=caller.name, key=text, digest=digest)


def require_same_request(key: IdempotencyKey, known: KnownRequest) -> None:
    """Raise IdempotencyConflict when the key came with another request before."""
    if known.digest != key.digest:
        raise IdempotencyConflict(key=key.key, upgrade=known.upgrade)
