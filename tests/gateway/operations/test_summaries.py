"""The command line's summary of an upgrade agrees with the APIs."""

from dataclasses import replace

from uplift.domain.model.decision import CountedDecision, Decision, ReasonCode, SkipReason
from uplift.gateway.operations.summaries import describe_move, summary_of_upgrade
from uplift.testing.builders import a_cohort, an_upgrade


def test_a_chunk_that_ends_between_two_reads_leads_to_no_negative_count() -> None:
    reason = SkipReason(code=ReasonCode.NOT_PENDING, message="")
    decision = Decision(cohort=a_cohort(), to_version=None, to_position=None, reasons=(reason,))
    upgrade = replace(an_upgrade(), skipped=0)
    summary = summary_of_upgrade(upgrade, (CountedDecision(decision=decision, count=2),))
    assert summary.counts_by_reason == {ReasonCode.NOT_PENDING: 2}


def test_says_where_instances_go_and_what_a_linked_engine_says_against_it() -> None:
    said = [("NAME_CHANGED", "Another name."), ("ENGINE_OBJECTS", "No such form.")]
    assert describe_move(("a",), ("b",), said) == "to b; ENGINE_OBJECTS: No such form."
    assert describe_move(("a",), ("a",), said[:1]) == ""
