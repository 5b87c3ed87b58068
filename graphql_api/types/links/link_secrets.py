"""Defines the GraphQL types that say where the secrets of links are read."""

from typing import Self

import strawberry

from uplift.domain.errors import InvalidInput
from uplift.domain.model import link as links
from uplift.graphql_api.types.enums import CredentialScheme

VARIABLE_PREFIX = "UPLIFT_LINK_"
"""Begins the names of variables of the environment that a request may name."""


@strawberry.type(description="Where the secret of a link is read. The secret itself is never stored.")
class LinkCredentials:
    scheme: CredentialScheme = strawberry.field(description="What the secret is.")
    user: str | None = strawberry.field(
        description="The user, or the id of the client for OAUTH; null for BEARER."
    )
    environment: str | None = strawberry.field(
        description="The variable of the server's environment that has the secret; null if a file has it."
    )
    file: str | None = strawberry.field(
        description="The file of the server that has the secret; null if a variable has it."
    )
    token_url: str | None = strawberry.field(description="Where tokens are fetched, for OAUTH.")
    audience: str | None = strawberry.field(description="The audience of the tokens; null for none.")
    scope: str | None = strawberry.field(description="The scope of the tokens; null for none.")

    @classmethod
    def from_domain(cls, credentials: links.Credentials) -> Self:
        endpoint = credentials.token_endpoint
        return cls(
            scheme=credentials.scheme,
            user=credentials.user,
            environment=credentials.environment,
            file=credentials.file,
            token_url=None if endpoint is None else endpoint.url,
            audience=None if endpoint is None else endpoint.audience,
            scope=None if endpoint is None else endpoint.scope,
        )


@strawberry.type(description="Where a secret is read. The secret itself is never stored.")
class SecretPlace:
    environment: str | None = strawberry.field(
        description="The variable of the server's environment that has the secret; null if a file has it."
    )
    file: str | None = strawberry.field(
        description="The file of the server that has the secret; null if a variable has it."
    )

    @classmethod
    def from_domain(cls, place: links.SecretPlace) -> Self:
        return cls(environment=place.environment, file=place.file)


@strawberry.type(
    description="Where events are sent when an engine has orders to fetch, or an upgrade has ended."
)
class Webhook:
    url: str = strawberry.field(description="The URL that events are sent to.")
    secret: SecretPlace = strawberry.field(description="The place of the secret that signs events.")
    old_secret: SecretPlace | None = strawberry.field(
        description="The place of the secret before, while secrets are rotated; null for none."
    )

    @classmethod
    def from_domain(cls, webhook: links.Webhook) -> Self:
        old = webhook.old_secret
        return cls(
            url=webhook.url,
            secret=SecretPlace.from_domain(webhook.secret),
            old_secret=None if old is None else SecretPlace.from_domain(old),
        )


@strawberry.input(description="Where the server reads the secret of a link.")
class LinkCredentialsInput:
    scheme: CredentialScheme = strawberry.field(description="What the secret is.")
    environment: str = strawberry.field(
        description="The variable of the server's environment that has the secret; its name begins with "
        f"{VARIABLE_PREFIX}. `uplift links add` can name a file as well."
    )
    user: str | None = strawberry.field(
        default=None, description="The user, for BASIC, or the id of the client, for OAUTH."
    )
    token_url: str | None = strawberry.field(
        default=None, description="For OAUTH: where to fetch tokens, by the client credentials grant."
    )
    audience: str | None = strawberry.field(
        default=None, description="For OAUTH: the audience of the tokens, if their server wants one."
    )
    scope: str | None = strawberry.field(
        default=None, description="For OAUTH: the scope of the tokens, if their server wants one."
    )

    def credentials(self) -> links.Credentials:
        """Raises InvalidInput for another variable: the server would send what is in it to the engine."""
        require_link_variable(self.environment, "credentials", "environment")
        return links.Credentials(
            scheme=self.scheme,
            user=self.user,
            environment=self.environment,
            token_endpoint=links.token_endpoint(self.token_url, audience=self.audience, scope=self.scope),
        )


@strawberry.input(description="Where the server reads a secret.")
class SecretPlaceInput:
    environment: str = strawberry.field(
        description="The variable of the server's environment that has the secret; its name begins with "
        f"{VARIABLE_PREFIX}. `uplift links add` can name a file as well."
    )

    def place(self, *field: str) -> links.SecretPlace:
        """Raises InvalidInput for another variable."""
        require_link_variable(self.environment, *field, "environment")
        return links.SecretPlace(environment=self.environment)


@strawberry.input(description="Where to send events, by the Standard Webhooks specification.")
class WebhookInput:
    url: str = strawberry.field(description="The URL, such as `https://shop.example/hook`.")
    secret: SecretPlaceInput = strawberry.field(
        description="The place of the secret that signs events: `whsec_` and 24 to 64 bytes in base64."
    )
    old_secret: SecretPlaceInput | None = strawberry.field(
        default=None,
        description="The place of the secret before, while secrets are rotated. It may be empty otherwise.",
    )

    def webhook(self) -> links.Webhook:
        """Raises InvalidInput."""
        old = self.old_secret
        return links.Webhook(
            url=self.url,
            secret=self.secret.place("webhook", "secret"),
            old_secret=None if old is None else old.place("webhook", "old_secret"),
        )


def require_link_variable(name: str, *field: str) -> None:
    """Raise InvalidInput for another variable: the server would use what is in it for the engine."""
    if not name.startswith(VARIABLE_PREFIX):
        raise InvalidInput(
            f"Expected a variable whose name begins with {VARIABLE_PREFIX}, but got {name[:100]!r}.",
            field=field,
        )
