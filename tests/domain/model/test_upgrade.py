"""An upgrade counts its skipped instances by reason."""

from dataclasses import replace

import pytest

from uplift.domain.model.decision import CountedDecision, Decision, ReasonCode, SkipReason
from uplift.domain.model.selection import SelectionKind
from uplift.testing.builders import a_cohort, an_upgrade

NOT_PENDING = CountedDecision(
    decision=Decision(
        cohort=a_cohort(),
        to_version=None,
        to_position=None,
        reasons=(SkipReason(code=ReasonCode.NOT_PENDING, message=""),),
    ),
    count=2,
)


@pytest.mark.parametrize(("skipped", "not_found"), [(5, 3), (2, 0)])
def test_skipped_instances_without_a_decision_were_not_found(skipped: int, not_found: int) -> None:
    upgrade = an_upgrade(selection=SelectionKind.BY_IDS)
    counts = replace(upgrade, skipped=skipped).counts_by_reason([NOT_PENDING])
    assert counts.get(ReasonCode.INSTANCE_NOT_FOUND, 0) == not_found
    assert counts[ReasonCode.NOT_PENDING] == 2


def test_decisions_that_are_newer_than_the_upgrade_count_nothing_as_not_found() -> None:
    upgrade = an_upgrade(selection=SelectionKind.BY_IDS)
    assert replace(upgrade, skipped=1).counts_by_reason([NOT_PENDING]) == {ReasonCode.NOT_PENDING: 2}


@pytest.mark.parametrize("selection", [SelectionKind.ALL_ACTIVE, SelectionKind.RETRY, SelectionKind.UNDO])
def test_decisions_that_are_older_than_the_upgrade_count_nothing_as_not_found_unless_ids_were_named(
    selection: SelectionKind,
) -> None:
    upgrade = an_upgrade(selection=selection)
    assert replace(upgrade, skipped=3).counts_by_reason([NOT_PENDING]) == {ReasonCode.NOT_PENDING: 2}
