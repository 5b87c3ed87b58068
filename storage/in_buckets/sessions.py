"""Provides repositories of a database with buckets with what one transaction shares."""

from dataclasses import dataclass

from uplift.storage.in_buckets.counts import CountsOfBuckets
from uplift.storage.in_buckets.holdings import Holdings
from uplift.storage.repositories.sessions import Session


@dataclass(slots=True, kw_only=True)
class BucketSession(Session):
    """A session with the changes to kept counts by bucket, and the partitions that workers hold."""

    bucket_counts: CountsOfBuckets
    holdings: Holdings
