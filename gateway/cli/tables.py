"""How do plans and upgrades look in a terminal?"""

from collections.abc import Mapping

from rich.table import Table

from domain.decision import ReasonCode
from gateway.summaries import CohortSummary, PlanSummary, UpgradeSummary


def plan_table(plan: PlanSummary, *, rows: int) -> Table:
    """A plan, a row a cohort; cohorts behind the first so many rows are summed up."""
    table = Table(
        title=f"Plan for {plan.process}: upgrade to version {plan.target_version}",
        title_justify="left",
        caption=_totals(plan),
        caption_justify="left",
    )
    table.add_column("instances", justify="right")
    table.add_column("from", justify="right")
    for column in ("status", "position", "decision", "why, or where to"):
        table.add_column(column)
    for cohort in plan.cohorts[:rows]:
        table.add_row(*_row(cohort))
    if rest := plan.cohorts[rows:]:
        table.add_row(f"{sum(cohort.count for cohort in rest):,}", "", "", f"… in {len(rest):,} more cohorts")
    return table


def upgrade_table(done: UpgradeSummary) -> Table:
    """What an upgrade did."""
    table = Table(title=f"Upgrade {done.id} to version {done.target_version}", title_justify="left")
    table.add_column("outcome")
    table.add_column("instances", justify="right")
    table.add_row("upgraded", f"{done.upgraded:,}")
    table.add_row("skipped", f"{done.skipped:,}")
    for code, count in done.counts_by_reason.items():
        table.add_row(f"  {code}", f"{count:,}")
    table.add_row("excluded", f"{done.excluded:,}")
    return table


def _totals(plan: PlanSummary) -> str:
    return (
        f"{plan.upgraded:,} of {plan.upgraded + plan.skipped:,} would be upgraded, "
        f"{plan.skipped:,} skipped{_in_brackets(plan.counts_by_reason)}, {plan.excluded:,} left out.\n"
        f"Fingerprint {plan.fingerprint}"
    )


def _in_brackets(counts: Mapping[ReasonCode, int] | Mapping[str, int]) -> str:
    listed = ", ".join(f"{code} {count:,}" for code, count in counts.items())
    return f" ({listed})" if listed else ""


def _row(cohort: CohortSummary) -> tuple[str, ...]:
    colour = "green" if cohort.decision == "UPGRADE" else "yellow"
    return (
        f"{cohort.count:,}",
        str(cohort.version),
        cohort.status,
        " ".join(cohort.position),
        f"[{colour}]{cohort.decision}[/]",
        cohort.why,
    )
