"""Plans: what an upgrade would do, cohort by cohort."""

from dataclasses import dataclass
from typing import Annotated, Self

import strawberry
from strawberry.dataloader import DataLoader

from uplift import domain
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.use_cases.plan import Plan
from uplift.graphql_api.context import Info
from uplift.graphql_api.engine.budget import counted_as, require_within_budget
from uplift.graphql_api.types.connections import DEFAULT_PAGE_SIZE, After, Connection, First, page_of
from uplift.graphql_api.types.enums import ReasonCode, Status, Verdict
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.processes.comparisons import MappingPair, pairs_from_domain
from uplift.graphql_api.types.processes.instances import ProcessInstance
from uplift.graphql_api.types.processes.processes import Process
from uplift.graphql_api.types.reasons import (
    ElementCount,
    Finding,
    FindingCount,
    ReasonCount,
    SkipReason,
    reasons_from_domain,
)
from uplift.graphql_api.types.user_errors import UserError

NODES_OF_A_PLAN = 1_000
"""The cost of a plan in the node budget: it groups all instances of its selection."""
ASSUMED_COHORTS = 100
"""How many cohorts the node budget assumes before the plan is made; tens are usual."""
NODES_OF_A_MAPPING = 10
"""The cost of the mapping of a cohort in the node budget."""

