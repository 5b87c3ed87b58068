"""Which limits on requests can be set?"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from uplift.domain.model.selection import MAX_IDS
from uplift.gateway.http.rate_limit import rate_of
from uplift.graphql_api.engine.limits import Limits
from uplift.graphql_api.engine.origins import Origins
from uplift.rest_compat.routes import RestLimits


def _a_rate(text: str) -> str:
    rate_of(text)
    return text


def _origins(listed: tuple[str, ...]) -> tuple[str, ...]:
    Origins(listed)
    return listed


Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seconds = Annotated[float, Field(gt=0, le=3_600)]
DEFAULTS = Limits()


class LimitSettings(BaseModel):
    """How much, how often and how slowly clients may ask; the defaults are those of the two APIs."""

    max_body_bytes: Annotated[int, Field(ge=1_000, description="The largest request body, in bytes")] = (
        DEFAULTS.max_body_bytes
    )
    max_body_seconds: Annotated[
        Seconds, Field(description="How long a request body may take to come, in seconds")
    ] = DEFAULTS.max_body_seconds
    max_head_seconds: Annotated[
        Seconds, Field(description="How long the head of a request may take to come, in seconds")
    ] = 20.0
    max_ids: Annotated[
        int, Field(ge=1, le=MAX_IDS, description="The most instances that one request may name")
    ] = DEFAULTS.max_ids
    max_nodes: Annotated[
        Count, Field(description="The most nodes that one GraphQL operation may read, by its page sizes")
    ] = DEFAULTS.max_nodes
    max_document_characters: Annotated[Count, Field(description="The longest GraphQL query text")] = (
        DEFAULTS.max_document_characters
    )
    max_tokens: Annotated[Count, Field(description="The most tokens of a GraphQL query text")] = (
        DEFAULTS.max_tokens
    )
    max_depth: Annotated[Count, Field(description="The deepest nesting of fields in GraphQL")] = (
        DEFAULTS.max_depth
    )
    max_aliases: Annotated[Count, Field(description="The most aliased fields of a GraphQL operation")] = (
        DEFAULTS.max_aliases
    )
    max_fields: Annotated[Count, Field(description="The most fields of a GraphQL operation")] = (
        DEFAULTS.max_fields
    )
    max_root_fields: Annotated[
        Count, Field(description="The most fields at the top of a GraphQL operation")
    ] = DEFAULTS.max_root_fields
    max_directives: Annotated[
        Count, Field(description="The most directives at one place of a GraphQL query text")
    ] = DEFAULTS.max_directives
    max_sockets: Annotated[Count, Field(description="The most WebSockets open at one gateway")] = (
        DEFAULTS.max_sockets
    )
    max_operations_per_socket: Annotated[
        Count, Field(description="The most operations that run on one WebSocket at once")
    ] = DEFAULTS.max_operations_per_socket
    socket_init_seconds: Annotated[
        Seconds, Field(description="How long a WebSocket may wait for its connection_init, in seconds")
    ] = DEFAULTS.socket_init_seconds
    rate_limit: Annotated[
        Annotated[str, AfterValidator(_a_rate)] | None,
        Field(
            description="How often one key may ask one gateway, like 600/minute; unset, as often as it likes"
        ),
    ] = None
    allowed_origins: Annotated[
        tuple[str, ...],
        AfterValidator(_origins),
        Field(description="Other web origins whose pages may call, as a JSON list"),
    ] = ()
    introspection: Annotated[
        bool, Field(description="Whether the schema and GraphiQL are shown to callers")
    ] = True

    def graphql_limits(self) -> Limits:
        """What one GraphQL request may ask for."""
        return Limits(**{name: value for name, value in self if name in Limits.__dataclass_fields__})

    def rest_limits(self) -> RestLimits:
        """What one REST request may ask for."""
        return RestLimits(
            max_body_bytes=self.max_body_bytes, max_body_seconds=self.max_body_seconds, max_ids=self.max_ids
        )
