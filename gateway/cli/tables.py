"""Tables of plans and upgrades for the terminal.

Names and element ids come from outside, so they are plain `Text`, never rich's markup.
"""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.upgrade_event import UpgradeEvent
from uplift.gateway.operations.summaries import CohortSummary, PlanSummary, UpgradeSummary
from uplift.storage.count_check import CountDifference
from uplift.storage.order_check import OrderDifference


def plan_table(plan: PlanSummary, *, rows: int) -> RenderableType:
    """A plan with one row per cohort. Cohorts after the first `rows` are added up."""
    table = Table()
    table.add_column("instances", justify="right")
    table.add_column("from", justify="right")
    for column in ("status", "position", "decision", "why, or where to"):
        table.add_column(column)
    for cohort in plan.cohorts[:rows]:
        table.add_row(*_row(cohort))
    if remaining := plan.cohorts[rows:]:
        table.add_row(
            f"{sum(cohort.count for cohort in remaining):,}", "", "", f"… in {len(remaining):,} more cohorts"
        )
    title = f"Plan for {plan.process}: upgrade to version {plan.target_version}"
    return Group(Text(title), table, Text(_totals(plan)))


def upgrade_table(upgrade: UpgradeSummary) -> RenderableType:
    """The outcomes of an upgrade so far."""
    table = Table("outcome")
    table.add_column("instances", justify="right")
    table.add_row("upgraded", f"{upgrade.upgraded:,}")
    table.add_row("skipped", f"{upgrade.skipped:,}")
    for code, count in upgrade.counts_by_reason.items():
        table.add_row(f"  {code}", f"{count:,}")
    for name, count in (("ordered", upgrade.ordered), ("sent", upgrade.sent)):
        if count:
            table.add_row(name, f"{count:,}")
    table.add_row("excluded", f"{upgrade.excluded:,}")
    if not upgrade.is_finished:
        eta = "" if upgrade.eta is None else f", about {upgrade.eta:,.0f} s more"
        table.add_row("expected", f"{upgrade.expected:,}{eta}")
    lines = [Text(f"{_title(upgrade)}: {upgrade.state}")]
    if upgrade.conditions:
        lines.append(Text(f"Selected: {upgrade.conditions}"))
    if upgrade.error is not None:
        lines.append(Text(upgrade.error, style="red"))
    return Group(*lines, table)


def events_table(events: Sequence[UpgradeEvent]) -> RenderableType:
    """What happened to an upgrade, one row each."""
    table = Table("at", "event", "by")
    for event in events:
        table.add_row(f"{event.at:%Y-%m-%d %H:%M:%S}", event.kind, Text(event.by or ""))
    return table


def upgrades_table(upgrades: Sequence[UpgradeSummary]) -> RenderableType:
    """A list of upgrades, one row each."""
    table = Table(Column("id", no_wrap=True), "process", "selection", "state", "requested by", "at")
    for column in ("upgraded", "skipped", "expected"):
        table.add_column(column, justify="right")
    for upgrade in upgrades:
        table.add_row(
            str(upgrade.id),
            Text(upgrade.process),
            upgrade.selection,
            upgrade.state,
            Text(upgrade.requested_by),
            f"{upgrade.requested_at:%Y-%m-%d %H:%M:%S}",
            f"{upgrade.upgraded:,}",
            f"{upgrade.skipped:,}",
            f"{upgrade.expected:,}",
        )
    return table


def differences_table(differences: Sequence[CountDifference]) -> RenderableType:
    """Cohorts whose kept counts are wrong, one row each."""
    table = Table("process", Column("version", justify="right"), "status", "position")
    for column in ("kept", "counted"):
        table.add_column(column, justify="right")
    for difference in differences:
        table.add_row(
            Text(difference.process),
            str(difference.version),
            difference.status,
            Text(difference.position),
            f"{difference.kept:,}",
            f"{difference.counted:,}",
        )
    return table


def order_differences_table(differences: Sequence[OrderDifference]) -> RenderableType:
    """Counts of upgrades that are not those of their orders, one row each."""
    table = Table(Column("upgrade", no_wrap=True), "orders")
    for column in ("kept", "counted"):
        table.add_column(column, justify="right")
    for difference in differences:
        table.add_row(
            str(difference.upgrade), difference.state, f"{difference.kept:,}", f"{difference.counted:,}"
        )
    return table


def _title(upgrade: UpgradeSummary) -> str:
    if upgrade.target_version is None:
        return f"Undo {upgrade.id} of {upgrade.process}"
    return f"Upgrade {upgrade.id} of {upgrade.process} to version {upgrade.target_version}"


def _totals(plan: PlanSummary) -> str:
    return (
        f"{plan.upgraded:,} of {plan.upgraded + plan.skipped:,} would be upgraded, "
        f"{plan.skipped:,} skipped{_in_brackets(plan.counts_by_reason)}, {plan.excluded:,} excluded.\n"
        f"Fingerprint {plan.fingerprint}"
    )


def _in_brackets(counts: Mapping[ReasonCode, int] | Mapping[str, int]) -> str:
    text = ", ".join(f"{code} {count:,}" for code, count in counts.items())
    return f" ({text})" if text else ""


def _row(cohort: CohortSummary) -> tuple[RenderableType, ...]:
    return (
        f"{cohort.count:,}",
        str(cohort.version),
        cohort.status,
        Text(" ".join(cohort.position)),
        Text(cohort.decision, style="green" if cohort.decision == "UPGRADE" else "yellow"),
        Text(cohort.why),
    )
