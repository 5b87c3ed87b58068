"""Fetches access tokens by the client credentials grant of OAuth 2.0 (RFC 6749, 4.4), and keeps the last."""

import asyncio
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from uplift.domain.model.link import Credentials, SecretPlace, TokenEndpoint
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind
from uplift.engines.credentials import TOKEN, Authorization, named, read_secret
from uplift.engines.transport import (
    Timeouts,
    bounded,
    new_http,
    plain,
    read_content,
    require_answer,
    unreachable,
)

TIMEOUTS = Timeouts(connect=5, read=10, total=15)
"""Shorter than those of engines: a request waits for its token before it is sent."""
MAX_REPLY = 64 * 1024
"""The most bytes of an answer that are read."""
MAX_TOKEN = 16 * 1024
"""The longest token, in characters. Servers refuse headers that are longer than this."""
DEFAULT_SECONDS = 300.0
"""How long a token is taken to be valid if the answer does not say."""
MAX_SECONDS = 24 * 3_600.0
"""The longest time for which a token is kept."""
MARGIN_SECONDS = 30.0
"""A token is replaced so long before it expires: a request takes time, and clocks differ."""
MIN_AGE_SECONDS = 5.0
"""A token that is refused at a lower age is not replaced: a new one would be refused, too."""

_NAME = "the request for a token"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    text: str
    fetched: float
    valid_until: float


class TokenSource:
    """The tokens of one link. It fetches one at a time, when there is none that is valid.

    The secret of the client is read anew for each of them. `monotonic` returns seconds of a clock that is
    never set.
    """

    def __init__(
        self,
        credentials: Credentials,
        endpoint: TokenEndpoint,
        *,
        timeouts: Timeouts = TIMEOUTS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._credentials = credentials
        self._endpoint = endpoint
        self._timeouts = timeouts
        self._monotonic = monotonic
        self._http = new_http(endpoint.url, timeouts)
        self._lock = asyncio.Lock()
        self._token: _Token | None = None

    async def authorization(self) -> Authorization:
        """The header with a token that is valid. Raises EngineFault, of no kind that speaks of instances."""
        # Requests that run at the same time wait for one token, and do not fetch one each.
        async with self._lock:
            if self._token is None or self._monotonic() >= self._token.valid_until:
                self._token = await self._fetch()
            return Authorization(f"Bearer {self._token.text}", self._token.text)

    def drop(self, refused: Authorization) -> bool:
        """Discard a token that the engine refuses. Returns whether to send the request with another one."""
        token = self._token
        if token is None or token.text != refused.secret:
            return True
        if self._monotonic() - token.fetched < MIN_AGE_SECONDS:
            return False
        self._token = None
        return True

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _fetch(self) -> _Token:
        place = SecretPlace(environment=self._credentials.environment, file=self._credentials.file)
        secret = read_secret(place)
        if not secret:
            raise EngineFault(
                EngineFaultKind.UNAUTHORISED,
                f"Expected the secret of the client in {named(place)}, but there is none.",
            )
        began = self._monotonic()
        async with bounded(_NAME, self._timeouts, lambda text: text.replace(secret, "…")):
            status, content = await self._post(secret)
        answer = _object_in(content)
        if status in {400, 401, 403}:
            why = plain(str(answer.get("error", ""))).replace(secret, "…") if answer else ""
            raise EngineFault(
                EngineFaultKind.UNAUTHORISED,
                f"Expected a token for the client of the link, but the answer is {status} "
                f"({why or 'without a reason'}). Check the client, its secret, the audience and the scope.",
            )
        if status >= 500:
            raise unreachable(_NAME, f"the answer is {status}")
        return _token_in(answer, began)

    async def _post(self, secret: str) -> tuple[int, bytes]:
        fields = {
            "grant_type": "client_credentials",
            "client_id": self._credentials.user or "",
            "client_secret": secret,
        }
        optional = {"audience": self._endpoint.audience, "scope": self._endpoint.scope}
        fields |= {name: value for name, value in optional.items() if value is not None}
        async with self._http.stream(
            "POST", self._endpoint.url, data=fields, headers={"accept": "application/json"}
        ) as response:
            require_answer(_NAME, response, who="the server of tokens", url="the URL of tokens")
            content = await read_content(response, MAX_REPLY)
        if content is None:
            raise _no_token(f"the answer is longer than {MAX_REPLY:,} bytes")
        return response.status_code, content


def _object_in(content: bytes) -> dict[str, Any]:
    """The object of an answer in JSON; empty if it is none."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _token_in(answer: dict[str, Any], began: float) -> _Token:
    text, kind = answer.get("access_token"), answer.get("token_type", "Bearer")
    if not isinstance(text, str) or not TOKEN.fullmatch(text) or len(text) > MAX_TOKEN:
        raise _no_token("the answer has none")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise _no_token(f"its type is {plain(str(kind))[:50]!r}")
    seconds = _seconds(answer.get("expires_in"))
    # A margin of more than half would let a token of a short life expire at once.
    return _Token(text=text, fetched=began, valid_until=began + seconds - min(MARGIN_SECONDS, seconds / 2))


def _seconds(value: object) -> float:
    """How long a token is valid. Some servers write the number as a text."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) else DEFAULT_SECONDS
    except (ValueError, OverflowError):
        return DEFAULT_SECONDS
    return min(max(seconds, 0.0), MAX_SECONDS) if math.isfinite(seconds) else DEFAULT_SECONDS


def _no_token(why: str) -> EngineFault:
    return EngineFault(
        EngineFaultKind.NOT_THIS_ENGINE,
        f"Expected a bearer token in the answer to {_NAME}, but {why}. Check the URL of tokens.",
    )
