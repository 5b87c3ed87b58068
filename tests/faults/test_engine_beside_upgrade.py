"""An engine moves and ends instances during an upgrade: its reports are never overwritten."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from tests.faults.conftest import Template
from tests.faults.population import (
    ACTIVE,
    COMPLETED,
    PENDING,
    RUNNING,
    TARGET,
    instance_id,
    progress_of,
)
from tests.faults.programs import REST, Program, served, started, until

pytestmark = pytest.mark.faults

NAMED = ACTIVE // 2
"""The instances of the upgrade, by their ids."""
REPORTED = NAMED // 5
BATCH = 1_000
STATUSES = {"PENDING": PENDING, "RUNNING": RUNNING, "COMPLETED": COMPLETED}

Report = tuple[UUID, str, str]
"""An instance, its status, and its element."""


def reports_of_an_engine(chance: Random) -> list[Report]:
    """Changes to half of the instances, each once, from all over the upgrade."""
    return [
        (instance_id(number), chance.choice(list(STATUSES)), f"task-{chance.randrange(25)}")
        for number in chance.sample(range(NAMED), REPORTED)
    ]


def send(server: Program, reports: list[Report]) -> None:
    for begin in range(0, len(reports), BATCH):
        several = [
            {"id": str(instance), "status": status, "position": [place]}
            for instance, status, place in reports[begin : begin + BATCH]
        ]
        payload = server.mutate(
            "reportInstances(input: $input) { count userErrors { code message } }", {"instances": several}
        )
        assert payload["count"] == len(several)


def test_an_engine_and_an_upgrade_do_not_disturb_each_other(template: Template, file: Path) -> None:
    reports = reports_of_an_engine(Random(5))
    with served(file, template.key, UPLIFT_WORKER="false") as server:
        named = [str(instance_id(number)) for number in range(NAMED)]
        accepted = server.ask(REST, {"instanceIds": named}, prefer="respond-async")
        assert accepted.status == 202, accepted
        upgrade = UUID(accepted.body["upgradeId"])
        # Some before the first chunk, most beside all chunks, some after the last.
        send(server, reports[: REPORTED // 10])
        with started("worker", file, template.key):
            send(server, reports[REPORTED // 10 : REPORTED * 9 // 10])
            until(lambda: progress_of(file, upgrade).is_completed, "the upgrade ends")
        send(server, reports[REPORTED * 9 // 10 :])
    must_have_disturbed_nothing(file, upgrade, reports, template.file)


def must_have_disturbed_nothing(file: Path, upgrade: UUID, reports: list[Report], untouched: Path) -> None:
    said = {instance.bytes: (STATUSES[status], f'["{place}"]') for instance, status, place in reports}
    query = """
        SELECT before.uuid, before.version, before.status, first_position.elements,
               now.version, now.status, position.elements,
               outcome.version, outcome.status, outcome_position.elements, decision.to_version
        FROM first.instance AS before
        JOIN first.position AS first_position ON first_position.id = before.position_id
        JOIN main.instance AS now USING (uuid)
        JOIN main.position ON position.id = now.position_id
        LEFT JOIN main.upgrade ON upgrade.uuid = ?
        LEFT JOIN main.outcome ON outcome.upgrade_id = upgrade.id AND outcome.instance_id = now.id
        LEFT JOIN main.position AS outcome_position ON outcome_position.id = outcome.position_id
        LEFT JOIN main.decision ON decision.upgrade_id = upgrade.id AND decision.version = outcome.version
             AND decision.status = outcome.status AND decision.position_id = outcome.position_id"""
    chosen = {instance_id(number).bytes for number in range(NAMED)}
    seen: Counter[str] = Counter()
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        connection.execute("ATTACH ? AS first", (str(untouched),))
        for uuid, version, status, position, *rest in connection.execute(query, (upgrade.bytes,)):
            now_version, now_status, now_position, found_version, found_status, found_position, to = rest
            was, will_be = (status, position), said.get(uuid, (status, position))
            assert (now_status, now_position) == will_be, "what the engine said is overwritten"
            if uuid not in chosen:
                assert (now_version, found_version) == (version, None)
                continue
            found = (found_status, found_position)
            assert found_version == version, "each has its one outcome"
            assert found in (was, will_be)
            assert (to is not None) == (found_status == PENDING), "only waiting instances are moved"
            assert now_version == (TARGET if found_status == PENDING else version)
            seen["upgraded" if found_status == PENDING else "skipped"] += 1
            if uuid in said and was != will_be:
                seen["reported before its chunk" if found == will_be else "reported after its chunk"] += 1
                if found == will_be and found_status == COMPLETED:
                    seen["ended before its chunk"] += 1
        counts = connection.execute(
            "SELECT upgraded, skipped FROM upgrade WHERE uuid = ?", (upgrade.bytes,)
        ).fetchone()
        rows = connection.execute("SELECT count(*) FROM outcome").fetchone()
    assert counts == (seen["upgraded"], seen["skipped"])
    assert rows == (sum(counts),) == (NAMED,)
    assert seen["reported before its chunk"] > 0
    assert seen["reported after its chunk"] > 0
    assert seen["ended before its chunk"] > 0
