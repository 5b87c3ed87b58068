"""The rule on statements finds each kind of statement that a cluster could not run safely."""

from typing import Any

import pytest
from sqlalchemy import delete, func, insert, literal, select, text, update
from sqlalchemy.dialects import postgresql

from tests.support.bucket_rule import BrokenRule, require_rule
from uplift.storage.in_buckets.chunk_statements import MOVE_BACK, RECORD
from uplift.storage.sql import bucket_tables as tables
from uplift.storage.sql.bucket_tables import BUCKET, instance, outcome
from uplift.storage.sql.tables import decision, process
from uplift.storage.sql.tables import instance as whole

OF_BUCKET = instance.c.bucket == BUCKET
ALLOWED = {
    "all buckets, read": select(whole.c.id),
    "one bucket, read": select(instance.c.id).where(OF_BUCKET),
    "one bucket, locked": select(instance.c.id).where(OF_BUCKET).with_for_update(),
    "one bucket, written": update(instance).where(OF_BUCKET).values(version=2),
    "joined by the bucket": delete(instance).where(OF_BUCKET, instance.c.bucket == outcome.c.bucket),
    "the coordinator": select(process.c.id).join(decision, decision.c.upgrade_id == process.c.id),
    "a row with its bucket": insert(instance).values(id=1, bucket=3),
    "a chunk": next(iter(RECORD.values())),
    "an undo": MOVE_BACK,
}
REFUSED = {
    "both": select(whole.c.id).join(process, process.c.id == whole.c.process_id),
    "both, in a subquery": select(process.c.id).where(process.c.id.in_(select(whole.c.process_id))),
    "the view beside the coordinator": select(process.c.id, func.sum(tables.cohort_part.c.instances)),
    "all buckets, locked": select(instance.c.id).with_for_update(),
    "all buckets, written": update(instance).values(version=2),
    "all buckets, deleted": delete(outcome).where(outcome.c.upgrade_id == 1),
    "a bucket by number": update(instance).where(instance.c.bucket == literal(3)).values(version=2),
    "one of two in a bucket": delete(instance).where(OF_BUCKET, instance.c.id == outcome.c.instance_id),
    "a row without its bucket": insert(instance).values(id=1),
}


def sql_of(statement: Any) -> str:
    return str(statement.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("statement", ALLOWED.values(), ids=ALLOWED)
def test_a_statement_on_one_bucket_or_on_the_coordinator_is_allowed(statement: Any) -> None:
    require_rule(statement, sql_of(statement))


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED)
def test_a_statement_that_a_cluster_could_not_run_is_refused(statement: Any) -> None:
    with pytest.raises(BrokenRule):
        require_rule(statement, sql_of(statement))


def test_a_text_on_a_bucketed_table_is_refused() -> None:
    require_rule(text("SELECT"), "SELECT count(*) FROM process")
    with pytest.raises(BrokenRule, match="'instance'"):
        require_rule(text("SELECT"), "SELECT count(*) FROM instance")
