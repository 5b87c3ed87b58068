"""What does a client see of what an upgrade would do?"""

from dataclasses import dataclass
from typing import Annotated

import strawberry
from strawberry.dataloader import DataLoader

from uplift import domain
from uplift.domain.model.instance import Instance
from uplift.domain.model.paging import Page, PageRequest, page_request
from uplift.domain.use_cases.plan import Plan
from uplift.graphql_api.context import Info
from uplift.graphql_api.engine.budget import counted_as, require_within_budget
from uplift.graphql_api.loaders import cohort_pages
from uplift.graphql_api.types.connections import DEFAULT_PAGE_SIZE, After, Connection, First
from uplift.graphql_api.types.enums import ReasonCode, Status, Verdict
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.instances import ProcessInstance, show_instance
from uplift.graphql_api.types.mappings import MappingPair, show_pairs
from uplift.graphql_api.types.processes import Process, show_process
from uplift.graphql_api.types.reasons import (
    Finding,
    FindingCount,
    ReasonCount,
    SkipReason,
    show_finding_counts,
    show_findings,
    show_reason_counts,
    show_reasons,
)
from uplift.graphql_api.types.user_errors import UserError

NODES_OF_A_PLAN = 1_000
"""What a plan counts in the node budget: it groups all instances of its selection."""
ASSUMED_COHORTS = 100
"""How many cohorts a plan is taken to have before it is made; tens are usual."""
NODES_OF_A_MAPPING = 10

