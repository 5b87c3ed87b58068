"""Says which tests of the contract do not hold in a database with buckets, and why.

All others run on one bucket and on eight, where a chunk ends with its bucket, and with it a partition.
"""

OF_LINKS = (
    "store/test_links.py",
    "store/test_orders.py",
    "use_cases/test_linked_upgrades.py",
    "use_cases/test_links.py",
)
"""Links are refused (see tests/storage/buckets)."""
WITHOUT_DELAY = (
    "test_each_worker_continues_in_its_own_partition",
    "test_time_that_several_workers_run_concurrently_counts_once",
)
"""What a chunk knows of other workers may be a second old."""
ALONG_CHUNKS = (
    "store/test_chunks.py",
    "use_cases/test_claim.py",
    "use_cases/test_control.py",
    "use_cases/test_partitions.py",
    "test_a_page_of_outcomes_goes_on_while_the_upgrade_does",
    "test_a_running_upgrade_is_in_the_history_of_the_instances_it_has_processed",
    "test_without_a_limit_those_count_that_meet_the_conditions_when_the_upgrade_comes_to_them",
    "test_an_unfinished_upgrade_keeps_its_outcomes",
    "test_of_a_cancelled_upgrade_only_what_it_did_is_counted",
    "test_a_large_retry_is_queued_and_run_in_chunks",
    "test_a_retry_of_a_stopped_upgrade_covers_its_outcomes_so_far",
    "test_within_its_scope_a_caller_does_everything",
    "test_a_cancelled_upgrade_can_be_undone",
    "test_a_large_undo_is_queued_and_survives_a_crash",
    "test_instances_that_move_between_the_chunks_of_an_undo_stay",
    "test_an_instance_that_left_its_cohort_is_not_undone",
    "test_the_progress_of_an_upgrade_is_its_state_and_the_number_of_outcomes",
    "test_finishing_waits_while_another_worker_runs_the_upgrade",
)
"""These name where chunks and partitions end."""


def why_not(test: str, buckets: int) -> str | None:
    """Why a test does not hold in so many buckets; None if it does."""
    if any(part in test for part in OF_LINKS):
        return "a database with buckets has no links"
    if any(part in test for part in WITHOUT_DELAY):
        return "what a chunk knows of other workers may be a second old"
    if buckets > 1 and any(part in test for part in ALONG_CHUNKS):
        return "it names where chunks end"
    return None
