"""The command line exports the whole audit, and prunes old outcomes."""

import csv
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.gateway_world import (
    FOREIGN,
    LATEST,
    RUNNING,
    WAITING,
    Place,
    error_of,
    everything,
    output_of,
)
from uplift.gateway.files import audit_export
from uplift.gateway.files.audit_export import COLUMNS
from uplift.testing.builders import an_id

UNKNOWN = 99


@pytest.fixture
def upgraded(database: Place) -> Place:
    """A world after three upgrades, the last of them of another process."""
    output_of("upgrade", "crm/orders", "--all-active", "--reason", 'überfällig, "so"')
    output_of("upgrade", "crm/orders", "--id", str(an_id(1)), "--id", str(an_id(UNKNOWN)))
    output_of("upgrade", "crm/invoices", "--all-active")
    return database


def exported(*options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output_of("export-audit", *options).splitlines()]


def test_the_audit_has_a_record_for_each_outcome_the_newest_upgrade_first(upgraded: Place) -> None:
    records = exported()
    moved: list[tuple[Any, ...]] = [(number, "UPGRADED", 1, 2, []) for number in WAITING]
    assert [
        (
            record["process"],
            record["instance"],
            record["outcome"],
            record["fromVersion"],
            record["toVersion"],
            record["reasons"],
        )
        for record in records
    ] == [
        ("crm/invoices", str(an_id(FOREIGN)), "SKIPPED", 1, 1, ["ALREADY_LATEST"]),
        *(
            ("crm/orders", str(an_id(number)), *others)
            for number, *others in [
                (1, "SKIPPED", 2, 2, ["ALREADY_LATEST"]),
                (UNKNOWN, "SKIPPED", None, None, ["INSTANCE_NOT_FOUND"]),
                *moved,
                (RUNNING, "SKIPPED", 1, 1, ["NOT_PENDING"]),
                (LATEST, "SKIPPED", 2, 2, ["ALREADY_LATEST"]),
            ]
        ),
    ]
    last, by_ids, first = everything(upgraded).upgrades
    assert [record["upgrade"] for record in records] == [
        str(last.id),
        *[str(by_ids.id)] * 2,
        *[str(first.id)] * 5,
    ]
    assert {record["reason"] for record in records[3:]} == {'überfällig, "so"'}
    assert {record["requestedBy"] for record in records} == {first.requested_by}
    assert first.started_at is not None
    assert first.finished_at is not None
    times = {(datetime.fromisoformat(record["startedAt"]), record["finishedAt"]) for record in records[3:]}
    assert times == {(first.started_at, first.finished_at.isoformat())}
    assert records[2]["fromPosition"] is None
    assert records[3]["fromPosition"] == records[3]["toPosition"] == ["approve"]


def test_the_audit_of_one_process_as_csv_is_the_same_in_a_file(upgraded: Place) -> None:
    records = exported("--process", "crm/orders")
    said = output_of("export-audit", "--process", "crm/orders", "--format", "csv", "--output", "audit.csv")
    assert said == "Wrote 7 records to audit.csv.\n"
    with Path("audit.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert tuple(head) == COLUMNS
    assert rows == [
        [
            ""
            if record[column] is None
            else " ".join(record[column])
            if isinstance(record[column], list)
            else str(record[column])
            for column in COLUMNS
        ]
        for record in records
    ]


@pytest.mark.parametrize(
    ("reason", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\uff1d1", "'\uff1d1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20a", "'\uff20a"),
        ("a;=1", "a;'=1"),
        ("a,+1;@b|-2", "a,'+1;'@b|'-2"),
        ('a"=1', 'a"=1'),
        ("a=1, b-2 @ c + d", "a=1, b-2 @ c + d"),
    ],
)
def test_a_text_that_a_spreadsheet_would_take_for_a_formula_has_an_apostrophe_in_csv(
    file: Path, reason: str, cell: str
) -> None:
    output_of("upgrade", "crm/orders", "--id", str(an_id(WAITING[0])), f"--reason={reason}")
    [record] = exported()
    assert record["reason"] == reason
    text = output_of("export-audit", "--format", "csv")
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert row["reason"] == cell
    assert text.startswith('"upgrade","process",'), "each cell is quoted, so that no separator in it counts"


@pytest.mark.parametrize("character", "\t\r\n")
def test_white_space_that_hides_a_formula_has_an_apostrophe_in_csv(character: str) -> None:
    """No request can have it in a text today; an element id or a name of a later version might."""
    assert audit_export.cell_of([f"{character}=1"]) == f"'{character}'=1"


def test_a_pruned_upgrade_keeps_its_counts(upgraded: Place) -> None:
    assert output_of("prune-audit", "--older-than", "1") == "Deleted 0 outcomes.\n"
    assert len(exported()) == 8
    assert output_of("prune-audit", "--older-than", "0") == "Deleted 8 outcomes.\n"
    assert exported() == []
    pruned = everything(upgraded)
    assert [(upgrade.upgraded, upgrade.skipped) for upgrade in pruned.upgrades] == [(0, 1), (0, 2), (3, 2)]
    assert all(upgrade.pruned_at is not None for upgrade in pruned.upgrades)


@pytest.mark.usefixtures("upgraded")
def test_a_time_before_all_calendars_is_refused() -> None:
    said = error_of("prune-audit", "--older-than", "999999999999", code=2)
    assert "--older-than" in said
    assert "36500" in said
    assert len(exported()) == 8


@pytest.mark.parametrize("command", [["export-audit"], ["prune-audit", "--older-than", "0"]])
def test_no_database_is_made_for_its_audit(folder: Path, command: list[str]) -> None:
    said = error_of(*command)
    assert said == "Expected to find the database uplift.sqlite, but there is no such file."
    assert list(folder.iterdir()) == []
