"""Who holds an API key, and how is a new one made?

A key reads `uplift_<43 letters and digits of secret><6 of checksum>`: the prefix lets secret scanners find a
leaked one, the checksum tells a mistyped one apart without asking the database. Only the SHA-256 of the key
is stored; its 256 random bits need no slow hash.
"""

import hashlib
import secrets
import string
import zlib
from datetime import datetime
from uuid import uuid4

from structlog.contextvars import bind_contextvars

from uplift.domain.clock import Clock, utc_now
from uplift.domain.errors import InvalidInput, Unauthenticated
from uplift.domain.model.access import ApiKey, Caller, Role
from uplift.gateway.auth.key_uses import KeyUses
from uplift.gateway.http.rate_limit import RateLimit
from uplift.storage.repositories.api_keys import SqlKeys

PREFIX = "uplift_"
ALPHABET = string.digits + string.ascii_letters
SECRET_LENGTH = 43
"""62 ** 43 is just above 2 ** 256."""
CHECKSUM_LENGTH = 6
MAX_NAME_LENGTH = 100


async def create_key(
    keys: SqlKeys,
    *,
    name: str,
    role: Role,
    by: str | None = None,
    expires_at: datetime | None = None,
    clock: Clock = utc_now,
) -> tuple[ApiKey, str]:
    """Create a key; returns what is kept of it, and the key itself, which is never shown again.

    Raises InvalidInput for a name that is empty, too long or not printable, and for an end in the past.
    """
    if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise InvalidInput(
            f"Expected name to be 1 to {MAX_NAME_LENGTH} printable characters, but got {name!r}.",
            field=("name",),
        )
    token, now = new_token(), clock()
    if expires_at is not None and expires_at <= now:
        raise InvalidInput(
            f"Expected the key to expire in the future, but got {expires_at:%Y-%m-%d %H:%M} (UTC).",
            field=("expires_at",),
        )
    key = ApiKey(id=uuid4(), name=name, role=role, created_at=now, created_by=by, expires_at=expires_at)
    await keys.add(key, digest_of(token))
    return key, token


class Authenticator:
    """Tells callers by the keys they send as `Authorization: Bearer <key>`.

    Each request asks the database, for a revocation counts at once, whichever process made it.
    """

    def __init__(
        self,
        keys: SqlKeys,
        uses: KeyUses | None = None,
        rate_limit: RateLimit | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._keys = keys
        self._uses = uses or KeyUses(keys, clock)
        self._rate_limit = rate_limit
        self._clock = clock

    async def __call__(self, authorization: str | None) -> Caller:
        """Who makes this request. Raises Unauthenticated, and TooManyRequests above the rate limit."""
        key = await self._known(authorization)
        accepted = key.is_valid(self._clock())
        self._uses.note(key.id, accepted=accepted)
        if not accepted:
            raise Unauthenticated()
        if self._rate_limit is not None:
            await self._rate_limit.count(key.id, caller=key.name)
        return Caller(name=key.name, role=key.role)

    async def recheck(self, authorization: str | None) -> None:
        """See whether the key of a request that goes on is still valid. Raises Unauthenticated."""
        key = await self._known(authorization)
        if not key.is_valid(self._clock()):
            raise Unauthenticated()

    async def _known(self, authorization: str | None) -> ApiKey:
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not is_well_formed(token):
            raise Unauthenticated()
        key = await self._keys.find(digest_of(token))
        if key is None:
            raise Unauthenticated()
        bind_contextvars(key_id=str(key.id))  # for the log
        return key


def new_token() -> str:
    """A new key."""
    secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    return f"{PREFIX}{secret}{_checksum(secret)}"


def is_well_formed(token: str) -> bool:
    """Whether this could be a key of ours: the checksum must fit."""
    secret = token.removeprefix(PREFIX)[:SECRET_LENGTH]
    return token == f"{PREFIX}{secret}{_checksum(secret)}"


def digest_of(token: str) -> bytes:
    """What is stored of a key (32 bytes)."""
    return hashlib.sha256(token.encode()).digest()


def _checksum(secret: str) -> str:
    rest, digits = zlib.crc32(secret.encode("utf-8", "replace")), ""
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
