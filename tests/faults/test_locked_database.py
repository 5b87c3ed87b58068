"""Another writer locks the database for longer than the busy timeout."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.conftest import Template
from tests.faults.population import must_be_all_done, must_tell_the_truth, progress_of, upgrades_in
from tests.faults.programs import REST, served, until
from tests.faults.test_full_disk import one_id
from tests.support.long_mode import long_only

pytestmark = pytest.mark.faults


@long_only
def test_requests_are_refused_and_the_worker_goes_on_when_the_lock_is_gone(
    template: Template, file: Path
) -> None:
    with served(file, template.key) as server:
        upgrade = server.upgrade_all_by_rest("one")
        until(lambda: progress_of(file, upgrade).total > 0, "the upgrade is under way")
        with closing(sqlite3.connect(file, timeout=60, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            held = progress_of(file, upgrade)
            refused = server.ask(REST, {"instanceIds": [one_id(template.file)]})
            assert refused.status == 503, refused
            assert refused.body["code"] == "STORE_UNAVAILABLE", refused
            assert "database is locked" in refused.body["error"], refused
            shown = server.ask("/graphql", {"query": f'{{ upgrade(id: "{upgrade}") {{ total }} }}'})
            assert shown.body == {"data": {"upgrade": {"total": held.total}}}
            assert progress_of(file, upgrade) == held
            connection.execute("ROLLBACK")
        assert must_tell_the_truth(file, upgrade, template.file).total >= held.total
        assert upgrades_in(file) == [upgrade]
        assert server.upgrade_all_by_rest("one") == upgrade
        until(lambda: progress_of(file, upgrade).is_completed, "the worker goes on")
        assert server.is_running
    must_be_all_done(file, upgrade, template.file)
