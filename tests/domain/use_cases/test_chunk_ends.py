"""The end of a chunk that was found before it counts for the same part of the same partition only."""

from dataclasses import replace
from typing import Any

import pytest

from uplift.domain.model.upgrade import Partition, Tally
from uplift.domain.use_cases.run import ChunkEnd
from uplift.testing.builders import an_upgrade

FOUND_FOR = Partition(upgrade=an_upgrade().id, cursor=20, last=100)
FOUND = ChunkEnd(partition=FOUND_FOR, end=30)


def test_the_end_counts_for_the_part_for_which_it_was_found() -> None:
    assert FOUND.in_partition(FOUND_FOR) == 30
    assert FOUND.in_partition(replace(FOUND_FOR, tally=Tally(upgraded=20))) == 30


@pytest.mark.parametrize(
    "changes",
    [{"cursor": 25}, {"last": 90}, {"upgrade": an_upgrade(2).id}],
    ids=["cursor", "last", "upgrade"],
)
def test_the_end_does_not_count_for_another_part(changes: dict[str, Any]) -> None:
    assert FOUND.in_partition(replace(FOUND_FOR, **changes)) is None
