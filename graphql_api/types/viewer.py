"""The viewer: who sends the request, as its API key says."""

from datetime import datetime
from typing import Self

import strawberry

from uplift.domain.model.access import Caller
from uplift.graphql_api.types.enums import Role


@strawberry.type(description="The sender of the request, as its API key says.")
class Viewer:
    key_name: str = strawberry.field(description="The name of the API key, which the audit records.")
    role: Role = strawberry.field(description="What the API key may do.")
    namespaces: list[str] | None = strawberry.field(
        description="The scope of the API key: the namespaces that it sees, sorted, whether they exist or "
        "not. Null if it sees all."
    )
    expires_at: datetime | None = strawberry.field(
        description="When the API key stops being valid; null if it does not expire."
    )

    @classmethod
    def from_domain(cls, caller: Caller) -> Self:
        return cls(
            key_name=caller.name,
            role=caller.role,
            namespaces=None if caller.namespaces is None else sorted(caller.namespaces),
            expires_at=caller.expires_at,
        )
