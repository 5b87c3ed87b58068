"""Defines the request to add a link, and checks its fields."""

import re
from dataclasses import dataclass
from datetime import timedelta

from uplift.domain.errors import InvalidInput
from uplift.domain.model.link import (
    DEFAULT_SWEEP_INTERVAL,
    Credentials,
    CredentialScheme,
    LinkKind,
    SecretPlace,
    Webhook,
)
from uplift.domain.model.process import ProcessKey, is_name

MAX_NAME_LENGTH = 100
MAX_TEXT_LENGTH = 1_000
"""The longest URL, tenant, user or file name, in characters."""
MAX_RATE = 1_000_000.0
MIN_SWEEP_INTERVAL = timedelta(seconds=5)
MAX_SWEEP_INTERVAL = timedelta(days=7)
MAX_PROCESSES = 1_000

MAX_PORT = 65_535

_URL = re.compile(r"https?://([\w.~-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?(/[^\s?#@]*)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """The request to add a link; see `Link` for the fields.

    `processes` are those that an engine of one's own runs: they exist, in the namespace of the link. Uplift
    finds the processes of other engines itself.
    """

    name: str
    kind: LinkKind
    namespace: str
    url: str | None = None
    tenant: str | None = None
    credentials: Credentials | None = None
    max_rate: float | None = None
    sweep_interval: timedelta = DEFAULT_SWEEP_INTERVAL
    processes: tuple[ProcessKey, ...] = ()
    webhook: Webhook | None = None


def require_valid(request: LinkRequest) -> None:
    """Raise InvalidInput unless the request can be a link."""
    _require_name(request.name, "name", MAX_NAME_LENGTH)
    _require_name(request.namespace, "namespace", MAX_NAME_LENGTH * 2)
    if request.kind is LinkKind.PULL:
        _require_pull(request)
    else:
        _require_called(request)
    if request.max_rate is not None and not 0 < request.max_rate <= MAX_RATE:
        raise InvalidInput(
            f"Expected max_rate to be above 0 and at most {MAX_RATE:,.0f} instances a second, "
            f"but got {request.max_rate:g}.",
            field=("max_rate",),
        )
    sweep_interval_of(request.sweep_interval.total_seconds())


def sweep_interval_of(seconds: float) -> timedelta:
    """The time between two sweeps. Raises InvalidInput if it is too short or too long, or no number."""
    shortest, longest = MIN_SWEEP_INTERVAL.total_seconds(), MAX_SWEEP_INTERVAL.total_seconds()
    if not shortest <= seconds <= longest:
        raise InvalidInput(
            f"Expected {shortest:.0f} to {longest:,.0f} seconds between two sweeps, but got {seconds:g}.",
            field=("sweep_interval",),
        )
    return timedelta(seconds=seconds)


def _require_pull(request: LinkRequest) -> None:
    for field in ("url", "tenant", "credentials", "max_rate"):
        if getattr(request, field) is not None:
            raise InvalidInput(
                f"Expected no {field} for an engine that fetches its orders itself, but got one.",
                field=(field,),
            )
    if not 1 <= len(request.processes) <= MAX_PROCESSES:
        raise InvalidInput(
            f"Expected 1 to {MAX_PROCESSES:,} processes that the engine runs, but got "
            f"{len(request.processes):,}.",
            field=("processes",),
        )
    for index, process in enumerate(request.processes):
        if process.namespace != request.namespace:
            raise InvalidInput(
                f"Expected processes in the namespace of the link, '{request.namespace}', "
                f"but got '{process}'.",
                field=("processes", str(index)),
            )
    if request.webhook is not None:
        _require_webhook(request.webhook)


def _require_webhook(webhook: Webhook) -> None:
    _require_text(webhook.url, "webhook", "url")
    # Not shown: it may have a password.
    if not _is_url(webhook.url):
        raise InvalidInput(
            "Expected webhook.url to be https:// or http:// with a host, such as https://shop.example/hook, "
            "without a user, a password, a query or a fragment.",
            field=("webhook", "url"),
        )
    _require_place(webhook.secret, "webhook", "secret")
    if webhook.old_secret is not None:
        _require_place(webhook.old_secret, "webhook", "old_secret")
        if webhook.old_secret == webhook.secret:
            raise InvalidInput(
                "Expected the old secret of the webhook in another place than the new one, "
                f"but got {(webhook.secret.environment or webhook.secret.file or '')[:MAX_NAME_LENGTH]!r} "
                "for both.",
                field=("webhook", "old_secret"),
            )


def _require_called(request: LinkRequest) -> None:
    if request.webhook is not None:
        raise InvalidInput(
            f"Expected no webhook for an engine that Uplift calls, but got one for {request.kind}.",
            field=("webhook",),
        )
    if request.processes:
        raise InvalidInput(
            "Expected no processes, because Uplift finds those of the engine itself, but got some.",
            field=("processes",),
        )
    _require_url(request.url)
    if request.tenant is not None:
        _require_text(request.tenant, "tenant")
    if request.credentials is not None:
        _require_credentials(request.credentials)


def _require_url(url: str | None) -> None:
    if url is None:
        raise InvalidInput("Expected the URL of the engine's REST API, but got none.", field=("url",))
    _require_text(url, "url")
    # Not shown: it may have a password.
    if not _is_url(url):
        raise InvalidInput(
            "Expected url to be http:// or https:// with a host, such as http://engine:8080/engine-rest, "
            "without a user, a password, a query or a fragment. Credentials are read from the environment or "
            "a file.",
            field=("url",),
        )


def _is_url(url: str) -> bool:
    found = _URL.fullmatch(url)
    return found is not None and 0 < int(found["port"] or 80) <= MAX_PORT


def _require_place(place: SecretPlace, *field: str) -> None:
    if (place.environment is None) == (place.file is None):
        raise InvalidInput(
            "Expected the secret either in a variable of the environment or in a file.",
            field=field,
        )
    if place.environment is not None and not _VARIABLE.fullmatch(place.environment):
        raise InvalidInput(
            "Expected the name of a variable of the environment, "
            f"but got {place.environment[:MAX_NAME_LENGTH]!r}. The secret itself is never stored.",
            field=(*field, "environment"),
        )
    if place.file is not None:
        _require_text(place.file, *field, "file")


def _require_credentials(credentials: Credentials) -> None:
    _require_place(SecretPlace(environment=credentials.environment, file=credentials.file), "credentials")
    scheme = credentials.scheme
    if scheme is CredentialScheme.BEARER and credentials.user is not None:
        raise InvalidInput("Expected no user for BEARER, but got one.", field=("credentials", "user"))
    if scheme is not CredentialScheme.BEARER and not credentials.user:
        raise InvalidInput(f"Expected a user for {scheme}, but got none.", field=("credentials", "user"))
    _require_token_endpoint(credentials)
    if credentials.user is not None:
        _require_text(credentials.user, "credentials", "user")
        if scheme is CredentialScheme.BASIC and ":" in credentials.user:
            raise InvalidInput(
                f"Expected a user without ':' (RFC 7617), but got {credentials.user!r}.",
                field=("credentials", "user"),
            )


def _require_token_endpoint(credentials: Credentials) -> None:
    endpoint, scheme = credentials.token_endpoint, credentials.scheme
    if endpoint is None:
        if scheme is CredentialScheme.OAUTH:
            raise InvalidInput(
                "Expected the URL where tokens are fetched for OAUTH, but got none.",
                field=("credentials", "token_url"),
            )
        return
    if scheme is not CredentialScheme.OAUTH:
        raise InvalidInput(
            f"Expected no URL where tokens are fetched for {scheme}, but got one.",
            field=("credentials", "token_url"),
        )
    _require_text(endpoint.url, "credentials", "token_url")
    # Not shown: it may have a password.
    if not _is_url(endpoint.url):
        raise InvalidInput(
            "Expected credentials.token_url to be https:// or http:// with a host, such as "
            "https://login.example/oauth/token, without a user, a password, a query or a fragment.",
            field=("credentials", "token_url"),
        )
    for name in ("audience", "scope"):
        if (text := getattr(endpoint, name)) is not None:
            _require_text(text, "credentials", name)


def _require_name(text: str, field: str, length: int) -> None:
    if not is_name(text) or len(text) > length:
        raise InvalidInput(
            f"Expected {field} to be 1 to {length} printable characters without spaces and '/', "
            f"but got {text[:length]!r}.",
            field=(field,),
        )


def _require_text(text: str, *field: str) -> None:
    if not 0 < len(text) <= MAX_TEXT_LENGTH or not text.isprintable():
        raise InvalidInput(
            f"Expected {'.'.join(field)} to be 1 to {MAX_TEXT_LENGTH:,} printable characters, "
            f"but got {text[:MAX_NAME_LENGTH]!r}.",
            field=field,
        )
