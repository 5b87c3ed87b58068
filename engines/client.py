"""Sends requests to the REST API of an engine, with bounds on time and bytes, and tells faults apart."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import httpx2

from uplift.domain.model.link import Credentials
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind
from uplift.engines.credentials import Authorization, authorization
from uplift.engines.tokens import TokenSource
from uplift.engines.transport import (
    Timeouts,
    bounded,
    date_in,
    new_http,
    plain,
    read_content,
    require_answer,
)

MAX_REPLY = 16 * 1024 * 1024
"""The most bytes of a reply that are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole reply.

    `request` names what it answers, in messages; `date` is its Date header, cut to seconds. `message` is what
    the engine says of an error, in one line; empty unless it is JSON.
    """

    request: str
    status: int
    body: bytes
    content_type: str
    date: datetime | None
    message: str = ""

    @property
    def clock(self) -> datetime | None:
        """The time of the engine when it answered, within half a second; None if it does not say."""
        # The header is cut to seconds, so on average half a second is missing.
        return None if self.date is None else self.date + timedelta(seconds=0.5)

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
        self._http = new_http(self._url, self._timeouts)
        endpoint = None if credentials is None else credentials.token_endpoint
        self._tokens: TokenSource | None = None
        if credentials is not None and endpoint is not None:
            self._tokens = TokenSource(credentials, endpoint)

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

        def build() -> httpx2.Request:
            return self._http.build_request(
                method, self._url + path, params=query, json=body, headers={"accept": accept}
            )

        auth = await self._authorization()
        reply = await self._exchange(name, build, auth, max_bytes)
        # A token may expire early. A request that was refused for it has done nothing.
        if reply.status == 401 and auth is not None and self._tokens is not None and self._tokens.drop(auth):
            reply = await self._exchange(name, build, await self._authorization(), max_bytes)
        if reply.status in {401, 403}:
            raise EngineFault(
                EngineFaultKind.UNAUTHORISED,
                f"Expected the engine to allow {name}, but it answers {reply.status} "
                f"({reply.message or 'without a message'}). "
                "Check the credentials of the link.",
            )
        return reply

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()
        if self._tokens is not None:
            await self._tokens.close()

    async def _authorization(self) -> Authorization | None:
        if self._tokens is not None:
            return await self._tokens.authorization()
        return None if self._credentials is None else authorization(self._credentials)

    async def _exchange(
        self, name: str, build: Callable[[], httpx2.Request], auth: Authorization | None, max_bytes: int
    ) -> Reply:
        async with bounded(name, self._timeouts, lambda text: _scrubbed(text, auth)):
            request = build()
            if auth is not None:
                request.headers["authorization"] = auth.header
            response = await self._http.send(request, stream=True)
            try:
                require_answer(name, response, who="the engine", url="the URL of the link")
                content = await read_content(response, max_bytes)
            finally:
                await response.aclose()
        if content is None:
            raise EngineFault(
                EngineFaultKind.FAILED,
                f"Expected an answer to {name} of at most {max_bytes:,} bytes, but it is longer.",
            )
        reply = Reply(
            request=name,
            status=response.status_code,
            body=content,
            content_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
            date=date_in(response.headers.get("date")),
        )
        return (
            replace(reply, message=plain(_scrubbed(_message(reply), auth))) if reply.status >= 400 else reply
        )


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
