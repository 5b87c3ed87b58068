"""Plans an upgrade: what it would do if it started now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from uplift.domain.compatibility import Code, Finding
from uplift.domain.errors import ErrorCode, InvalidInput, NoPublishedVersion, UpliftError
from uplift.domain.model.cohort import CountedCohort
from uplift.domain.model.decision import (
    CountedDecision,
    ReasonCode,
    Verdict,
    count_elements,
    count_findings,
    count_reasons,
)
from uplift.domain.model.instance import ElementId
from uplift.domain.model.mapping import VersionMapping, require_valid_mappings
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import Selection
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.ports import Store
from uplift.domain.rules.comparer import IN_PROCESS, Comparer
from uplift.domain.rules.eligibility import decide
from uplift.domain.rules.migration_path import MigrationPath, MigrationPaths
from uplift.domain.use_cases.conditions import require_known_conditions
from uplift.domain.use_cases.versions import get_process


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The decisions on all cohorts of a selection, and the migration paths behind them, by source version.

    `not_found` counts ids that no instance of the process has, `excluded` the active instances that the
    selection leaves out.
    """

    process: ProcessKey
    selection: Selection
    target_version: VersionNumber
    mappings: tuple[VersionMapping, ...]
    decisions: tuple[CountedDecision, ...]
    migration_paths: Mapping[VersionNumber, MigrationPath]
    not_found: int
    excluded: int

    @property
    def upgraded(self) -> int:
        """How many instances would be upgraded."""
        return self._count(Verdict.UPGRADE)

    @property
    def skipped(self) -> int:
        """How many instances would be skipped, ids without an instance included."""
        return self._count(Verdict.SKIP) + self.not_found

    @property
    def total(self) -> int:
        """How many outcomes there would be."""
        return self.upgraded + self.skipped

    @property
    def counts_by_reason(self) -> Mapping[ReasonCode, int]:
        """How many instances would be skipped for each reason."""
        return count_reasons(self.decisions, not_found=self.not_found)

    @property
    def counts_by_finding(self) -> Mapping[Code, int]:
        """How many instances have a finding of each code, whether upgraded or skipped."""
        return count_findings(self.decisions)

    @property
    def counts_by_element(self) -> Mapping[ElementId, int]:
        """How many instances would be skipped at each element, the largest count first."""
        return count_elements(self.decisions)

    @property
    def fingerprint(self) -> "Fingerprint":
        """The fingerprint of this plan. A request that carries it is refused if it would do anything else."""
        return Fingerprint(
            target_version=self.target_version,
            upgraded=self.upgraded,
            skipped=self.skipped,
            digest=_digest_of(self),
        )

    def _count(self, verdict: Verdict) -> int:
        return sum(counted.count for counted in self.decisions if counted.decision.verdict is verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A plan in short. Two plans with equal fingerprints do the same; the counts say how others differ."""

    target_version: int
    upgraded: int
    skipped: int
    digest: str

    def __str__(self) -> str:
        return f"{self.target_version}-{self.upgraded}-{self.skipped}-{self.digest}"


class PlanChanged(UpliftError):
    """The upgrade would not do what its plan says; nothing was written."""

    code = ErrorCode.PLAN_CHANGED

    def __init__(self, *, planned: Fingerprint, now: Fingerprint) -> None:
        super().__init__(
            f"Expected to carry out the plan {planned}, but {_difference(planned, now)}. "
            "Review the new plan and pass its fingerprint.",
            field=("fingerprint",),
        )
        self.planned = planned
        self.now = now


async def plan_upgrade(store: Store, request: UpgradeRequest, *, comparer: Comparer = IN_PROCESS) -> Plan:
    """Decide all cohorts of a selection, by a few grouped queries, without writing anything.

    Only the process, the selection and the mappings of the request matter. Raises ProcessNotFound,
    NoPublishedVersion, InvalidInput, InvalidMapping, and InvalidSelection for a condition that names a
    version or an element that does not exist.
    """
    require_valid_mappings(request.mappings)
    process = request.process
    target = (await get_process(store, process)).latest_published
    if target is None:
        raise NoPublishedVersion(namespace=process.namespace, process_code=process.code)
    migration_paths = MigrationPaths(
        process=process,
        target=target,
        mappings=request.mappings,
        documents=store.processes,
        comparer=comparer,
    )
    await migration_paths.require_valid_mappings()
    await require_known_conditions(store, request, comparer=comparer)
    selected = await store.instances.selected_cohorts(process, request.selection)
    by_version = await migration_paths.find_for([counted.cohort for counted in selected.cohorts])
    return Plan(
        process=process,
        selection=request.selection,
        target_version=target,
        mappings=request.mappings,
        decisions=tuple(_decided(counted, by_version) for counted in selected.cohorts),
        migration_paths=by_version,
        not_found=selected.not_found,
        excluded=selected.excluded,
    )


async def require_same_plan(
    store: Store, request: UpgradeRequest, *, comparer: Comparer = IN_PROCESS
) -> Fingerprint | None:
    """The fingerprint of the request, if it has one.

    Raises InvalidInput for a malformed fingerprint, and PlanChanged when the request would now do something
    else than its plan says.
    """
    if request.fingerprint is None:
        return None
    planned = read_fingerprint(request.fingerprint)
    plan = await plan_upgrade(store, request, comparer=comparer)
    if plan.fingerprint != planned:
        raise PlanChanged(planned=planned, now=plan.fingerprint)
    return planned


def require_planned_result(planned: Fingerprint, done: Upgrade) -> None:
    """Raise PlanChanged when the counts of an upgrade, all recorded, are not those of its plan."""
    assert done.target_version is not None, "only an undo has no target version"
    now = Fingerprint(
        target_version=done.target_version,
        upgraded=done.upgraded + done.ordered,
        skipped=done.skipped,
        digest=planned.digest,
    )
    if now != planned:
        raise PlanChanged(planned=planned, now=now)


def read_fingerprint(text: str) -> Fingerprint:
    """Parse the fingerprint of a request. Raises InvalidInput."""
    parts = text.split("-")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts[:3]):
        raise InvalidInput(
            f"Expected fingerprint to be that of a plan, but got {text[:100]!r}.", field=("fingerprint",)
        )
    target, upgraded, skipped = (int(part) for part in parts[:3])
    return Fingerprint(target_version=target, upgraded=upgraded, skipped=skipped, digest=parts[3])


def _decided(
    counted: CountedCohort, migration_paths: Mapping[VersionNumber, MigrationPath]
) -> CountedDecision:
    return CountedDecision(
        decision=decide(counted.cohort, migration_paths[counted.cohort.version]), count=counted.count
    )


def _digest_of(plan: Plan) -> str:
    lines = sorted(_line(counted) for counted in plan.decisions)
    return blake2b(repr((plan.process, plan.not_found, lines)).encode(), digest_size=8).hexdigest()


def _line(counted: CountedDecision) -> tuple[object, ...]:
    decision = counted.decision
    cohort = decision.cohort
    return (
        cohort.version,
        cohort.status.value,
        sorted(cohort.position),
        counted.count,
        sorted(decision.to_position or ()),
        [(reason.code.value, _codes(reason.findings)) for reason in decision.reasons],
    )


def _codes(findings: Sequence[Finding]) -> list[tuple[str, str | None]]:
    return [(finding.code.value, finding.source) for finding in findings]


def _difference(planned: Fingerprint, now: Fingerprint) -> str:
    changes = [
        f"it would {what} {after:,} instead of {before:,}"
        for what, before, after in (
            ("go to version", planned.target_version, now.target_version),
            ("upgrade", planned.upgraded, now.upgraded),
            ("skip", planned.skipped, now.skipped),
        )
        if before != after
    ]
    return ", ".join(changes) or "other instances would be upgraded or skipped, in the same numbers"
