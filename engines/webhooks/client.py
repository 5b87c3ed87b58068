"""Sends one webhook, with bounds on its time and on where it goes."""

import asyncio
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from uplift.domain.clock import Clock
from uplift.domain.model.link import Webhook
from uplift.engines.transport import plain
from uplift.engines.webhooks.addresses import Resolve, addresses_of, resolve
from uplift.engines.webhooks.errors import WebhookError, WebhookGoneError
from uplift.engines.webhooks.events import Event
from uplift.engines.webhooks.signing import read_keys, signature

TOTAL_SECONDS = 15.0
"""The time for one webhook as a whole, however many bytes come."""
CONNECT_SECONDS = 5.0
"""The time to connect to one address."""


class WebhookClient:
    """A client of one receiver. It follows no redirect, uses no proxy, and keeps no cookie or connection.

    Close it in the end.
    """

    def __init__(
        self,
        webhook: Webhook,
        *,
        clock: Clock,
        allow_private: bool,
        total_seconds: float = TOTAL_SECONDS,
        find: Resolve = resolve,
    ) -> None:
        self._webhook = webhook
        self._clock = clock
        self._allow_private = allow_private
        self._total_seconds = total_seconds
        self._find = find
        is_https = webhook.url.startswith("https:")
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(total_seconds, connect=CONNECT_SECONDS),
            follow_redirects=False,
            # Certificates take 20 ms to load, and plain HTTP needs none. The empty context trusts nobody.
            verify=httpx2.create_ssl_context() if is_https else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            # A proxy of the environment would connect to addresses that were not checked.
            trust_env=False,
            limits=httpx2.Limits(max_keepalive_connections=0),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"content-type": "application/json", "user-agent": "uplift"},
        )

    async def send(self, event: Event) -> None:
        """Send an event. Raises WebhookError, and WebhookGoneError if the receiver wants no more."""
        try:
            # The timer runs whatever comes from outside.
            async with asyncio.timeout(self._total_seconds):
                status = await self._post(event)
        except TimeoutError:
            raise WebhookError(
                f"Expected an answer to the webhook within {self._total_seconds:g} seconds, but none came."
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            reason = plain(str(error) or type(error).__name__)
            raise WebhookError(f"Expected an answer to the webhook, but: {reason}.") from error
        if status == HTTPStatus.GONE:
            raise WebhookGoneError(
                "Expected the webhook to be accepted, but its receiver wants no more of them (status 410). "
                "None is sent until a worker holds the link anew."
            )
        if not 200 <= status < 300:
            also = ", a redirect, which is not followed" if 300 <= status < 400 else ""
            raise WebhookError(f"Expected the webhook to be accepted, but the answer is {status}{also}.")

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def _headers(self, event: Event, url: httpx2.URL) -> Mapping[str, str]:
        timestamp = int(self._clock().timestamp())
        keys = read_keys(self._webhook)
        return {
            "host": url.netloc.decode("ascii"),
            "webhook-id": event.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(keys, message_id=event.id, timestamp=timestamp, body=event.body),
        }

    async def _post(self, event: Event) -> int:
        """Send to the first address that can be connected to, and return the status."""
        url = httpx2.URL(self._webhook.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await addresses_of(url.host, port, allow_private=self._allow_private, find=self._find)
        headers = self._headers(event, url)
        for address in addresses[:-1]:
            try:
                return await self._post_to(url, address, event.body, headers)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._post_to(url, addresses[-1], event.body, headers)

    async def _post_to(self, url: httpx2.URL, address: str, body: bytes, headers: Mapping[str, str]) -> int:
        # The connection goes to the address, while the Host header and the certificate are those of the name.
        async with self._http.stream(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers=headers,
            extensions={"sni_hostname": url.host},
        ) as response:
            return response.status_code
