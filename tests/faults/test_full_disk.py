"""A server without space to write: it says so, stays alive, and goes on when there is space again."""

import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.conftest import Template
from tests.faults.population import must_be_all_done, must_tell_the_truth, progress_of, upgrades_in
from tests.faults.programs import REST, Program, served, until

pytestmark = pytest.mark.faults

LITTLE = 64 * 1024
"""Bytes: enough for what the server prints, and less than the database and its log take already."""
MUCH = resource.RLIM_INFINITY


def give_space(server: Program, size: int) -> None:
    """Files of this program may grow only to so many bytes. Beyond that a write fails, as on a full disk."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, MUCH))


def one_id(file: Path) -> str:
    """An instance that waits."""
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        [found] = connection.execute("SELECT hex(uuid) FROM instance WHERE status = 1 LIMIT 1").fetchone()
    return str(found)


def test_a_server_out_of_space_says_so_and_goes_on_when_there_is_space(
    template: Template, file: Path
) -> None:
    with served(file, template.key) as server:
        upgrade = server.upgrade_all_by_rest("one")
        until(lambda: progress_of(file, upgrade).total > 20_000, "the upgrade is under way")
        give_space(server, LITTLE)
        until(lambda: "upgrade left to whoever comes next" in server.log, "the worker meets the full disk")
        assert server.is_running
        full = must_tell_the_truth(file, upgrade, template.file)
        assert not full.is_completed
        refused = server.ask(REST, {"instanceIds": [one_id(template.file)]})
        assert refused.status == 503, refused
        assert refused.body["code"] == "STORE_UNAVAILABLE", refused
        assert upgrades_in(file) == [upgrade]
        shown = server.ask("/graphql", {"query": f'{{ upgrade(id: "{upgrade}") {{ total }} }}'})
        assert shown.body == {"data": {"upgrade": {"total": full.total}}}
        assert must_tell_the_truth(file, upgrade, template.file) == full
        give_space(server, MUCH)
        # A request that is repeated meanwhile changes nothing.
        assert server.upgrade_all_by_graphql("one") == upgrade
        until(lambda: progress_of(file, upgrade).is_completed, "the upgrade ends")
        assert server.is_running
    must_be_all_done(file, upgrade, template.file)
    assert upgrades_in(file) == [upgrade]