CohortPages = DataLoader[tuple[domain.Cohort, None, PageRequest], Page[ProcessInstance]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _DecisionFilter:
    """Which decisions of a plan a list contains; None means any."""

    verdict: Verdict | None
    reason: ReasonCode | None
    version: int | None

    def matches(self, decision: domain.Decision) -> bool:
        return (
            self.verdict in (None, decision.verdict)
            and self.version in (None, decision.cohort.version)
            and (self.reason is None or any(reason.code is self.reason for reason in decision.reasons))
        )


@strawberry.type(description="A page of the selected instances in one cohort, in the order of registration.")
class CohortInstanceConnection(Connection[ProcessInstance]):
    total_count: int = strawberry.field(
        description="The number of instances in the cohort when the plan was made."
    )


@strawberry.type(
    description="The plan for all selected instances with the same version, status and position."
)
class PlannedCohort:
    cohort: strawberry.Private[domain.Cohort]
    pages: strawberry.Private[CohortPages]
    count: int = strawberry.field(description="The number of instances.")
    version: int = strawberry.field(description="The number of the version to which they are pinned.")
    status: Status = strawberry.field(description="The status of the instances.")
    position: list[str] = strawberry.field(
        description="The ids of the elements at which each instance waits, sorted; empty if the engine did "
        "not report them."
    )
    decision: Verdict = strawberry.field(description="Whether the instances would be upgraded.")
    to_position: list[str] | None = strawberry.field(
        description="The ids of the elements at which each instance would wait after the upgrade, sorted; "
        "null if the instances would be skipped."
    )
    reasons: list[SkipReason] = strawberry.field(
        description="Every reason why the instances would be skipped; empty if they would be upgraded."
    )
    warnings: list[Finding] = strawberry.field(
        description="The findings at their elements that do not prevent an upgrade."
    )
    mapping: list[MappingPair] = strawberry.field(
        description="The mapping from their version to the target version, sorted by source: the generated "
        "pairs, overridden by instructions. Empty for instances on the target version and for versions "
        "without a BPMN model.",
        metadata=counted_as(NODES_OF_A_MAPPING),
    )

    @field("The selected instances that are in this cohort now, which may differ from those in the plan.")
    async def instances(
        self, first: First = DEFAULT_PAGE_SIZE, after: After = None
    ) -> CohortInstanceConnection:
        page = await self.pages.load((self.cohort, None, page_of(first, after)))
        return CohortInstanceConnection(page=page, follows_cursor=after is not None, total_count=self.count)

    @classmethod
    def from_domain(
        cls, counted: domain.CountedDecision, mapping: list[MappingPair], pages: CohortPages
    ) -> Self:
        decision = counted.decision
        return cls(
            cohort=decision.cohort,
            pages=pages,
            count=counted.count,
            version=decision.cohort.version,
            status=decision.cohort.status,
            position=sorted(decision.cohort.position),
            decision=decision.verdict,
            to_position=None if decision.to_position is None else sorted(decision.to_position),
            reasons=reasons_from_domain(decision.reasons),
            warnings=list(map(Finding.from_domain, decision.warnings)),
            mapping=mapping,
        )


@strawberry.type(
    description="What an upgrade would do if it were requested now. If the fingerprint is passed to "
    "`upgradeInstances`, it refuses an upgrade that would do anything else."
)
class UpgradePlan:
    plan: strawberry.Private[Plan]
    target_version: int = strawberry.field(
        description="The number of the target version: the latest published one."
    )
    fingerprint: str = strawberry.field(
        description="The fingerprint of this plan, to pass to `upgradeInstances`."
    )
    total: int = strawberry.field(description="The number of instances that would get an outcome.")
    upgraded: int = strawberry.field(description="The number of instances that would be upgraded.")
    skipped: int = strawberry.field(
        description="The number of instances that would be skipped, including ids that were not found."
    )
    excluded: int = strawberry.field(
        description="The number of active instances that an `allActive` selection excludes. They get no "
        "outcome."
    )
    not_found: int = strawberry.field(
        description="The number of ids in the selection that no instance of the process has."
    )
    counts_by_reason: list[ReasonCount] = strawberry.field(
        description="The number of instances that would be skipped for each reason that occurs. An instance "
        "with several reasons counts for each of them."
    )
    counts_by_finding: list[FindingCount] = strawberry.field(
        description="The number of instances with findings of each code that occurs, errors first. An "
        "instance with several codes counts for each code, but only once for each."
    )

    @field(
        "The number of instances that would be skipped at each element at which they wait, the largest "
        "numbers first. An instance that waits at several elements counts at each."
    )
    def counts_by_element(self, first: First = DEFAULT_PAGE_SIZE) -> list[ElementCount]:
        return ElementCount.from_domain(self.plan.counts_by_element, first)

    @field(
        "The expected processing time of the upgrade in seconds, from the rate of recent large upgrades, for "
        "a linked process from those by the same engine; null if there was none."
    )
    async def expected_seconds(self, info: Info) -> float | None:
        store = info.context.store
        process = await store.processes.find(self.plan.process)
        rate = await store.upgrades.measured_rate(None if process is None else process.link)
        return self.total / rate if rate else None

    @field("The process whose instances would be upgraded.")
    async def process(self, info: Info) -> Process:
        return await info.context.loaders.processes.load(self.plan.process)

    @field(
        "The decisions, sorted by version and status, the largest cohort first. The node budget assumes "
        f"{ASSUMED_COHORTS} cohorts; a longer list is checked again with its real length.",
        items=ASSUMED_COHORTS,
    )
    async def cohorts(
        self,
        info: Info,
        decision: Annotated[
            Verdict | None, strawberry.argument(description="Only cohorts with this decision.")
        ] = None,
        reason: Annotated[
            ReasonCode | None,
            strawberry.argument(description="Only cohorts skipped for this reason, alone or among others."),
        ] = None,
        version: Annotated[
            int | None,
            strawberry.argument(description="Only cohorts that are pinned to the version of this number."),
        ] = None,
    ) -> list[PlannedCohort]:
        decision_filter = _DecisionFilter(verdict=decision, reason=reason, version=version)
        matching = [counted for counted in self.plan.decisions if decision_filter.matches(counted.decision)]
        require_within_budget(info, items=len(matching))
        pages = info.context.loaders.cohort_pages(self.plan)
        mappings = {
            number: pairs_from_domain(migration_path.mapping)
            for number, migration_path in self.plan.migration_paths.items()
        }
        return [
            PlannedCohort.from_domain(counted, mappings[counted.decision.cohort.version], pages)
            for counted in matching
        ]

    @classmethod
    def from_domain(cls, plan: Plan) -> Self:
        return cls(
            plan=plan,
            target_version=plan.target_version,
            fingerprint=str(plan.fingerprint),
            total=plan.total,
            upgraded=plan.upgraded,
            skipped=plan.skipped,
            excluded=plan.excluded,
            not_found=plan.not_found,
            counts_by_reason=ReasonCount.from_domain(plan.counts_by_reason),
            counts_by_finding=FindingCount.from_domain(plan.counts_by_finding),
        )


@strawberry.type(description="The result of `upgradePlan`.")
class UpgradePlanPayload:
    plan: UpgradePlan | None = strawberry.field(description="The plan; null if the request was refused.")
    user_errors: list[UserError] = strawberry.field(
        description="Why the upgrade would be refused as a whole; empty if there is a plan."
    )
