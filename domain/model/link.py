"""Defines links: which workflow engine runs the instances of a process, and how Uplift reaches it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType
from uuid import UUID

LinkId = NewType("LinkId", UUID)
EngineVersionId = NewType("EngineVersionId", str)
"""The engine's id of a version of a process, such as `order:2:e783…` on Camunda 7."""
EngineInstanceId = NewType("EngineInstanceId", str)
"""The engine's id of an instance, in any form."""

DEFAULT_SWEEP_INTERVAL = timedelta(minutes=5)
"""How often a link's engine is swept unless the link says otherwise."""


class LinkKind(StrEnum):
    """The kinds of engines that Uplift can be linked to."""

    CAMUNDA7 = "CAMUNDA7"
    """Camunda 7 and its descendants, such as Operaton and CIB seven, by their REST API."""
    FLOWABLE = "FLOWABLE"
    """Flowable 7, by its REST API."""
    CAMUNDA8 = "CAMUNDA8"
    """Camunda 8, by the REST API of its orchestration cluster."""
    PULL = "PULL"
    """An engine of one's own, which fetches its orders and settles them."""


class CredentialScheme(StrEnum):
    """What the secret of a link is, and so what is sent in the `Authorization` header."""

    BASIC = "BASIC"
    """The password of a user."""
    BEARER = "BEARER"
    """A token."""
    OAUTH = "OAUTH"
    """The secret of a client, by which tokens are fetched (client credentials grant of OAuth 2.0)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEndpoint:
    """Where tokens are fetched, and what they are for, as far as the server of tokens wants to know."""

    url: str
    audience: str | None = None
    scope: str | None = None


def token_endpoint(url: str | None, *, audience: str | None, scope: str | None) -> TokenEndpoint | None:
    """The endpoint that fields of a request describe; None without any. An empty URL is none."""
    if url is None and audience is None and scope is None:
        return None
    return TokenEndpoint(url=url or "", audience=audience, scope=scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Where the secret of a link is read, each time it is needed. The secret itself is never stored.

    It is in the environment variable `environment` or in the file `file`; exactly one of them is set. `user`
    is the name that BASIC sends, the id of the client for OAUTH, and None for BEARER. `token_endpoint` is set
    if and only if the scheme is OAUTH.
    """

    scheme: CredentialScheme
    user: str | None = None
    environment: str | None = None
    file: str | None = None
    token_endpoint: TokenEndpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlace:
    """Where a secret is read: in the variable `environment` or the file `file`. Exactly one is set."""

    environment: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where to say that orders wait or an upgrade has ended, and the place of the secret that signs it.

    While secrets are rotated, `old_secret` has the one before, and each request has both signatures. It may
    be empty at other times.
    """

    url: str
    secret: SecretPlace
    old_secret: SecretPlace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link to an engine. Times are in UTC.

    The processes of the engine are in `namespace`, with the keys of their definitions as codes. With
    `tenant`, only definitions of this tenant are linked; without it, only those of none. `url` is the base of
    the REST API, and None for an engine that pulls. `max_rate` bounds how many instances a second are sent to
    the engine; None means no bound. `webhook` wakes an engine that pulls.
    """

    id: LinkId
    name: str
    kind: LinkKind
    namespace: str
    url: str | None
    created_at: datetime
    created_by: str
    tenant: str | None = None
    credentials: Credentials | None = None
    max_rate: float | None = None
    sweep_interval: timedelta = DEFAULT_SWEEP_INTERVAL
    webhook: Webhook | None = None
