"""The history of an instance: what each upgrade did to it."""

from datetime import datetime
from typing import Self

import strawberry

from uplift.domain.model import upgrade as model
from uplift.graphql_api.types.enums import OutcomeKind
from uplift.graphql_api.types.reasons import SkipReason, reasons_from_domain
from uplift.graphql_api.types.upgrades.upgrades import Upgrade


@strawberry.type(description="What one upgrade did to an instance.")
class HistoryEntry:
    upgrade: Upgrade = strawberry.field(description="The upgrade.")
    when: datetime = strawberry.field(
        description="When the upgrade finished; while it is unfinished, when it started."
    )
    kind: OutcomeKind = strawberry.field(description="What the upgrade did to the instance.")
    reasons: list[SkipReason] = strawberry.field(
        description="Every reason why the instance was skipped; empty if it was upgraded."
    )
    from_version: int = strawberry.field(description="The number of its version before.")
    to_version: int = strawberry.field(description="The number of its version afterwards.")
    from_position: list[str] = strawberry.field(
        description="The ids of the elements at which it waited before, sorted."
    )
    to_position: list[str] = strawberry.field(
        description="The ids of the elements at which it waited afterwards, sorted."
    )

    @classmethod
    def from_domain(cls, entry: model.HistoryEntry) -> Self:
        upgrade, outcome = entry.upgrade, entry.outcome
        when = upgrade.finished_at or upgrade.started_at
        assert when is not None, "an upgrade with outcomes was started"
        assert outcome.from_version is not None, "an instance that exists has versions and positions"
        assert outcome.to_version is not None
        assert outcome.from_position is not None
        assert outcome.to_position is not None
        return cls(
            upgrade=Upgrade.from_domain(upgrade),
            when=when,
            kind=outcome.kind,
            reasons=reasons_from_domain(outcome.reasons),
            from_version=outcome.from_version,
            to_version=outcome.to_version,
            from_position=sorted(outcome.from_position),
            to_position=sorted(outcome.to_position),
        )
