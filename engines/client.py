"""Sends requests to the REST API of an engine, with bounds on time and bytes, and tells faults apart."""

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

from uplift.domain.clock import utc_now
from uplift.domain.model.link import Credentials
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind
from uplift.engines.credentials import Authorization, authorization

MAX_REPLY = 16 * 1024 * 1024
"""The most bytes of a reply that are read."""
MAX_RETRY_AFTER = timedelta(hours=1)
"""The longest time for which an engine can ask to be left alone."""
MAX_TEXT = 500
"""How many characters of an engine's message are repeated."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds to connect, to wait for more bytes, and for a request as a whole, however many bytes come."""

    connect: float = 5
    read: float = 30
    total: float = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole reply.

    `request` names what it answers, in messages; `date` is the clock of the engine. `message` is what the
    engine says of an error, in one line; empty unless it is JSON.
    """

    request: str
    status: int
    body: bytes
    content_type: str
    date: datetime | None
    message: str = ""

    @property
    def is_json(self) -> bool:
        """Whether the reply says that it is JSON."""
        return self.content_type.endswith(("/json", "+json"))

    def json(self) -> Any:
        """The decoded body. Raises EngineFault (NOT_THIS_ENGINE) if it is not JSON."""
        if not self.is_json:
            raise self.unexpected(f"it is '{plain(self.content_type)[:100] or 'of no type'}'")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise self.unexpected("it cannot be read, or is cut off") from None

    def unexpected(self, what: str) -> EngineFault:
        """The fault that this reply is not one of an engine of this kind."""
        return EngineFault(
            EngineFaultKind.NOT_THIS_ENGINE,
            f"Expected JSON of the engine in reply to {self.request} (status {self.status}), but {what}. "
            "Check the URL of the link.",
        )


class EngineClient:
    """A client of one engine. It follows no redirect and keeps no cookie.

    Raises EngineFault if there is no whole reply, or if the engine refuses the credentials or is overloaded.
    Messages name the path of a request, and never a header.
    """

    def __init__(
        self, url: str, *, credentials: Credentials | None = None, timeouts: Timeouts | None = None
    ) -> None:
        self._url = _base(url)
        self._credentials = credentials
        self._timeouts = timeouts or Timeouts()
        timeout = httpx2.Timeout(
            self._timeouts.total, connect=self._timeouts.connect, read=self._timeouts.read
        )
        self._http = httpx2.AsyncClient(
            timeout=timeout,
            follow_redirects=False,
            # Certificates take 20 ms to load, and plain HTTP needs none. The empty context trusts nobody.
            verify=True if self._url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            # A session of the engine would outlive a change of the credentials.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            # What is not compressed cannot grow beyond the bytes that were counted.
            headers={"accept-encoding": "identity", "user-agent": "uplift"},
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        max_bytes: int = MAX_REPLY,
        accept: str = "application/json",
    ) -> Reply:
        """Send a request with a JSON body, or none, and read the whole reply, in a form to `accept`."""
        name = f"{method} {path}"
        auth = None if self._credentials is None else authorization(self._credentials)
        try:
            # The timer runs whatever comes from outside; those of httpx2 start again with each byte.
            async with asyncio.timeout(self._timeouts.total):
                return await self._exchange(name, method, path, query, body, max_bytes, accept, auth)
        except TimeoutError:
            raise _unreachable(name, f"there is none after {self._timeouts.total:g} seconds") from None
        except httpx2.TimeoutException as error:
            waited = "connect" if isinstance(error, httpx2.ConnectTimeout) else "read"
            seconds = getattr(self._timeouts, waited)
            raise _unreachable(name, f"nothing came within {seconds:g} seconds ({waited})") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _unreachable(name, _scrubbed(str(error) or type(error).__name__, auth)) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _exchange(
        self,
        name: str,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None,
        body: object,
        max_bytes: int,
        accept: str,
        auth: Authorization | None,
    ) -> Reply:
        headers = {"accept": accept} if auth is None else {"accept": accept, "authorization": auth.header}
        async with self._http.stream(
            method, self._url + path, params=query, json=body, headers=headers
        ) as response:
            _require_answer(name, response)
            content = await _content(name, response, max_bytes)
        reply = Reply(
            request=name,
            status=response.status_code,
            body=content,
            content_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
            date=_date(response.headers.get("date")),
        )
        if reply.status >= 400:
            reply = replace(reply, message=plain(_scrubbed(_message(reply), auth)))
        if reply.status in {401, 403}:
            raise EngineFault(
                EngineFaultKind.UNAUTHORISED,
                f"Expected the engine to allow {name}, but it answers {reply.status} "
                f"({reply.message or 'without a message'}). "
                "Check the credentials of the link.",
            )
        return reply


def plain(text: str) -> str:
    """A text of an engine in one line, without signs that control a terminal, and not too long."""
    return _CONTROL.sub(" ", text).strip()[:MAX_TEXT]


def _base(url: str) -> str:
    """The URL of the API without a slash at its end. Raises ValueError, which does not repeat a password."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ValueError(f"Expected the URL of an engine, but: {error}.") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError("Expected the URL of an engine to begin with http:// or https:// and a host.")
    if parsed.port is not None and not 0 < parsed.port < 65_536:
        raise ValueError(
            f"Expected the URL of an engine with a port from 1 to 65535, but it is {parsed.port}."
        )
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise ValueError("Expected the URL of an engine to have no user, password, query or fragment.")
    return str(parsed).rstrip("/")


