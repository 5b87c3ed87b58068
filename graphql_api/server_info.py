"""What a server says of itself to its clients."""

from dataclasses import dataclass, field
from importlib.metadata import version

from uplift.domain.bpmn import DocumentLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A number of requests in a time in seconds."""

    requests: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """The version of the server, and those of its limits that the GraphQL engine does not apply itself."""

    version: str = field(default_factory=lambda: version("uplift-gateway"))
    model_limits: DocumentLimits = field(default_factory=DocumentLimits)
    """The limits of BPMN documents."""
    rate_limit: Rate | None = None
    """The limit on the requests of each API key."""
