"""Says which tests of the contract and of the APIs do not hold in a database with buckets, and why.

All others run in the long mode, those of the contract on one bucket and on eight, those of the APIs on eight.
A partition lies in one bucket and a chunk in one partition, so a test that counts the chunks or partitions of
a few instances finds more of them in eight buckets.
"""

import pytest

from tests.support.stores import DIVIDED

OF_LINKS = (
    "store/test_links.py",
    "store/test_orders.py",
    "use_cases/test_linked_upgrades.py",
    "use_cases/test_links.py",
)
"""Files of tests that link a process. Links are refused (see tests/storage/buckets)."""
LINKED = {
    "test_a_client_and_its_url_of_tokens_are_added_and_shown",
    "test_a_draft_of_a_linked_process_is_refused",
    "test_a_plan_estimates_by_the_rate_of_the_engine",
    "test_a_status_lists_only_instances_whose_engine_has_answered",
    "test_a_webhook_is_added_and_shown_with_its_last_error",
    "test_an_upgrade_has_the_numbers_of_its_orders",
}
WITHOUT_DELAY = {
    "test_each_worker_continues_in_its_own_partition",
    "test_time_that_several_workers_run_concurrently_counts_once",
}
CLAIM_WHOLE = {
    "test_upgrades_are_claimed_in_the_order_of_their_requests",
    "test_one_upgrade_of_a_process_runs_at_a_time_and_other_processes_beside_it",
    "test_a_claimed_upgrade_runs_under_a_lease",
    "test_an_upgrade_is_taken_from_a_worker_whose_lease_has_run_out",
    "test_another_upgrade_of_the_process_is_free_when_the_lease_of_the_first_has_run_out",
    "test_concurrent_workers_claim_each_upgrade_once",
    "test_finishing_waits_while_another_worker_runs_the_upgrade",
}
PARTITIONS = {
    "test_a_worker_claims_no_more_than_a_partition",
    "test_a_worker_that_has_not_joined_others_ends_the_upgrade_when_they_are_dead",
    "test_all_workers_leave_an_upgrade_that_ended",
    "test_ended_instances_do_not_count_towards_a_partition",
    "test_retries_and_undos_are_partitioned_too",
    "test_workers_run_one_upgrade_from_its_start",
    "test_the_end_of_the_last_partition_completes_the_upgrade",
    "test_outcomes_by_ids_are_those_processed_so_far_in_any_partition",
    "test_the_outcomes_of_a_later_partition_are_pruned_from_its_start",
    "test_a_worker_leaves_the_remaining_partitions_when_another_upgrade_waits",
    "test_a_small_upgrade_waits_for_at_most_one_partition_of_a_large_one",
    "test_only_the_partition_of_the_dead_worker_is_taken_over",
    "test_the_rest_of_the_partition_of_a_dead_worker_is_free",
    "test_an_upgrade_is_queued_when_the_last_worker_gives_it_back",
    "test_a_released_upgrade_stays_running_while_a_dead_worker_has_a_lease",
    "test_all_workers_leave_a_paused_upgrade_and_any_resumes_it",
    "test_a_pause_takes_all_leases_for_good",
    "test_an_upgrade_that_is_not_running_names_no_worker",
}
ONE_PARTITION = {
    "test_each_action_is_allowed_only_in_certain_states",
    "test_an_upgrade_allows_a_retry_and_an_undo_unless_they_are_refused",
    "test_an_instance_registered_between_chunks_is_not_part_of_all_active",
    "test_an_id_registered_after_the_upgrade_began_is_not_found",
    "test_instances_that_end_or_wake_up_between_chunks_are_taken_as_they_are_then",
    "test_named_instances_that_end_between_chunks_are_skipped",
    "test_when_all_the_rest_ended_the_last_chunk_is_empty",
    "test_excluded_active_instances_are_counted_when_the_upgrade_is_added",
}
CHUNKS = {
    "test_a_selection_by_ids_is_cut_along_the_ids_in_an_order_of_the_store",
    "test_all_active_instances_are_cut_along_their_registration",
    "test_a_chunk_ends_where_its_end_was_found_before",
    "test_a_recorded_chunk_counts_each_cohort_once",
    "test_decisions_move_instances_in_place_and_elsewhere_at_once",
    "test_positions_may_change_places",
    "test_every_reason_of_a_decision_is_stored_unchanged",
    "test_skips_of_a_cohort_are_counted_over_all_chunks",
    "test_an_instance_that_left_its_cohort_is_not_moved",
    "test_a_chunk_that_is_rolled_back_leaves_nothing",
    "test_the_outcomes_of_a_running_upgrade_are_those_of_its_chunks_so_far",
    "test_ten_thousand_instances_at_many_positions_move_in_one_chunk",
    "test_a_cohort_with_a_stored_decision_is_not_decided_again",
    "test_a_worker_that_lost_its_lease_writes_nothing",
    "test_a_cancelled_upgrade_keeps_its_outcomes_and_makes_no_more",
    "test_a_worker_stops_after_its_present_chunk",
    "test_of_a_cancelled_upgrade_only_what_it_did_is_counted",
    "test_a_retry_of_a_stopped_upgrade_covers_its_outcomes_so_far",
    "test_a_large_undo_is_queued_and_survives_a_crash",
    "test_a_selection_of_only_unknown_ids_finds_nothing",
    "test_a_page_of_outcomes_goes_on_while_the_upgrade_does",
    "test_each_chunk_renews_the_lease",
    "test_a_worker_continues_after_its_lease_if_no_other_claimed_the_partition",
    "test_a_worker_that_stops_releases_its_upgrade_between_chunks",
    "test_a_failed_upgrade_keeps_its_outcomes_and_its_error",
    "test_a_paused_upgrade_does_not_block_others_of_its_process",
    "test_a_running_upgrade_is_in_the_history_of_the_instances_it_has_processed",
    "test_without_a_limit_those_count_that_meet_the_conditions_when_the_upgrade_comes_to_them",
    "test_an_unfinished_upgrade_keeps_its_outcomes",
    "test_the_last_chunk_of_a_partition_does_not_change_the_chunk_size",
    "test_within_its_scope_a_caller_does_everything",
    "test_a_cancelled_upgrade_can_be_undone",
    "test_instances_that_move_between_the_chunks_of_an_undo_stay",
    "test_an_instance_that_left_its_cohort_is_not_undone",
    "test_the_progress_of_an_upgrade_is_its_state_and_the_number_of_outcomes",
    "test_a_cancelled_upgrade_is_a_conflict_with_its_counts",
    "test_a_cancelled_upgrade_is_no_success",
    "test_a_resumed_upgrade_continues_where_it_was_paused",
    "test_an_entry_of_an_unfinished_upgrade_is_dated_by_its_start",
    "test_an_undo_can_be_paused_and_cancelled_too",
    "test_cancels_the_unfinished_rest_of_an_upgrade",
    "test_lists_the_outcome_of_each_id_so_far",
    "test_pauses_an_upgrade_between_two_chunks",
    "test_shows_an_upgrade_from_its_beginning_to_its_end",
    "test_shows_rate_and_remaining_time_once_they_are_known",
}
IN_SEVERAL = (
    (CLAIM_WHOLE, "the first claim takes the whole upgrade, in buckets the part in one bucket"),
    (PARTITIONS, "it counts partitions or what is in one, in buckets there is one at least for each bucket"),
    (ONE_PARTITION, "it runs the first partition only, in buckets it has the instances of one bucket only"),
    (CHUNKS, "it counts what the first chunks do, in buckets a chunk ends with its bucket"),
)
"""Tests that do not hold in several buckets."""


def why_not(test: str, buckets: int) -> str | None:
    """Why a test does not hold in so many buckets; None if it does. `test` is its id."""
    name = test.rpartition("::")[2].partition("[")[0]
    if name in LINKED or any(file in test for file in OF_LINKS):
        return "a database with buckets has no links"
    if name in WITHOUT_DELAY:
        return "what a chunk knows of other workers may be a second old"
    return next((reason for names, reason in IN_SEVERAL if buckets > 1 and name in names), None)


def skip_if_broken(test: str, kind: str) -> None:
    """Skip a test that does not hold on this kind of store."""
    if kind in DIVIDED and (reason := why_not(test, DIVIDED[kind])):
        pytest.skip(reason)