def _require_answer(name: str, response: httpx2.Response) -> None:
    """Raise the fault of a reply whose status or head says that it does not come from the engine."""
    status = response.status_code
    if status in {429, 503}:
        raise EngineFault(
            EngineFaultKind.OVERLOADED,
            f"Expected an answer to {name}, but the engine asks to come back later (status {status}).",
            retry_after=_retry_after(response.headers.get("retry-after"), utc_now()),
        )
    if status in {502, 504}:
        raise _unreachable(name, f"a proxy says that the engine does not answer it (status {status})")
    if response.is_redirect or 300 <= status < 400:
        raise EngineFault(
            EngineFaultKind.NOT_THIS_ENGINE,
            f"Expected an answer to {name}, but it is a redirect (status {status}), which is not followed. "
            "Check the URL of the link.",
        )
    if (encoding := response.headers.get("content-encoding", "identity").lower()) != "identity":
        raise EngineFault(
            EngineFaultKind.NOT_THIS_ENGINE,
            f"Expected an answer to {name} that is not compressed, but it is '{plain(encoding)[:50]}'.",
        )


async def _content(name: str, response: httpx2.Response, max_bytes: int) -> bytes:
    content = bytearray()
    async for part in response.aiter_raw():
        content += part
        if len(content) > max_bytes:
            raise EngineFault(
                EngineFaultKind.FAILED,
                f"Expected an answer to {name} of at most {max_bytes:,} bytes, but it is longer.",
            )
    return bytes(content)


def _message(reply: Reply) -> str:
    """What an error in JSON says, or an empty text.

    Flowable says more as `exception` than as `message`. Problem details (RFC 9457) have a `detail`.
    """
    try:
        error = reply.json()
    except EngineFault:
        return ""
    texts = (
        (error.get(name) for name in ("exception", "message", "detail")) if isinstance(error, dict) else ()
    )
    return next((text for text in texts if isinstance(text, str) and text), "")


def _scrubbed(text: str, auth: Authorization | None) -> str:
    """A text from outside without the secret that was sent, should it be repeated there."""
    if auth is None:
        return text
    return (
        text.replace(auth.header, "…").replace(auth.header.partition(" ")[2], "…").replace(auth.secret, "…")
    )


def _retry_after(value: str | None, now: datetime) -> timedelta | None:
    """How long `Retry-After` asks to wait (RFC 9110, 10.2.3): seconds or a date; None if it is neither."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        wait = timedelta(seconds=int(value))
    elif (date := _date(value)) is not None:
        wait = date - now
    else:
        return None
    return min(max(wait, timedelta()), MAX_RETRY_AFTER)


def _date(value: str | None) -> datetime | None:
    """A date in the form of HTTP, in UTC; None if it is none."""
    try:
        date = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)


def _unreachable(name: str, why: str) -> EngineFault:
    return EngineFault(EngineFaultKind.UNREACHABLE, f"Expected an answer to {name}, but {plain(why)}.")