CohortPages = DataLoader[tuple[domain.Cohort, None, PageRequest], Page[Instance]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filter:
    """Which decisions of a plan a list shows; None means any."""

    verdict: domain.Verdict | None
    reason: domain.ReasonCode | None
    version: int | None

    def shows(self, decision: domain.Decision) -> bool:
        has_reason = self.reason is None or any(one.code is self.reason for one in decision.reasons)
        is_asked_for = self.verdict in (None, decision.verdict)
        return is_asked_for and has_reason and self.version in (None, decision.cohort.version)


@strawberry.type(
    description="A page of the selected instances that are in one cohort, in the order of registration."
)
class CohortInstanceConnection(Connection[ProcessInstance]):
    total_count: int = strawberry.field(description="How many the cohort had when the plan was made.")


@strawberry.type(
    description="What would happen to all selected instances that share version, status and position."
)
class PlannedCohort:
    cohort: strawberry.Private[domain.Cohort]
    pages: strawberry.Private[CohortPages]
    count: int = strawberry.field(description="How many instances there are.")
    version: int = strawberry.field(description="The number of the version that they are pinned to.")
    status: Status = strawberry.field(description="What they are doing.")
    position: list[str] = strawberry.field(
        description="The elements at which each waits, sorted by id; empty if the engine has not told."
    )
    decision: Verdict = strawberry.field(description="Whether they would be upgraded.")
    to_position: list[str] | None = strawberry.field(
        description="The elements at which each would wait, sorted by id; null if they would be skipped."
    )
    reasons: list[SkipReason] = strawberry.field(
        description="Every reason why they would be skipped; empty if they would be upgraded."
    )
    warnings: list[Finding] = strawberry.field(
        description="What else to know about where they wait; never in the way of an upgrade."
    )
    mapping: list[MappingPair] = strawberry.field(
        description="The mapping from their version to the target version, by source: generated, and as "
        "instructed. Empty where there is nothing to map: on the target version, or without a BPMN model.",
        metadata=counted_as(NODES_OF_A_MAPPING),
    )

    @field("The instances that are in this cohort now, whether or not they were when the plan was made.")
    async def instances(
        self, first: First = DEFAULT_PAGE_SIZE, after: After = None
    ) -> CohortInstanceConnection:
        page = await self.pages.load((self.cohort, None, page_request(first, after)))
        return CohortInstanceConnection(
            page=page.map(show_instance), follows_cursor=after is not None, total_count=self.count
        )


@strawberry.type(
    description="What an upgrade would do if it were asked for now. It does just that, if nothing moves "
    "between; give it the fingerprint, and it is refused if something did."
)
class UpgradePlan:
    made: strawberry.Private[Plan]
    target_version: int = strawberry.field(
        description="The number of the version to upgrade to: the latest published one."
    )
    fingerprint: str = strawberry.field(
        description="What to give to an upgrade that shall do this and nothing else."
    )
    total: int = strawberry.field(description="How many instances would get an outcome.")
    upgraded: int = strawberry.field(description="How many instances would be upgraded.")
    skipped: int = strawberry.field(
        description="How many instances would be skipped, ids that were not found included."
    )
    excluded: int = strawberry.field(
        description="How many active instances a selection of all active leaves out; they get no outcome."
    )
    not_found: int = strawberry.field(
        description="How many ids were asked for that no instance of the process has."
    )
    counts_by_reason: list[ReasonCount] = strawberry.field(
        description="How many instances would be skipped for each reason that occurs. An instance with "
        "several reasons counts under each."
    )
    counts_by_finding: list[FindingCount] = strawberry.field(
        description="How many instances have a finding of each code that occurs, errors first. An instance "
        "with findings of several codes counts under each; with several of one code it counts once."
    )

    @field(
        "How many seconds the upgrade would be worked on, by the rate of the latest large upgrades; null "
        "before there was one."
    )
    async def expected_seconds(self, info: Info) -> float | None:
        rate = await info.context.store.measured_rate()
        return self.total / rate if rate else None

    @field("The process whose instances would be upgraded.")
    async def process(self, info: Info) -> Process:
        return show_process(await info.context.loaders.processes.load(self.made.process))

    @field(
        "The decisions, by version and status, the largest cohort first. In the budget of an operation a "
        f"plan is taken to have {ASSUMED_COHORTS} cohorts; where it has more, what is asked of each is "
        "counted again.",
        items=ASSUMED_COHORTS,
    )
    async def cohorts(
        self,
        info: Info,
        decision: Annotated[
            Verdict | None, strawberry.argument(description="Only those with this decision.")
        ] = None,
        reason: Annotated[
            ReasonCode | None,
            strawberry.argument(description="Only those skipped for this reason, alone or among others."),
        ] = None,
        version: Annotated[
            int | None, strawberry.argument(description="Only those pinned to the version of this number.")
        ] = None,
    ) -> list[PlannedCohort]:
        which = _Filter(
            verdict=None if decision is None else domain.Verdict[decision.name],
            reason=None if reason is None else domain.ReasonCode[reason.name],
            version=version,
        )
        chosen = [counted for counted in self.made.decisions if which.shows(counted.decision)]
        require_within_budget(info, items=len(chosen))
        pages = cohort_pages(info.context.store, self.made)
        mappings = {
            number: show_pairs(migration_path.mapping)
            for number, migration_path in self.made.migration_paths.items()
        }
        return [_show_cohort(counted, mappings[counted.decision.cohort.version], pages) for counted in chosen]


@strawberry.type(description="What came of asking for a plan.")
class UpgradePlanPayload:
    plan: UpgradePlan | None = strawberry.field(description="The plan; null if it was refused.")
    user_errors: list[UserError] = strawberry.field(
        description="Why the upgrade would be refused as a whole; empty if there is a plan."
    )


def show_plan(plan: Plan) -> UpgradePlan:
    """A plan as a client sees it."""
    return UpgradePlan(
        made=plan,
        target_version=plan.target_version,
        fingerprint=str(plan.fingerprint),
        total=plan.total,
        upgraded=plan.upgraded,
        skipped=plan.skipped,
        excluded=plan.excluded,
        not_found=plan.not_found,
        counts_by_reason=show_reason_counts(plan.counts_by_reason),
        counts_by_finding=show_finding_counts(plan.counts_by_finding),
    )


def _show_cohort(
    counted: domain.CountedDecision, mapping: list[MappingPair], pages: CohortPages
) -> PlannedCohort:
    decision = counted.decision
    return PlannedCohort(
        cohort=decision.cohort,
        pages=pages,
        count=counted.count,
        version=decision.cohort.version,
        status=Status(decision.cohort.status),
        position=sorted(decision.cohort.position),
        decision=Verdict(decision.verdict),
        to_position=None if decision.to_position is None else sorted(decision.to_position),
        reasons=show_reasons(decision.reasons),
        warnings=show_findings(decision.warnings),
        mapping=mapping,
    )
