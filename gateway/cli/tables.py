"""How do plans, upgrades and other lists look in a terminal?

Names and element ids come from outside: they are shown as plain text, never read as rich's markup.
"""

import os
from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from uplift.domain.model.decision import ReasonCode
from uplift.gateway.operations.summaries import CohortSummary, PlanSummary, UpgradeSummary

WIDE = 200
"""Columns of what is no terminal: lines in files and pipes should not be folded."""


def console() -> Console:
    """Where lists are printed: standard output."""
    out = Console(highlight=False, markup=False)
    if out.is_terminal or "COLUMNS" in os.environ:
        return out
    return Console(width=WIDE, highlight=False, markup=False)


def plan_table(plan: PlanSummary, *, rows: int) -> RenderableType:
    """A plan, a row a cohort; cohorts behind the first so many rows are summed up."""
    table = Table()
    table.add_column("instances", justify="right")
    table.add_column("from", justify="right")
    for column in ("status", "position", "decision", "why, or where to"):
        table.add_column(column)
    for cohort in plan.cohorts[:rows]:
        table.add_row(*_row(cohort))
    if rest := plan.cohorts[rows:]:
        table.add_row(f"{sum(cohort.count for cohort in rest):,}", "", "", f"… in {len(rest):,} more cohorts")
    title = f"Plan for {plan.process}: upgrade to version {plan.target_version}"
    return Group(Text(title), table, Text(_totals(plan)))


def upgrade_table(done: UpgradeSummary) -> RenderableType:
    """What an upgrade did so far."""
    table = Table("outcome")
    table.add_column("instances", justify="right")
    table.add_row("upgraded", f"{done.upgraded:,}")
    table.add_row("skipped", f"{done.skipped:,}")
    for code, count in done.counts_by_reason.items():
        table.add_row(f"  {code}", f"{count:,}")
    table.add_row("excluded", f"{done.excluded:,}")
    if not done.is_finished:
        eta = "" if done.eta is None else f", about {done.eta:,.0f} s more"
        table.add_row("expected", f"{done.expected:,}{eta}")
    lines = [Text(f"Upgrade {done.id} of {done.process} {_where(done)}: {done.state}")]
    if done.error is not None:
        lines.append(Text(done.error, style="red"))
    return Group(*lines, table)


def upgrades_table(upgrades: Sequence[UpgradeSummary]) -> RenderableType:
    """Upgrades, a row each."""
    table = Table(Column("id", no_wrap=True), "process", "selection", "state", "asked by", "at")
    for column in ("upgraded", "skipped", "expected"):
        table.add_column(column, justify="right")
    for one in upgrades:
        table.add_row(
            str(one.id),
            Text(one.process),
            one.selection,
            one.state,
            Text(one.requested_by),
            f"{one.requested_at:%Y-%m-%d %H:%M:%S}",
            f"{one.upgraded:,}",
            f"{one.skipped:,}",
            f"{one.expected:,}",
        )
    return table


def _where(done: UpgradeSummary) -> str:
    return "back" if done.target_version is None else f"to version {done.target_version}"


def _totals(plan: PlanSummary) -> str:
    return (
        f"{plan.upgraded:,} of {plan.upgraded + plan.skipped:,} would be upgraded, "
        f"{plan.skipped:,} skipped{_in_brackets(plan.counts_by_reason)}, {plan.excluded:,} left out.\n"
        f"Fingerprint {plan.fingerprint}"
    )


def _in_brackets(counts: Mapping[ReasonCode, int] | Mapping[str, int]) -> str:
    listed = ", ".join(f"{code} {count:,}" for code, count in counts.items())
    return f" ({listed})" if listed else ""


def _row(cohort: CohortSummary) -> tuple[RenderableType, ...]:
    return (
        f"{cohort.count:,}",
        str(cohort.version),
        cohort.status,
        Text(" ".join(cohort.position)),
        Text(cohort.decision, style="green" if cohort.decision == "UPGRADE" else "yellow"),
        Text(cohort.why),
    )
