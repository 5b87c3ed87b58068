"""Who holds an API key, and how is a new one made?

A key reads `uplift_<43 letters and digits of secret><6 of checksum>`: the prefix lets secret scanners find a
leaked one, the checksum tells a mistyped one apart without asking the database. Only the SHA-256 of the key
is stored; its 256 random bits need no slow hash.
"""

import hashlib
import secrets
import string
import zlib
from uuid import uuid4

from structlog.contextvars import bind_contextvars

from domain.access import ApiKey, Authenticate, Caller, Role
from domain.clock import Clock, utc_now
from domain.errors import InvalidInput, Unauthenticated
from gateway.rate_limit import RateLimit
from storage.keys import SqlKeys

PREFIX = "uplift_"
ALPHABET = string.digits + string.ascii_letters
SECRET_LENGTH = 43
"""62 ** 43 is just above 2 ** 256."""
CHECKSUM_LENGTH = 6
MAX_NAME_LENGTH = 100


async def create_key(keys: SqlKeys, *, name: str, role: Role, clock: Clock = utc_now) -> tuple[ApiKey, str]:
    """Create a key; returns what is kept of it, and the key itself, which is never shown again.

    Raises InvalidInput for a name that is empty, too long or not printable.
    """
    if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise InvalidInput(
            f"Expected name to be 1 to {MAX_NAME_LENGTH} printable characters, but got {name!r}.",
            field=("name",),
        )
    token = new_token()
    key = ApiKey(id=uuid4(), name=name, role=role, created_at=clock())
    await keys.add(key, digest_of(token))
    return key, token


def authenticator(keys: SqlKeys, rate_limit: RateLimit | None = None) -> Authenticate:
    """Tells callers by the keys they send as `Authorization: Bearer <key>`.

    Raises Unauthenticated, and TooManyRequests when a key asks more often than the rate limit allows.
    """

    async def authenticate(authorization: str | None) -> Caller:
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not is_well_formed(token):
            raise Unauthenticated()
        key = await keys.find_valid(digest_of(token))
        if key is None:
            raise Unauthenticated()
        bind_contextvars(key_id=str(key.id))  # for the log
        if rate_limit is not None:
            await rate_limit.count(key.id, caller=key.name)
        return Caller(name=key.name, role=key.role)

    return authenticate


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
