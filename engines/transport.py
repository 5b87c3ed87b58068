"""Bounds requests over HTTP in time, and tells apart the faults by which they fail."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from uplift.domain.clock import utc_now
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind

MAX_TEXT = 500
"""How many characters of a message from outside are repeated."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds to connect, to wait for more bytes, and for a request as a whole, however many bytes come."""

    connect: float = 5
    read: float = 30
    total: float = 60


def new_http(url: str, timeouts: Timeouts) -> httpx2.AsyncClient:
    """A client for this URL, which follows no redirect and keeps no cookie."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(timeouts.total, connect=timeouts.connect, read=timeouts.read),
        follow_redirects=False,
        # Certificates take 20 ms to load, and plain HTTP needs none. The empty context trusts nobody.
        verify=True if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        # A session of the server would outlive a change of the credentials.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        # What is not compressed cannot grow beyond the bytes that were counted.
        headers={"accept-encoding": "identity", "user-agent": "uplift"},
    )


@asynccontextmanager
async def bounded(name: str, timeouts: Timeouts, scrubbed: Callable[[str], str]) -> AsyncIterator[None]:
    """Bound a request by time. Raises EngineFault (UNREACHABLE) if it fails.

    `name` names the request in messages. `scrubbed` takes secrets out of a text from outside.
    """
    try:
        # The timer runs whatever comes from outside; those of httpx2 start again with each byte.
        async with asyncio.timeout(timeouts.total):
            yield
    except TimeoutError:
        raise unreachable(name, f"there is none after {timeouts.total:g} seconds") from None
    except httpx2.TimeoutException as error:
        waited = "connect" if isinstance(error, httpx2.ConnectTimeout) else "read"
        seconds = getattr(timeouts, waited)
        raise unreachable(name, f"nothing came within {seconds:g} seconds ({waited})") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise unreachable(name, scrubbed(str(error) or type(error).__name__)) from error


async def read_content(response: httpx2.Response, max_bytes: int) -> bytes | None:
    """The content of a reply; None if it is longer than `max_bytes`."""
    content = bytearray()
    async for part in response.aiter_raw():
        content += part
        if len(content) > max_bytes:
            return None
    return bytes(content)


def require_answer(name: str, response: httpx2.Response, *, who: str, url: str) -> None:
    """Raise the fault of a reply whose status or head says that it does not come from the server.

    Messages name the server by `who`, and its URL by `url`.
    """
    status = response.status_code
    if status in {429, 503}:
        raise EngineFault(
            EngineFaultKind.OVERLOADED,
            f"Expected an answer to {name}, but {who} asks to come back later (status {status}).",
            retry_after=_retry_after(response.headers.get("retry-after"), utc_now()),
        )
    if status in {502, 504}:
        raise unreachable(name, f"a proxy says that {who} does not answer it (status {status})")
    if response.is_redirect or 300 <= status < 400:
        raise EngineFault(
            EngineFaultKind.NOT_THIS_ENGINE,
            f"Expected an answer to {name}, but it is a redirect (status {status}), which is not followed. "
            f"Check {url}.",
        )
    if (encoding := response.headers.get("content-encoding", "identity").lower()) != "identity":
        raise EngineFault(
            EngineFaultKind.NOT_THIS_ENGINE,
            f"Expected an answer to {name} that is not compressed, but it is '{plain(encoding)[:50]}'.",
        )


def plain(text: str) -> str:
    """A text from outside in one line, without signs that control a terminal, and not too long."""
    return _CONTROL.sub(" ", text).strip()[:MAX_TEXT]


def date_in(value: str | None) -> datetime | None:
    """A date in the form of HTTP, in UTC; None if it is none."""
    try:
        date = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)


def unreachable(name: str, why: str) -> EngineFault:
    """The fault that there is no whole answer to a request."""
    return EngineFault(EngineFaultKind.UNREACHABLE, f"Expected an answer to {name}, but {plain(why)}.")


def _retry_after(value: str | None, now: datetime) -> timedelta | None:
    """How long `Retry-After` asks to wait (RFC 9110, 10.2.3): seconds or a date; None if it is neither.

    uplift.domain.rules.engine_health bounds it.
    """
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        wait = timedelta(seconds=int(value))
    elif (date := date_in(value)) is not None:
        wait = date - now
    else:
        return None
    return max(wait, timedelta())
