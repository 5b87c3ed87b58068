"""What does a client see of the upgrades in the life of an instance?"""

from datetime import datetime

import strawberry

from uplift import domain
from uplift.domain.model.upgrade import HistoryEntry as StoredEntry
from uplift.graphql_api.types.enums import OutcomeKind
from uplift.graphql_api.types.reasons import SkipReason, show_reasons
from uplift.graphql_api.types.upgrades import Upgrade, show_upgrade


@strawberry.type(description="What one upgrade did to an instance.")
class HistoryEntry:
    upgrade: Upgrade = strawberry.field(description="The upgrade: who asked for it, and why.")
    when: datetime = strawberry.field(
        description="When the upgrade was finished, or when it started if it is not finished yet."
    )
    kind: OutcomeKind = strawberry.field(description="Whether the instance was upgraded or skipped.")
    reasons: list[SkipReason] = strawberry.field(
        description="Every reason why it was skipped; empty if it was upgraded."
    )
    from_version: int = strawberry.field(description="The number of the version it was on.")
    to_version: int = strawberry.field(description="The number of the version it was on afterwards.")
    from_position: list[str] = strawberry.field(description="The elements at which it waited, sorted by id.")
    to_position: list[str] = strawberry.field(
        description="The elements at which it waited afterwards, sorted by id."
    )


def show_entry(entry: StoredEntry) -> HistoryEntry:
    """What one upgrade did to an instance as a client sees it."""
    upgrade, outcome = entry.upgrade, entry.outcome
    when = upgrade.finished_at or upgrade.started_at
    assert when is not None, "an upgrade with outcomes was started"
    assert outcome.from_version is not None, "an instance that exists has versions and positions"
    assert outcome.to_version is not None
    return HistoryEntry(
        upgrade=show_upgrade(upgrade),
        when=when,
        kind=OutcomeKind(outcome.kind),
        reasons=show_reasons(outcome.reasons),
        from_version=outcome.from_version,
        to_version=outcome.to_version,
        from_position=_show_position(outcome.from_position),
        to_position=_show_position(outcome.to_position),
    )


def _show_position(position: domain.Position | None) -> list[str]:
    assert position is not None
    return sorted(position)
