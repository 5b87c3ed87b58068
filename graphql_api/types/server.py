"""The server: its version, and the limits that a client must know."""

from typing import Self

import strawberry

from uplift.domain.model.paging import MAX_PAGE_SIZE
from uplift.graphql_api.context import Context
from uplift.graphql_api.server_info import Rate

LARGEST_INT = 2**31 - 1
"""The largest Int of GraphQL. A limit that is set higher is shown as this."""


@strawberry.type(
    description="The largest number of requests of one API key in a time. Each gateway counts alone."
)
class RateLimit:
    requests: int = strawberry.field(description="The number of requests.")
    seconds: int = strawberry.field(description="The time in seconds.")

    @classmethod
    def from_rate(cls, rate: Rate) -> Self:
        return cls(requests=_shown(rate.requests), seconds=_shown(rate.seconds))


@strawberry.type(
    description="The limits of this server. A request above one of them is refused, and changes nothing. A "
    f"limit above {LARGEST_INT:,} is shown as this number."
)
class ServerLimits:
    max_ids: int = strawberry.field(
        description="The largest number of instances that one request may select, exclude, register or "
        "report."
    )
    max_page_size: int = strawberry.field(description="The largest `first` of a list.")
    max_nodes: int = strawberry.field(
        description="The node budget of an operation: its page sizes, multiplied down the nesting."
    )
    max_reply_bytes: int = strawberry.field(
        description="The largest reply to an operation, or event of a subscription, in bytes."
    )
    max_body_bytes: int = strawberry.field(
        description="The largest body of a request, or message of a WebSocket, in bytes."
    )
    max_document_characters: int = strawberry.field(
        description="The longest text of a GraphQL document, in characters."
    )
    max_tokens: int = strawberry.field(description="The largest number of tokens in a GraphQL document.")
    max_depth: int = strawberry.field(description="The deepest nesting of fields in an operation.")
    max_fields: int = strawberry.field(description="The largest number of fields in an operation.")
    max_aliases: int = strawberry.field(description="The largest number of aliased fields in an operation.")
    max_root_fields: int = strawberry.field(
        description="The largest number of fields at the top of an operation."
    )
    max_operations_per_key: int = strawberry.field(
        description="The largest number of queries and mutations that one API key may have running."
    )
    max_streams_per_key: int = strawberry.field(
        description="The largest number of WebSockets and event streams that one API key may have open."
    )
    max_operations_per_socket: int = strawberry.field(
        description="The largest number of concurrent operations on one WebSocket."
    )
    max_model_bytes: int = strawberry.field(description="The largest BPMN document, in bytes.")
    max_model_tags: int = strawberry.field(
        description="The largest number of XML tags in a BPMN document, outside of diagrams."
    )
    max_model_depth: int = strawberry.field(description="The deepest nesting of XML tags in a BPMN document.")
    wait_seconds: float = strawberry.field(
        description="How long a mutation with `wait` waits for an upgrade to finish, in seconds."
    )
    rate_limit: RateLimit | None = strawberry.field(
        description="The rate limit of each API key; null if there is none."
    )

    @classmethod
    def from_context(cls, context: Context) -> Self:
        limits, models, rate = context.limits, context.server.model_limits, context.server.rate_limit
        return cls(
            max_ids=limits.max_ids,
            max_page_size=MAX_PAGE_SIZE,
            max_nodes=limits.max_nodes,
            max_reply_bytes=_shown(limits.max_reply_bytes),
            max_body_bytes=_shown(limits.max_body_bytes),
            max_document_characters=limits.max_document_characters,
            max_tokens=limits.max_tokens,
            max_depth=limits.max_depth,
            max_fields=limits.max_fields,
            max_aliases=limits.max_aliases,
            max_root_fields=limits.max_root_fields,
            max_operations_per_key=limits.max_operations_per_key,
            max_streams_per_key=limits.max_streams_per_key,
            max_operations_per_socket=limits.max_operations_per_socket,
            max_model_bytes=models.max_bytes,
            max_model_tags=models.max_tags,
            max_model_depth=models.max_depth,
            wait_seconds=context.wait_seconds,
            rate_limit=None if rate is None else RateLimit.from_rate(rate),
        )


@strawberry.type(description="The server that answers the request.")
class Server:
    version: str = strawberry.field(description="The version of Uplift, such as `1.4.0`.")
    limits: ServerLimits = strawberry.field(description="The limits that a client must know.")

    @classmethod
    def from_context(cls, context: Context) -> Self:
        return cls(version=context.server.version, limits=ServerLimits.from_context(context))


def _shown(limit: int) -> int:
    return min(limit, LARGEST_INT)
