"""The events in the life of an upgrade."""

from datetime import datetime
from typing import Self

import strawberry

from uplift import domain
from uplift.graphql_api.types.enums import UpgradeEventKind


@strawberry.type(description="An event in the life of an upgrade.")
class UpgradeEvent:
    at: datetime = strawberry.field(description="When it happened.")
    kind: UpgradeEventKind = strawberry.field(description="What happened.")
    by: str | None = strawberry.field(
        description="The name of the API key, or of the user of the command line, that did it. Null for what "
        "a worker did, and for what was done before Uplift stored these names."
    )

    @classmethod
    def from_domain(cls, event: domain.UpgradeEvent) -> Self:
        return cls(at=event.at, kind=event.kind, by=event.by)
