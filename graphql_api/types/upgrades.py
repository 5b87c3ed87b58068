"""What does a client see of an upgrade, and of what it did to each instance?"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.model.paging import page_request
from uplift.domain.ports import OutcomeFilter
from uplift.graphql_api.context import Info
from uplift.graphql_api.engine.budget import counted_as
from uplift.graphql_api.types.connections import DEFAULT_PAGE_SIZE, After, Connection, First
from uplift.graphql_api.types.enums import OutcomeKind, ReasonCode, SelectionKind, UpgradeState
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.mappings import VersionMapping, show_mappings
from uplift.graphql_api.types.processes import Process, show_process
from uplift.graphql_api.types.reasons import ReasonCount, SkipReason, show_reason_counts, show_reasons

NODES_OF_MAPPINGS = 100
NODES_OF_AN_UPGRADE = 10
"""What an upgrade counts in the node budget where each takes a question of its own to the store."""


@strawberry.type(description="What an upgrade did to one instance.")
class Outcome:
    instance_id: UUID = strawberry.field(description="The id of the instance.")
    kind: OutcomeKind = strawberry.field(description="Whether it was upgraded or skipped.")
    reasons: list[SkipReason] = strawberry.field(
        description="Every reason why it was skipped; empty if it was upgraded."
    )
    from_version: int | None = strawberry.field(
        description="The number of the version it was on; null if it was not found."
    )
    to_version: int | None = strawberry.field(
        description="The number of the version it was on afterwards; null if it was not found."
    )
    from_position: list[str] | None = strawberry.field(
        description="The elements at which it waited, sorted by id; null if it was not found."
    )
    to_position: list[str] | None = strawberry.field(
        description="The elements at which it waited afterwards, sorted by id; null if it was not found."
    )


@strawberry.type(description="A page of the outcomes of an upgrade, in the order of its selection.")
class OutcomeConnection(Connection[Outcome]):
    upgrade: strawberry.Private[domain.Upgrade]
    which: strawberry.Private[OutcomeFilter]

    @field(
        "How many outcomes the whole list has so far; 0 once they were pruned. Counted only when asked for."
    )
    async def total_count(self, info: Info) -> int:
        if self.upgrade.pruned_at is not None:
            return 0
        if self.which.reason is None:
            return _count_of_kind(self.upgrade, self.which.kind)
        if self.which.kind is domain.OutcomeKind.UPGRADED:
            return 0
        decisions = await info.context.loaders.decisions.load(self.upgrade.id)
        return self.upgrade.counts_by_reason(decisions).get(self.which.reason, 0)


@strawberry.type(
    description="One request to upgrade instances of a process: who asked, when and why, and what came of it."
)
class Upgrade:
    stored: strawberry.Private[domain.Upgrade]
    id: UUID = strawberry.field(description="The id of the upgrade.")
    selection: SelectionKind = strawberry.field(description="How the request selected instances.")
    target_version: int | None = strawberry.field(
        description="The number of the version upgraded to: the latest published one when it was asked for; "
        "null for an undo, which takes each instance back to a version of its own."
    )
    state: UpgradeState = strawberry.field(description="How far it has come.")
    requested_by: str = strawberry.field(description="The name of the API key that asked for it.")
    reason: str | None = strawberry.field(description="Why it was asked for, if that was told.")
    mappings: list[VersionMapping] = strawberry.field(
        description="The mapping instructions that it was asked for with, as given.",
        metadata=counted_as(NODES_OF_MAPPINGS),
    )
    retried_reasons: list[ReasonCode] = strawberry.field(
        description="The reasons that a retry takes up; empty for all others."
    )
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    started_at: datetime | None = strawberry.field(
        description="When it was first worked on; null until then."
    )
    finished_at: datetime | None = strawberry.field(description="When it was finished; null until then.")
    pruned_at: datetime | None = strawberry.field(
        description="When its outcomes were removed for good, but for the counts; null while they are kept."
    )
    error: str | None = strawberry.field(description="Why it FAILED; null unless it did.")
    expected: int = strawberry.field(description="How many outcomes there will be about.")
    total: int = strawberry.field(description="How many instances have their outcome so far.")
    upgraded: int = strawberry.field(description="How many instances were upgraded so far.")
    skipped: int = strawberry.field(description="How many instances were skipped so far.")
    excluded: int = strawberry.field(
        description="How many active instances a selection of all active left out; they have no outcome."
    )

    worked_seconds: float = strawberry.field(
        description="How long was worked on it so far, pauses not counted."
    )
    rate: float | None = strawberry.field(
        description="Outcomes a second of work; null before the first chunk is done."
    )
    eta_seconds: float | None = strawberry.field(
        description="How many seconds of work are left at this rate; null if that is not known, or nothing "
        "is left."
    )

    @field(
        "The names of the workers that hold a partition of it; a dead worker stays until another takes its "
        "partition. Empty unless the upgrade is RUNNING."
    )
    async def workers(self, info: Info) -> list[str]:
        if self.stored.state is not domain.UpgradeState.RUNNING:
            return []
        left = await info.context.loaders.partitions.load(self.stored.id)
        return sorted({partition.lease.worker for partition in left if partition.lease is not None})

    @field("The process whose instances it upgrades.")
    async def process(self, info: Info) -> Process:
        return show_process(await info.context.loaders.processes.load(self.stored.process))

    @field(
        "The earlier upgrade that a retry or an undo is about; null for all others.",
        nodes=NODES_OF_AN_UPGRADE,
    )
    async def of(self, info: Info) -> "Upgrade | None":
        if self.stored.of is None:
            return None
        return show_upgrade(await info.context.loaders.upgrades.load(self.stored.of))

    @field(
        "How many instances were skipped for each reason that occurred. An instance with several reasons "
        "counts under each."
    )
    async def counts_by_reason(self, info: Info) -> list[ReasonCount]:
        decisions = await info.context.loaders.decisions.load(self.stored.id)
        return show_reason_counts(self.stored.counts_by_reason(decisions))

    @field("What it did to each instance so far.")
    async def outcomes(
        self,
        info: Info,
        kind: Annotated[
            OutcomeKind | None, strawberry.argument(description="Only those of this kind.")
        ] = None,
        reason: Annotated[
            ReasonCode | None,
            strawberry.argument(description="Only those skipped for this reason, alone or among others."),
        ] = None,
        first: First = DEFAULT_PAGE_SIZE,
        after: After = None,
    ) -> OutcomeConnection:
        which = OutcomeFilter(
            kind=None if kind is None else domain.OutcomeKind[kind.name],
            reason=None if reason is None else domain.ReasonCode[reason.name],
        )
        asked = (self.stored.id, which, page_request(first, after))
        page = await info.context.loaders.outcome_pages.load(asked)
        return OutcomeConnection(
            page=page.map(show_outcome), follows_cursor=after is not None, upgrade=self.stored, which=which
        )


@strawberry.type(description="A page of upgrades, the newest first.")
class UpgradeConnection(Connection[Upgrade]):
    pass


def show_upgrade(upgrade: domain.Upgrade) -> Upgrade:
    """An upgrade as a client sees it."""
    return Upgrade(
        stored=upgrade,
        id=upgrade.id,
        selection=SelectionKind(upgrade.selection),
        target_version=upgrade.target_version,
        state=UpgradeState(upgrade.state),
        requested_by=upgrade.requested_by,
        reason=upgrade.reason,
        mappings=show_mappings(upgrade.mappings),
        retried_reasons=[ReasonCode(code) for code in domain.ReasonCode if code in upgrade.retried],
        requested_at=upgrade.requested_at,
        started_at=upgrade.started_at,
        finished_at=upgrade.finished_at,
        pruned_at=upgrade.pruned_at,
        error=upgrade.error,
        expected=upgrade.expected,
        total=upgrade.total,
        upgraded=upgrade.upgraded,
        skipped=upgrade.skipped,
        excluded=upgrade.excluded,
        worked_seconds=upgrade.worked.total_seconds(),
        rate=upgrade.rate,
        eta_seconds=None if upgrade.remaining is None else upgrade.remaining.total_seconds(),
    )


def show_outcome(outcome: domain.Outcome) -> Outcome:
    """An outcome as a client sees it."""
    return Outcome(
        instance_id=outcome.instance,
        kind=OutcomeKind(outcome.kind),
        reasons=show_reasons(outcome.reasons),
        from_version=outcome.from_version,
        to_version=outcome.to_version,
        from_position=_show_position(outcome.from_position),
        to_position=_show_position(outcome.to_position),
    )


def _count_of_kind(upgrade: domain.Upgrade, kind: domain.OutcomeKind | None) -> int:
    if kind is None:
        return upgrade.total
    return upgrade.upgraded if kind is domain.OutcomeKind.UPGRADED else upgrade.skipped


def _show_position(position: domain.Position | None) -> list[str] | None:
    return None if position is None else sorted(position)
