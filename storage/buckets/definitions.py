"""Defines the tables with buckets, and the statements that fill them from those without.

The column `bucket` is the last one of each key. Each bucket lies in a shard of its own, so an index serves
one bucket as well as all of them, with the columns that it has without buckets.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from uplift.domain.model.selection import LISTED
from uplift.storage.sql.tables import SELECTION

KEYS: Final[Mapping[str, Sequence[str]]] = {
    "instance": ("PRIMARY KEY (id, bucket)", "UNIQUE (uuid, bucket)"),
    "outcome": ("PRIMARY KEY (upgrade_id, instance_id, bucket)",),
    "selected": ("PRIMARY KEY (upgrade_id, place, bucket)",),
    "partition": ("PRIMARY KEY (upgrade_id, last_key, bucket)",),
    "skip_count": (
        """PRIMARY KEY
        (upgrade_id, version, status, position_id, origin_version, origin_position_id, last_key, bucket)""",
    ),
    "cohort_count": ("PRIMARY KEY (process_id, version, status, position_id, bucket)",),
    "cohort_change": ("PRIMARY KEY (id, bucket)",),
}
"""The unique constraints of each table: a cluster checks only those that contain the bucket."""
INDEXES: Final = (
    "CREATE INDEX instance_process ON instance (process_id, id)",
    "CREATE INDEX instance_active ON instance (process_id, id) WHERE status <= 2",
    "CREATE INDEX selected_ordinal ON selected (upgrade_id, ordinal)",
    "CREATE INDEX ix_cohort_change_process_id ON cohort_change (process_id)",
)
STORAGE_OPTIONS: Final[Mapping[str, str]] = {"instance": "fillfactor = 50"}
SERIAL: Final = ("instance", "cohort_change")
"""The tables whose ids come from a sequence."""
CREATE_VIEW: Final = """
CREATE VIEW cohort_part AS
SELECT process_id, version, status, position_id, instances, bucket FROM cohort_count
UNION ALL SELECT process_id, unnest(versions), unnest(statuses), unnest(position_ids), unnest(counts), bucket
FROM cohort_change
"""
TAKE_OVER: Final = (
    """
    UPDATE upgrade SET upgraded = upgrade.upgraded + done.upgraded, skipped = upgrade.skipped + done.skipped,
        ordered = upgrade.ordered + done.ordered, worked = upgrade.worked + done.worked
    FROM (
        SELECT upgrade_id, sum(upgraded)::integer AS upgraded, sum(skipped)::integer AS skipped,
            sum(ordered)::integer AS ordered, sum(worked)::bigint AS worked
        FROM partition GROUP BY upgrade_id
    ) AS done
    WHERE done.upgrade_id = upgrade.id
    """,
    """
    UPDATE decision SET instances = decision.instances + skips.instances
    FROM (
        SELECT upgrade_id, version, status, position_id, origin_version, origin_position_id,
            sum(instances)::integer AS instances
        FROM skip_count GROUP BY 1, 2, 3, 4, 5, 6
    ) AS skips
    WHERE (skips.upgrade_id, skips.version, skips.status, skips.position_id, skips.origin_version,
            skips.origin_position_id)
        = (decision.upgrade_id, decision.version, decision.status, decision.position_id,
            decision.origin_version, decision.origin_position_id)
    """,
)
"""Upgrades take over what their partitions count, which then count from 0."""
TEMPORARY: Final = (
    "CREATE TEMPORARY TABLE bucket_number (bucket INTEGER) ON COMMIT DROP",
    "CREATE TEMPORARY TABLE instance_bucket (id BIGINT, bucket INTEGER) ON COMMIT DROP",
    """
    CREATE TEMPORARY TABLE selected_bucket
        (upgrade_id INTEGER, place BIGINT, new_place BIGINT, bucket INTEGER) ON COMMIT DROP
    """,
)
INDEX_PLACES: Final = "CREATE INDEX ON selected_bucket (upgrade_id, bucket, place)"
_CODES = ", ".join(str(code) for code, kind in enumerate(SELECTION.members, start=1) if kind in LISTED)
_IS_LISTED = f"(SELECT selection FROM upgrade WHERE id = upgrade_id) IN ({_CODES})"  # noqa: S608  # constants
NUMBER_PLACES: Final = f"""
UPDATE selected_bucket SET new_place = numbered.new_place
FROM (
    SELECT upgrade_id, place, row_number() OVER (PARTITION BY upgrade_id, bucket ORDER BY place) AS new_place
    FROM selected_bucket WHERE {_IS_LISTED}
) AS numbered
WHERE numbered.upgrade_id = selected_bucket.upgrade_id AND numbered.place = selected_bucket.place
"""  # noqa: S608  # constants
"""The places of listed ids count from 1 in each bucket. That of an excluded id stays that of its instance."""
_PLACES_UP_TO = """(
    SELECT count(*) FROM selected_bucket AS listed
    WHERE listed.upgrade_id = old.upgrade_id AND listed.bucket = bucket_number.bucket AND listed.place <= {}
)"""
FILL: Final[Mapping[str, str]] = {
    "instance": """
    INSERT INTO instance SELECT old.*, bucket FROM plain_instance AS old JOIN instance_bucket USING (id)
    """,
    "outcome": """
    INSERT INTO outcome SELECT old.*, bucket
    FROM plain_outcome AS old JOIN instance_bucket ON instance_bucket.id = instance_id
    """,
    "selected": """
    INSERT INTO selected (upgrade_id, place, ordinal, uuid, instance_id, bucket)
    SELECT upgrade_id, new_place, ordinal, uuid, instance_id, bucket
    FROM plain_selected JOIN selected_bucket USING (upgrade_id, place)
    """,
    # An upgrade whose partitions are all empty keeps one, which a worker ends.
    "partition": f"""
    INSERT INTO partition (upgrade_id, last_key, cursor, bucket)
    SELECT DISTINCT ON (upgrade_id, bucket, last_key) upgrade_id, last_key, cursor, bucket
    FROM (
        SELECT upgrade_id, bucket,
            CASE WHEN {_IS_LISTED} THEN {_PLACES_UP_TO.format("old.last_key")} ELSE last_key END AS last_key,
            CASE WHEN {_IS_LISTED} THEN {_PLACES_UP_TO.format("old.cursor")} ELSE cursor END AS cursor
        FROM plain_partition AS old CROSS JOIN bucket_number
    ) AS divided
    WHERE last_key > cursor OR bucket = (SELECT min(bucket) FROM bucket_number)
    ORDER BY upgrade_id, bucket, last_key, cursor
    """,  # noqa: S608  # constants
    "cohort_count": """
    INSERT INTO cohort_count (process_id, version, status, position_id, instances, bucket)
    SELECT process_id, version, status, position_id, count(*), bucket FROM instance
    GROUP BY process_id, version, status, position_id, bucket
    """,
}
"""Fills the tables that do not start empty. The order of the columns is that of the old table."""
