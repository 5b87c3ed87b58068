"""A server without disk space: it reports the outage, stays alive, and recovers when there is space again."""

import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from tests.faults.conftest import Template
from tests.faults.population import must_be_all_done, must_tell_the_truth, progress_of, upgrades_in
from tests.faults.programs import REST, Program, served, until
from tests.faults.small_disk import SmallDisk, small_disk
from tests.support.long_mode import IS_LONG

pytestmark = pytest.mark.faults

LITTLE = 64 * 1024
"""Bytes: enough for what the server prints, and less than the database and its log take already."""
MUCH = resource.RLIM_INFINITY


class Quota:
    """Limits the size of the program's files: a larger write fails, as on a full disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, server: Program) -> None:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (LITTLE, MUCH))

    def empty(self, server: Program) -> None:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (MUCH, MUCH))


class FullDisk:
    """A disk that is full up to the last byte."""

    def __init__(self, disk: SmallDisk) -> None:
        self._disk = disk
        self.folder = disk.folder

    def fill(self, _: Program) -> None:
        self._disk.fill()

    def empty(self, _: Program) -> None:
        self._disk.empty()


@pytest.fixture(params=["quota", *(["small disk"] if IS_LONG else [])])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Quota | FullDisk]:
    """A folder on a disk that a test can fill."""
    folder = tmp_path / "disk"
    if request.param == "quota":
        folder.mkdir()
        yield Quota(folder)
        return
    with small_disk(folder, mib=64) as made:
        yield FullDisk(made)


def one_id(file: Path) -> str:
    """A pending instance."""
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        [found] = connection.execute("SELECT hex(uuid) FROM instance WHERE status = 1 LIMIT 1").fetchone()
    return str(found)


def until_refused(server: Program, instance_id: str) -> set[UUID]:
    """Request upgrades until the disk has no room for one; returns those that still had room in the log."""
    accepted: set[UUID] = set()
    for _ in range(1_000):
        answer = server.ask(REST, {"instanceIds": [instance_id]})
        if answer.status != 200:
            assert answer.status == 503, answer
            assert answer.body["code"] == "STORE_UNAVAILABLE", answer
            return accepted
        accepted.add(UUID(answer.body["upgradeId"]))
    pytest.fail("the disk is full, but every request is accepted")


def test_a_server_out_of_space_says_so_and_goes_on_when_there_is_space(
    template: Template, disk: Quota | FullDisk, tmp_path: Path
) -> None:
    file = Path(shutil.copy(template.file, disk.folder / "uplift.sqlite"))
    with served(file, template.key, folder=tmp_path) as server:
        upgrade = server.upgrade_all_by_rest("one")
        until(lambda: progress_of(file, upgrade).total > 20_000, "the upgrade is under way")
        disk.fill(server)
        until(
            lambda: "upgrade released, the store is unavailable" in server.log,
            "the worker meets the full disk",
        )
        assert server.is_running
        full = must_tell_the_truth(file, upgrade, template.file)
        assert not full.is_completed
        accepted = until_refused(server, one_id(template.file))
        assert set(upgrades_in(file)) == {upgrade, *accepted}
        shown = server.ask("/graphql", {"query": f'{{ upgrade(id: "{upgrade}") {{ total }} }}'})
        assert shown.body == {"data": {"upgrade": {"total": full.total}}}
        assert must_tell_the_truth(file, upgrade, template.file) == full
        disk.empty(server)
        # A repeated request changes nothing during the outage.
        assert server.upgrade_all_by_graphql("one") == upgrade
        until(lambda: progress_of(file, upgrade).is_completed, "the upgrade ends")
        assert server.is_running
    must_be_all_done(file, upgrade, template.file)
    assert set(upgrades_in(file)) == {upgrade, *accepted}
