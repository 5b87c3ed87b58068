"""Says in which bucket an instance lies, and names keys within buckets.

A database of one server has no buckets. In a cluster the tables that chunks write are divided into buckets
by the id of the instance, so that a chunk writes on one server only.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from uuid import UUID
from zlib import crc32

Value = TypeVar("Value")

BUCKETED = ("instance", "outcome", "selected", "partition", "skip_count", "cohort_count", "cohort_change")
"""The tables that are divided: all that a chunk writes."""
MAX_BUCKETS = 1_024
KEY_BITS = 40
"""The bits of a key within its bucket. The bits above them are the number of the bucket."""
MAX_KEY = (1 << KEY_BITS) - 1


class LayoutEngine(StrEnum):
    """What distributes the buckets: nothing, or the extension Citus."""

    PLAIN = "plain"
    CITUS = "citus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The numbers of the buckets of a database, in ascending order; none if its tables are not divided.

    The numbers need not be consecutive: they are chosen so that each bucket is a shard of its own.
    """

    buckets: tuple[int, ...] = ()
    engine: LayoutEngine = LayoutEngine.PLAIN

    @property
    def has_buckets(self) -> bool:
        """Whether the tables BUCKETED have a column `bucket`."""
        return bool(self.buckets)

    def bucket_of(self, uuid: UUID) -> int:
        """The number of the bucket of an instance. The layout has buckets."""
        return self.buckets[bucket_of(uuid, len(self.buckets))]

    def by_bucket(
        self, values: Iterable[Value], uuid_of: Callable[[Value], UUID]
    ) -> Mapping[int, list[Value]]:
        """The values of each bucket in their order, along the numbers of the buckets.

        All transactions go through buckets in this order, so that no two of them deadlock.
        """
        found: dict[int, list[Value]] = {}
        for value in values:
            found.setdefault(self.bucket_of(uuid_of(value)), []).append(value)
        return dict(sorted(found.items()))


NO_BUCKETS = Layout()


def bucket_of(uuid: UUID, n: int) -> int:
    """The place of the bucket of an instance among `n` buckets, from 0."""
    return crc32(uuid.bytes) % n


def key_in(bucket: int, key: int) -> int:
    """A key that the domain sees, from a key within a bucket."""
    return bucket << KEY_BITS | key


def bucket_of_key(key: int) -> int:
    """The number of the bucket of a key that the domain sees."""
    return key >> KEY_BITS


def key_within(key: int) -> int:
    """The key within its bucket, from one that the domain sees."""
    return key & MAX_KEY
