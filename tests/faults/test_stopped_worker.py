"""A worker is suspended for longer than its lease, and another takes its upgrade over."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.conftest import Template
from tests.faults.population import must_be_all_done, must_tell_the_truth, progress_of, upgrades_in
from tests.faults.programs import Program, served, started, until
from tests.support.long_mode import long_only

pytestmark = pytest.mark.faults


def freeze_between_chunks(program: Program, file: Path) -> None:
    """Suspend the program while it does not hold the write lock, so that another worker can take over."""
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        while True:
            program.freeze()
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                program.thaw()
                time.sleep(0.001)
            else:
                connection.execute("ROLLBACK")
                return


@long_only
def test_it_writes_nothing_more_when_it_wakes_up(template: Template, file: Path) -> None:
    with served(file, template.key) as first:
        upgrade = first.upgrade_all_by_graphql("one")
        until(lambda: progress_of(file, upgrade).total > 20_000, "the first worker works")
        freeze_between_chunks(first, file)
        frozen = must_tell_the_truth(file, upgrade, template.file)
        assert not frozen.is_completed
        with started("worker", file, template.key) as second:
            until(lambda: progress_of(file, upgrade).worker != frozen.worker, "another worker takes over")
            taken = progress_of(file, upgrade)
            until(lambda: progress_of(file, upgrade).total > taken.total, "the other worker works")
            first.thaw()
            seen = set()
            while not (now := progress_of(file, upgrade)).is_completed:
                seen.add(now.worker)
                assert first.is_running
                assert second.is_running
            assert seen <= {taken.worker}
            until(lambda: "upgrade released" in first.log, "the first worker sees that it lost the upgrade")
    must_be_all_done(file, upgrade, template.file)
    assert upgrades_in(file) == [upgrade]
