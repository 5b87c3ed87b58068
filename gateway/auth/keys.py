"""Creates API keys, and authenticates callers by them.

A key has the form `uplift_<43 letters and digits of secret><6 of checksum>`. Secret scanners find a leaked
key by its prefix, and the checksum rejects a mistyped key without a query. Only the SHA-256 of a key is
stored: its 256 random bits need no slow hash.
"""

import hashlib
import secrets
import string
import zlib
from contextvars import ContextVar
from datetime import datetime
from uuid import UUID, uuid4

from structlog.contextvars import bind_contextvars

from uplift.domain.clock import Clock, utc_now
from uplift.domain.errors import InvalidInput, KeyFault, Unauthenticated
from uplift.domain.model.access import ApiKey, Caller, Namespaces, Role
from uplift.gateway.auth.key_uses import KeyUses
from uplift.gateway.http.rate_limit import RateLimit
from uplift.storage.repositories.api_keys import SqlKeys

PREFIX = "uplift_"
ALPHABET = string.digits + string.ascii_letters
SECRET_LENGTH = 43
"""62 ** 43 is just above 2 ** 256."""
CHECKSUM_LENGTH = 6
MAX_NAME_LENGTH = 100
LOCAL_PREFIX = "cli:"
"""Begins the names of callers who use the command line on the database itself."""

_present_key: ContextVar[UUID | None] = ContextVar("present_key", default=None)


def present_key() -> UUID | None:
    """The id of the key that the present request came with; None outside of requests, as in a worker."""
    return _present_key.get()


class KeyNameTaken(InvalidInput):
    """Another key has this name and is not revoked."""

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f"Expected a name that no other key has, but a key named {name!r} exists and is not revoked.",
            field=("name",),
        )


async def create_key(
    keys: SqlKeys,
    *,
    name: str,
    role: Role,
    namespaces: Namespaces | None = None,
    by: str | None = None,
    expires_at: datetime | None = None,
    clock: Clock = utc_now,
) -> tuple[ApiKey, str]:
    """Create a key. Returns its record, and the key itself, which cannot be shown again.

    Raises InvalidInput for a name that is empty, too long, not printable, or used by another key that is not
    revoked, and for an expiry in the past.
    """
    if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise InvalidInput(
            f"Expected name to be 1 to {MAX_NAME_LENGTH} printable characters, but got {name!r}.",
            field=("name",),
        )
    if name.startswith(LOCAL_PREFIX):
        raise InvalidInput(
            f"Expected name not to begin with {LOCAL_PREFIX!r}, which marks users of the command line in the "
            f"audit, but got {name!r}.",
            field=("name",),
        )
    token, now = new_token(), clock()
    if expires_at is not None and expires_at <= now:
        raise InvalidInput(
            f"Expected the key to expire in the future, but got {expires_at:%Y-%m-%d %H:%M} (UTC).",
            field=("expires_at",),
        )
    key = ApiKey(
        id=uuid4(),
        name=name,
        role=role,
        created_at=now,
        created_by=by,
        namespaces=namespaces,
        expires_at=expires_at,
    )
    if not await keys.add(key, digest_of(token)):
        raise KeyNameTaken(name=name)
    return key, token


async def first_admin_key(keys: SqlKeys) -> str | None:
    """Create a key for a system administrator if the database has no key at all, else return None."""
    if not await keys.is_empty():
        return None
    try:
        _, token = await create_key(keys, name="first-admin", role=Role.SYSTEM_ADMIN, by="first start")
    except KeyNameTaken:  # another server has started on the same database at the same time
        return None
    return token


class Authenticator:
    """Authenticates callers by the keys that they send as `Authorization: Bearer <key>`.

    Each request reads its key from the database, so a revocation by any process takes effect immediately.
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
        """The caller of a request. Raises Unauthenticated, and TooManyRequests above the rate limit."""
        key = await self._find(authorization)
        accepted = key.is_valid(self._clock())
        self._uses.count(key.id, accepted=accepted)
        if not accepted:
            raise Unauthenticated
        if self._rate_limit is not None:
            await self._rate_limit.count(key.id, caller=key.name)
        return key.caller

    async def recheck(self, authorization: str | None) -> ApiKey:
        """The key of an open stream, which does not count as a use. Raises Unauthenticated."""
        key = await self._find(authorization)
        if not key.is_valid(self._clock()):
            raise Unauthenticated
        return key

    async def _find(self, authorization: str | None) -> ApiKey:
        if not authorization:
            raise Unauthenticated(KeyFault.MISSING)
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not is_well_formed(token):
            raise Unauthenticated(KeyFault.MALFORMED)
        key = await self._keys.find(digest_of(token))
        if key is None:
            raise Unauthenticated
        bind_contextvars(key_id=str(key.id))  # the request's log lines name the key
        _present_key.set(key.id)
        return key


def new_token() -> str:
    """A new random key."""
    secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    return f"{PREFIX}{secret}{_checksum(secret)}"


def is_well_formed(token: str) -> bool:
    """Whether this has the form and checksum of a key."""
    if not token.isascii():  # also half of a surrogate pair, which has no digest
        return False
    secret = token.removeprefix(PREFIX)[:SECRET_LENGTH]
    return token == f"{PREFIX}{secret}{_checksum(secret)}"


def digest_of(token: str) -> bytes:
    """The digest that is stored instead of the key (32 bytes)."""
    return hashlib.sha256(token.encode()).digest()


def _checksum(secret: str) -> str:
    remainder, digits = zlib.crc32(secret.encode("utf-8", "replace")), ""
    for _ in range(CHECKSUM_LENGTH):
        remainder, digit = divmod(remainder, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
