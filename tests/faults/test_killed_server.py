"""A server is killed during an upgrade: the next start continues it, each instance exactly once."""

import shutil
import time
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from tests.faults.conftest import Template
from tests.faults.population import ACTIVE, must_be_all_done, must_tell_the_truth, progress_of, upgrades_in
from tests.faults.programs import served, until

pytestmark = pytest.mark.faults

KILLS = 3
"""The number of kills during one upgrade."""


def killed_upgrade(file: Path, template: Template, chance: Random, *, by_rest: bool) -> int:
    """Run one upgrade through this many kills, and check it after each; returns the kills before its end."""
    upgrade: UUID | None = None
    hits = 0
    for _ in range(KILLS):
        with served(file, template.key) as server:
            requested = server.upgrade_all_by_rest("one") if by_rest else server.upgrade_all_by_graphql("one")
            # A client that got no answer repeats its request: it is the same upgrade.
            assert upgrade in (None, requested)
            upgrade = requested
            goal = progress_of(file, upgrade).total + chance.randint(1, ACTIVE // 7)
            reached = lambda: (now := progress_of(file, requested)).is_completed or now.total >= goal  # noqa: B023, E731
            until(reached, "the upgrade goes on by itself")
            time.sleep(chance.random() / 100)
            server.kill()
        hits += not must_tell_the_truth(file, upgrade, template.file).is_completed
    assert upgrade is not None
    with served(file, template.key):
        until(lambda: progress_of(file, upgrade).is_completed, "the upgrade ends")
    must_be_all_done(file, upgrade, template.file)
    assert upgrades_in(file) == [upgrade]
    return hits


@pytest.mark.parametrize("seed", [1])
def test_an_upgrade_survives_the_kill_of_its_server(
    template: Template, file: Path, is_long: bool, seed: int
) -> None:
    chance = Random(seed)
    goal_kills, kills, by_rest = 100 if is_long else KILLS, 0, True
    while kills < goal_kills:
        for leftover in file.parent.glob(f"{file.name}*"):
            leftover.unlink()
        shutil.copyfile(template.file, file)
        hits = killed_upgrade(file, template, chance, by_rest=by_rest)
        assert hits > 0
        kills, by_rest = kills + KILLS, not by_rest
