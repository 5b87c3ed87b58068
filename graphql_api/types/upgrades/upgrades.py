"""Upgrades and their progress."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from uplift import domain
from uplift.domain.model.decision import count_elements, count_findings
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.upgrade_event import MAX_EVENTS, events_of
from uplift.domain.ports import UpgradeFilter
from uplift.domain.rules.actions import allowed_actions
from uplift.graphql_api.context import Info
from uplift.graphql_api.engine.budget import counted_as
from uplift.graphql_api.types.connections import DEFAULT_PAGE_SIZE, After, Connection, First, page_of
from uplift.graphql_api.types.enums import ReasonCode, SelectionKind, UpgradeAction, UpgradeState
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.inputs.filters import (
    COSTS_A_FILTER,
    NODES_OF_A_FILTER,
    OutcomeFilterInput,
    outcome_filter_of,
)
from uplift.graphql_api.types.nodes import Node
from uplift.graphql_api.types.processes.comparisons import VersionMapping
from uplift.graphql_api.types.processes.processes import Process
from uplift.graphql_api.types.reasons import ElementCount, FindingCount, ReasonCount
from uplift.graphql_api.types.upgrades.conditions import Conditions
from uplift.graphql_api.types.upgrades.outcomes import OutcomeConnection
from uplift.graphql_api.types.upgrades.upgrade_events import UpgradeEvent

COUNTED_UPGRADES = 20_000
"""How many upgrades a list counts; beyond, its `totalCount` is null."""
NODES_OF_COUNTING = 100
"""The cost of counting upgrades in the node budget."""
NODES_OF_DECISIONS = 10
"""The cost of reading the decisions to skip of an upgrade in the node budget."""
COSTS_DECISIONS = f" Costs {NODES_OF_DECISIONS} nodes in the node budget."
NODES_OF_MAPPINGS = 100
"""The cost of `mappings` in the node budget."""
ASSUMED_EVENTS = 10
"""How many events the node budget assumes in the life of an upgrade."""
NODES_OF_AN_UPGRADE = 10
"""The cost of `of` in the node budget: a list of upgrades reads each level of it with one more query."""


@strawberry.type(
    description="A request to upgrade instances of a process: who requested it, when and why, and its "
    "progress."
)
class Upgrade(Node):
    stored: strawberry.Private[domain.Upgrade]
    selection: SelectionKind = strawberry.field(description="How the request selects instances.")
    conditions: Conditions | None = strawberry.field(
        description="The conditions of a `matching` selection; null for all other selections."
    )
    target_version: int | None = strawberry.field(
        description="The number of the target version: the latest published one at the time of the request. "
        "Null for an undo, which moves each instance back to its own earlier version."
    )
    state: UpgradeState = strawberry.field(description="The state of the upgrade.")
    allowed_actions: list[UpgradeAction] = strawberry.field(
        description="What its state allows an operator to do with it: the mutations for these actions do not "
        "refuse the upgrade. The same for every key, but only keys with the role SYSTEM_ADMIN "
        "(`viewer.role`) may run mutations."
    )
    requested_by: str = strawberry.field(description="The name of the API key that requested it.")
    reason: str | None = strawberry.field(
        description="The reason in the request, or null if the request had none."
    )
    mappings: list[VersionMapping] = strawberry.field(
        description="The mapping instructions in the request, unchanged.",
        metadata=counted_as(NODES_OF_MAPPINGS),
    )
    retried_reasons: list[ReasonCode] = strawberry.field(
        description="The reasons whose instances a retry selects; empty for all other upgrades."
    )
    requested_at: datetime = strawberry.field(description="When the upgrade was requested.")
    started_at: datetime | None = strawberry.field(
        description="When a worker first processed it; null until then."
    )
    finished_at: datetime | None = strawberry.field(description="When it finished; null until then.")
    pruned_at: datetime | None = strawberry.field(
        description="When its outcomes were pruned; null while they are kept. The counts are always kept."
    )
    error: str | None = strawberry.field(
        description="The error that ended a FAILED upgrade; null in all other states."
    )
    expected: int = strawberry.field(description="The approximate number of outcomes when it is finished.")
    total: int = strawberry.field(description="The number of outcomes so far.")
    upgraded: int = strawberry.field(description="The number of instances upgraded so far.")
    skipped: int = strawberry.field(description="The number of instances skipped so far.")
    ordered: int = strawberry.field(
        description="The number of instances whose orders have not been sent to the linked engine. 0 for a "
        "process that is not linked, as are `sent`, `confirmed` and `refused`."
    )
    sent: int = strawberry.field(
        description="The number of instances whose orders were sent and have no answer of the engine yet."
    )
    confirmed: int = strawberry.field(
        description="The number of orders that the engine confirmed; their instances are `upgraded`."
    )
    refused: int = strawberry.field(
        description="The number of orders that the engine refused, or that were dropped because the upgrade "
        "ended; their instances are part of `skipped`."
    )
    excluded: int = strawberry.field(
        description="The number of active instances that an `allActive` or `matching` selection excluded. "
        "They have no outcome."
    )

    selected_count: int | None = strawberry.field(
        description="The number of ids that the request selects; null unless it selects by ids."
    )
    except_count: int = strawberry.field(
        description="The number of ids that the request excludes, whether they have an active instance or "
        "not."
    )
    worked_seconds: float = strawberry.field(
        description="The processing time so far in seconds, without pauses."
    )
    rate: float | None = strawberry.field(
        description="Outcomes per second of processing time; null before the first chunk is finished."
    )
    eta_seconds: float | None = strawberry.field(
        description="The estimated remaining processing time in seconds; null if it is unknown or nothing "
        "remains."
    )

    @field(
        "The names of the workers that hold a partition of the upgrade, if it is RUNNING. A worker that "
        "stopped is listed until another worker takes its partition."
    )
    async def workers(self, info: Info) -> list[str]:
        if self.stored.state is not UpgradeState.RUNNING:
            return []
        return await info.context.loaders.workers.load(self.stored.id)

    @field(
        "What happened to the upgrade, the oldest first: who requested it, who paused it and so on. Of its "
        f"pauses only the latest are shown, {MAX_EVENTS} events at most. The node budget assumes "
        f"{ASSUMED_EVENTS}.",
        items=ASSUMED_EVENTS,
    )
    async def events(self, info: Info) -> list[UpgradeEvent]:
        by_operators = await info.context.loaders.operator_events.load(self.stored.id)
        return list(map(UpgradeEvent.from_domain, events_of(self.stored, by_operators)))

    @field("The process whose instances are upgraded.")
    async def process(self, info: Info) -> Process:
        return await info.context.loaders.processes.load(self.stored.process)

    @field(
        "The earlier upgrade that a retry or an undo refers to; null for all other upgrades.",
        nodes=NODES_OF_AN_UPGRADE,
    )
    async def of(self, info: Info) -> "Upgrade | None":
        if self.stored.of is None:
            return None
        return await info.context.loaders.upgrades.load(self.stored.of)

    @field(
        "The latest undo of this upgrade; null if no undo was requested. Its state and counts say what it "
        "has moved back.",
        nodes=NODES_OF_AN_UPGRADE,
    )
    async def undone_by(self, info: Info) -> "Upgrade | None":
        undos = await info.context.loaders.following_pages.load(
            (self.stored.id, SelectionKind.UNDO, PageRequest(first=1))
        )
        return next(iter(undos.items), None)

    @field("The retries of this upgrade, the newest first.", nodes=NODES_OF_AN_UPGRADE)
    async def retries(
        self, info: Info, first: First = DEFAULT_PAGE_SIZE, after: After = None
    ) -> Annotated["RetryConnection", strawberry.lazy("uplift.graphql_api.types.upgrades.upgrades")]:
        page = await info.context.loaders.following_pages.load(
            (self.stored.id, SelectionKind.RETRY, page_of(first, after))
        )
        return RetryConnection(page=page, follows_cursor=after is not None)

    @field(
        "The number of skipped instances for each reason that occurred. An instance with several reasons "
        "counts for each of them." + COSTS_DECISIONS,
        nodes=NODES_OF_DECISIONS,
    )
    async def counts_by_reason(self, info: Info) -> list[ReasonCount]:
        decisions = await info.context.loaders.decisions.load(self.stored.id)
        return ReasonCount.from_domain(self.stored.counts_by_reason(decisions))

    @field(
        "The number of skipped instances with findings of each code that occurred, errors first. An instance "
        "with several codes counts for each code, but only once for each." + COSTS_DECISIONS,
        nodes=NODES_OF_DECISIONS,
    )
    async def counts_by_finding(self, info: Info) -> list[FindingCount]:
        decisions = await info.context.loaders.decisions.load(self.stored.id)
        return FindingCount.from_domain(count_findings(decisions))

    @field(
        "The number of skipped instances at each element at which they waited, the largest numbers first. An "
        "instance that waited at several elements counts at each." + COSTS_DECISIONS,
        nodes=NODES_OF_DECISIONS,
    )
    async def counts_by_element(self, info: Info, first: First = DEFAULT_PAGE_SIZE) -> list[ElementCount]:
        decisions = await info.context.loaders.decisions.load(self.stored.id)
        return ElementCount.from_domain(count_elements(decisions), first)

    @field(
        "The outcomes so far, one for each processed instance. A page looks at a bounded number of outcomes, "
        "so with a filter it may be short, or empty, although `hasNextPage` is true." + COSTS_A_FILTER,
        per={"filter": NODES_OF_A_FILTER},
    )
    async def outcomes(
        self,
        info: Info,
        filter_: Annotated[
            OutcomeFilterInput | None,
            strawberry.argument(name="filter", description="Only outcomes that meet these conditions."),
        ] = None,
        first: First = DEFAULT_PAGE_SIZE,
        after: After = None,
    ) -> OutcomeConnection:
        outcome_filter = outcome_filter_of(filter_)
        page = await info.context.loaders.outcome_pages.load(
            (self.stored.id, outcome_filter, page_of(first, after))
        )
        return OutcomeConnection(
            page=page,
            follows_cursor=after is not None,
            upgrade=self.stored,
            outcome_filter=outcome_filter,
        )

    def node_id(self) -> str:
        return str(self.stored.id)

    @classmethod
    def from_domain(cls, upgrade: domain.Upgrade) -> Self:
        return cls(
            stored=upgrade,
            selection=upgrade.selection,
            conditions=None if upgrade.conditions is None else Conditions.from_domain(upgrade.conditions),
            target_version=upgrade.target_version,
            state=upgrade.state,
            allowed_actions=list(allowed_actions(upgrade)),
            requested_by=upgrade.requested_by,
            reason=upgrade.reason,
            mappings=list(map(VersionMapping.from_domain, upgrade.mappings)),
            retried_reasons=[code for code in ReasonCode if code in upgrade.retried],
            requested_at=upgrade.requested_at,
            started_at=upgrade.started_at,
            finished_at=upgrade.finished_at,
            pruned_at=upgrade.pruned_at,
            error=upgrade.error,
            expected=upgrade.expected,
            total=upgrade.total,
            upgraded=upgrade.upgraded,
            skipped=upgrade.skipped,
            ordered=upgrade.ordered,
            sent=upgrade.sent,
            confirmed=0 if upgrade.link is None else upgrade.upgraded,
            refused=upgrade.refused,
            excluded=upgrade.excluded,
            selected_count=upgrade.selected_count,
            except_count=upgrade.except_count,
            worked_seconds=upgrade.worked.total_seconds(),
            rate=upgrade.rate,
            eta_seconds=None if upgrade.remaining is None else upgrade.remaining.total_seconds(),
        )


@strawberry.type(description="A page of the retries of an upgrade, the newest first.")
class RetryConnection(Connection[Upgrade]):
    pass


@strawberry.type(description="A page of upgrades, the newest first.")
class UpgradeConnection(Connection[Upgrade]):
    process_key: strawberry.Private[domain.ProcessKey | None]
    upgrade_filter: strawberry.Private[UpgradeFilter]

    @field(
        "The number of upgrades on all pages together. Null if there are more than "
        f"{COUNTED_UPGRADES:,} of the process, or in all, before the filter: no more are counted. QUEUED and "
        "RUNNING ones are always counted. "
        f"Costs {NODES_OF_COUNTING} nodes in the node budget.",
        nodes=NODES_OF_COUNTING,
    )
    async def total_count(self, info: Info) -> int | None:
        return await info.context.store.upgrades.count(self.process_key, self.upgrade_filter)
