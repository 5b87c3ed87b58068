"""The settings that limit requests."""

from collections.abc import Callable, Hashable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from uplift.domain.bpmn import DocumentLimits
from uplift.domain.model.selection import MAX_IDS
from uplift.gateway.comparing.process_comparer import ProcessComparer, ProcessLimits
from uplift.gateway.http.rate_limit import parse_rate
from uplift.graphql_api.engine.limits import Limits
from uplift.rest_compat.routes import RestLimits
from uplift.web.origins import Origins


def _checked_rate(text: str | None) -> str | None:
    if text is not None:
        parse_rate(text)
    return text


def _checked_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    Origins(origins)
    return origins


Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seconds = Annotated[float, Field(gt=0, le=3_600)]
DEFAULTS = Limits()
DOCUMENTS = DocumentLimits()
COMPARING = ProcessLimits()
MIB = 2**20


class LimitSettings(BaseModel):
    """Limits on the size, rate and duration of requests. The defaults are those of the two APIs."""

    max_body_bytes: Annotated[int, Field(ge=1_000, description="Largest request body, in bytes")] = (
        DEFAULTS.max_body_bytes
    )
    max_body_seconds: Annotated[
        Seconds, Field(description="Longest time in which a request body may arrive, in seconds")
    ] = DEFAULTS.max_body_seconds
    max_head_seconds: Annotated[
        Seconds, Field(description="Longest time in which the head of a request may arrive, in seconds")
    ] = 20.0
    max_send_seconds: Annotated[
        Seconds,
        Field(description="Longest time that a reply may wait for its client to read it, in seconds"),
    ] = 60.0
    max_connections: Annotated[
        Count,
        Field(
            description="Maximum number of open client connections per gateway; "
            "less if the limit of file descriptors is lower"
        ),
    ] = 2_000
    max_connections_per_address: Annotated[
        Count, Field(description="Maximum number of open client connections from one address")
    ] = 500
    max_ids: Annotated[
        int, Field(ge=1, le=MAX_IDS, description="Maximum number of instance ids in one request")
    ] = DEFAULTS.max_ids
    max_nodes: Annotated[
        Count,
        Field(description="Maximum number of nodes that a GraphQL operation may read, by its page sizes"),
    ] = DEFAULTS.max_nodes
    max_reply_bytes: Annotated[
        int, Field(ge=10_000, description="Largest reply to a GraphQL operation, in bytes")
    ] = DEFAULTS.max_reply_bytes
    max_document_characters: Annotated[
        Count, Field(description="Longest GraphQL document, in characters")
    ] = DEFAULTS.max_document_characters
    max_tokens: Annotated[Count, Field(description="Maximum number of tokens in a GraphQL document")] = (
        DEFAULTS.max_tokens
    )
    max_depth: Annotated[Count, Field(description="Deepest nesting of fields in a GraphQL operation")] = (
        DEFAULTS.max_depth
    )
    max_aliases: Annotated[
        Count, Field(description="Maximum number of aliased fields in a GraphQL operation")
    ] = DEFAULTS.max_aliases
    max_fields: Annotated[Count, Field(description="Maximum number of fields in a GraphQL operation")] = (
        DEFAULTS.max_fields
    )
    max_root_fields: Annotated[
        Count, Field(description="Maximum number of root fields in a GraphQL operation")
    ] = DEFAULTS.max_root_fields
    max_directives: Annotated[
        Count, Field(description="Maximum number of directives at one place in a GraphQL document")
    ] = DEFAULTS.max_directives
    max_operations: Annotated[
        Count,
        Field(
            description="Maximum number of GraphQL operations and REST requests that a gateway processes "
            "concurrently; a tenth of it is kept for API keys that have none"
        ),
    ] = DEFAULTS.max_operations
    max_operations_per_key: Annotated[
        Count,
        Field(
            description="Maximum number of GraphQL operations and REST requests of one API key that one "
            "gateway processes concurrently"
        ),
    ] = DEFAULTS.max_operations_per_key
    max_streams: Annotated[
        Count,
        Field(
            description="Maximum number of open WebSockets and event streams per gateway; "
            "a tenth of it is kept for API keys that have none open"
        ),
    ] = DEFAULTS.max_streams
    max_streams_per_key: Annotated[
        Count,
        Field(
            description="Maximum number of open WebSockets and event streams of one API key at one gateway"
        ),
    ] = DEFAULTS.max_streams_per_key
    max_waiting_sockets: Annotated[
        Count,
        Field(
            description="Maximum number of WebSockets per gateway that have not sent connection_init; "
            "one address may have half of them"
        ),
    ] = DEFAULTS.max_waiting_sockets
    max_operations_per_socket: Annotated[
        Count, Field(description="Maximum number of concurrent operations on one WebSocket")
    ] = DEFAULTS.max_operations_per_socket
    socket_init_seconds: Annotated[
        Seconds, Field(description="Longest wait for the connection_init of a WebSocket, in seconds")
    ] = DEFAULTS.socket_init_seconds
    max_model_bytes: Annotated[
        int, Field(ge=1_000, le=100_000_000, description="Largest BPMN document, in bytes")
    ] = DOCUMENTS.max_bytes
    max_model_tags: Annotated[
        Count, Field(description="Maximum number of XML tags in a BPMN document, outside of diagrams")
    ] = DOCUMENTS.max_tags
    max_model_depth: Annotated[
        int, Field(ge=5, le=500, description="Deepest nesting of XML tags in a BPMN document")
    ] = DOCUMENTS.max_depth
    compare_seconds: Annotated[
        Seconds,
        Field(description="Longest time that reading and comparing two BPMN documents may take, in seconds"),
    ] = COMPARING.job_seconds
    compare_mib: Annotated[
        int,
        Field(
            ge=64,
            le=65_536,
            description="Memory that the process may take that reads and compares BPMN documents, in MiB",
        ),
    ] = COMPARING.memory_bytes // MIB
    rate_limit: Annotated[
        str | None,
        AfterValidator(_checked_rate),
        Field(
            description="Maximum rate of requests of one API key to one gateway, such as 600/minute; "
            "no limit if unset"
        ),
    ] = None
    allowed_origins: Annotated[
        tuple[str, ...],
        AfterValidator(_checked_origins),
        Field(
            description="Web origins whose pages may call the APIs; the variable is a JSON list, "
            "the option can be repeated"
        ),
    ] = ()
    introspection: Annotated[bool, Field(description="Allow introspection and serve GraphiQL")] = True
    console: Annotated[bool, Field(description="Serve the console, the page for operators")] = True

    def document_limits(self) -> DocumentLimits:
        """The limits of BPMN documents."""
        return DocumentLimits(
            max_bytes=self.max_model_bytes, max_tags=self.max_model_tags, max_depth=self.max_model_depth
        )

    def process_comparer(self, caller: Callable[[], Hashable] = lambda: None) -> ProcessComparer:
        """A comparer that works in a process of its own, at which callers take turns. Close it at the end."""
        limits = ProcessLimits(memory_bytes=self.compare_mib * MIB, job_seconds=self.compare_seconds)
        return ProcessComparer(self.document_limits(), limits, caller)

    def graphql_limits(self) -> Limits:
        """The limits of GraphQL requests."""
        return Limits(**{name: value for name, value in self if name in Limits.__dataclass_fields__})

    def rest_limits(self) -> RestLimits:
        """The limits of REST requests."""
        return RestLimits(
            max_body_bytes=self.max_body_bytes, max_body_seconds=self.max_body_seconds, max_ids=self.max_ids
        )
