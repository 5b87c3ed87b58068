"""The command line upgrades instances in a local database."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from tests.gateway.gateway_world import (
    ENDED,
    FOREIGN,
    LATEST,
    RUNNING,
    WAITING,
    Place,
    error_of,
    everything,
    output_of,
    with_store,
)
from tests.support.bpmn_builder import ProcessBuilder
from tests.support.bpmn_builder import a_process as a_drawing
from uplift.domain import (
    Instance,
    OutcomeKind,
    Status,
    UpgradeState,
    create_process,
    publish_version,
    register_instances,
    save_draft,
)
from uplift.domain.model.selection import SelectionKind
from uplift.domain.ports import Store
from uplift.gateway.cli.progress import report_upgrade
from uplift.gateway.operations.summaries import UpgradeSummary
from uplift.testing.builders import ADMIN, ORDERS, a_key, an_id, an_instance, an_upgrade_id, at
from uplift.testing.stores import by_id

DRAWN = a_key("drawn")
UNKNOWN = 99


def counts(shown: str) -> dict[str, int]:
    """The rows of the table that the command prints at the end."""
    rows = re.findall(r"│ +(\w+) +│ +([\d,]+) +│", shown)
    return {name: int(count.replace(",", "")) for name, count in rows}


def versions(place: Place) -> dict[int, int]:
    """The version of each instance of ORDERS, by the number of its id."""
    found = with_store(place, lambda store: by_id(store, ORDERS))
    return {number: int(found[an_id(number)].version) for number in range(1, 7)}


UNTOUCHED = {1: 1, 2: 1, 3: 1, RUNNING: 1, LATEST: 2, ENDED: 1}
ALL_UPGRADED = {**UNTOUCHED, 1: 2, 2: 2, 3: 2}


def test_upgrades_the_instances_with_these_ids(file: Path) -> None:
    shown = output_of("upgrade", "crm/orders", "--id", str(an_id(1)), "--id", str(an_id(RUNNING)))
    assert counts(shown) == {"upgraded": 1, "skipped": 1, "NOT_PENDING": 1, "excluded": 0}
    assert versions(file) == {**UNTOUCHED, 1: 2}


def test_shows_every_reason_of_the_skipped_instances(database: Place) -> None:
    numbers = [*WAITING, RUNNING, LATEST, ENDED, FOREIGN, UNKNOWN]
    ids = [option for number in numbers for option in ("--id", str(an_id(number)))]
    shown = output_of("upgrade", "crm/orders", *ids, "--id", str(an_id(1)))
    assert counts(shown) == {
        "upgraded": 3,
        "skipped": 5,
        "INSTANCE_NOT_FOUND": 2,
        "NOT_PENDING": 2,
        "ALREADY_LATEST": 1,
        "excluded": 0,
    }
    assert versions(database) == ALL_UPGRADED


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_reads_ids_from_a_file(file: Path, ending: str) -> None:
    spellings = [str(an_id(1)), "", an_id(2).hex.upper(), f"  {{{an_id(3)}}} "]
    Path("ids.txt").write_bytes(b"\xef\xbb\xbf" + ending.join(spellings).encode())
    assert counts(output_of("upgrade", "crm/orders", "--ids-from", "ids.txt"))["upgraded"] == 3
    assert versions(file) == ALL_UPGRADED


def test_reads_ids_from_standard_input_and_from_options(file: Path) -> None:
    shown = output_of(
        "upgrade", "crm/orders", "--ids-from", "-", "--id", str(an_id(1)), stdin=f"{an_id(1)}\n{an_id(2)}\n"
    )
    assert counts(shown) == {"upgraded": 2, "skipped": 0, "excluded": 0}
    assert versions(file) == {**ALL_UPGRADED, 3: 1}


def test_upgrades_all_active_instances(database: Place) -> None:
    shown = output_of("upgrade", "crm/orders", "--all-active")
    assert counts(shown) == {
        "upgraded": 3,
        "skipped": 2,
        "NOT_PENDING": 1,
        "ALREADY_LATEST": 1,
        "excluded": 0,
    }
    assert versions(database) == ALL_UPGRADED
    assert counts(output_of("upgrade", "crm/orders", "--all-active"))["upgraded"] == 0


def test_leaves_out_exceptions_from_both_places(database: Place) -> None:
    Path("spared.txt").write_text(f"{an_id(2)}\n{an_id(UNKNOWN)}\n")
    shown = output_of(
        "upgrade", "crm/orders", "--all-active", "--except", str(an_id(1)), "--except-from", "spared.txt"
    )
    assert (counts(shown)["upgraded"], counts(shown)["excluded"]) == (1, 2)
    assert versions(database) == {**UNTOUCHED, 3: 2}


@pytest.mark.parametrize(
    ("options", "upgraded"),
    [
        (["--from-version", "1", "--at", "approve", "--status", "PENDING"], [1, 2, 3]),
        (["--limit", "2"], [1, 2]),
        (["--all-active", "--limit", "1", "--except", str(an_id(1))], [2]),
        (["--from-version", "2"], []),
    ],
)
def test_upgrades_the_active_instances_that_meet_the_conditions(
    database: Place, options: list[str], upgraded: list[int]
) -> None:
    shown = output_of("upgrade", "crm/orders", *options)
    assert counts(shown)["upgraded"] == len(upgraded)
    conditions = " ".join(options).removeprefix("--all-active ").partition(" --except")[0]
    assert shown.splitlines()[1] == f"Selected: {conditions}"
    assert versions(database) == {**UNTOUCHED, **dict.fromkeys(upgraded, 2)}


def test_the_audit_records_caller_and_reason(database: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    shown = output_of("upgrade", "crm/orders", "--id", str(an_id(1)), "--reason", "the new terms")
    (upgrade,) = everything(database).upgrades
    assert (upgrade.requested_by, upgrade.reason, upgrade.state) == (
        "cli:ada",
        "the new terms",
        UpgradeState.COMPLETED,
    )
    assert upgrade.selection is SelectionKind.BY_IDS
    assert f"Upgrade {upgrade.id} of crm/orders to version 2: COMPLETED" in shown.splitlines()


def test_a_dry_run_shows_the_plan_and_changes_nothing(database: Place) -> None:
    before = everything(database)
    shown = output_of("upgrade", "crm/orders", "--all-active", "--dry-run", "--except", str(an_id(1)))
    assert everything(database) == before
    assert shown.splitlines()[0] == "Plan for crm/orders: upgrade to version 2"
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in shown.splitlines()
        if line.startswith("│")
    ]
    assert rows == [
        ["2", "1", "PENDING", "approve", "UPGRADE", ""],
        ["1", "1", "RUNNING", "approve", "SKIP", "NOT_PENDING"],
        ["1", "2", "PENDING", "approve", "SKIP", "ALREADY_LATEST"],
    ]
    assert (
        "2 of 4 would be upgraded, 2 skipped (NOT_PENDING 1, ALREADY_LATEST 1), 1 excluded."
        in shown.splitlines()
    )
    assert re.fullmatch(r"Fingerprint 2-2-2-[0-9a-f]{16}", shown.splitlines()[-1])


def the_fingerprint(*arguments: str) -> str:
    return output_of("upgrade", *arguments, "--dry-run").splitlines()[-1].removeprefix("Fingerprint ")


def test_carries_out_just_the_plan_of_a_fingerprint(database: Place) -> None:
    fingerprint = the_fingerprint("crm/orders", "--all-active")
    assert (
        counts(output_of("upgrade", "crm/orders", "--all-active", "--fingerprint", fingerprint))["upgraded"]
        == 3
    )
    before = everything(database)
    said = error_of("upgrade", "crm/orders", "--all-active", "--fingerprint", fingerprint)
    assert said.startswith(
        f"Expected to carry out the plan {fingerprint}, but it would upgrade 0 instead of 3"
    )
    assert everything(database) == before


def a_drawn_process(file: Path, *drawings: ProcessBuilder, waits_at: str) -> None:
    """A process with these models as its versions, and one instance of the first."""

    async def draw(store: Store) -> None:
        await create_process(store, namespace="crm", code="drawn", title=None, caller=ADMIN)
        for drawing in drawings:
            await save_draft(store, process=DRAWN, model=drawing.xml(), caller=ADMIN)
            await publish_version(store, process=DRAWN, caller=ADMIN)
        waiting = an_instance(50, process=DRAWN, position=at(waits_at))
        await register_instances(store, process=DRAWN, instances=[waiting], caller=ADMIN)

    with_store(file, draw)


def the_drawn_instance(file: Path) -> Instance:
    return with_store(file, lambda store: by_id(store, DRAWN))[an_id(50)]


@pytest.fixture
def renamed(file: Path) -> Path:
    """A process whose second version has another id for the task at which an instance waits."""
    a_drawn_process(
        file,
        a_drawing("drawn").start().user_task("check").end(),
        a_drawing("drawn").start().user_task("review").end(),
        waits_at="check",
    )
    return file


def test_what_fits_nowhere_is_skipped_with_its_finding(renamed: Path) -> None:
    shown = output_of("upgrade", "crm/drawn", "--all-active", "--dry-run")
    assert "INCOMPATIBLE ELEMENT_MISSING(check)" in shown
    assert counts(output_of("upgrade", "crm/drawn", "--all-active"))["INCOMPATIBLE"] == 1
    assert the_drawn_instance(renamed).version == 1


def test_a_mapping_file_tells_where_to(renamed: Path) -> None:
    Path("mapping.json").write_text('{"1": {"check": "review"}}')
    shown = output_of("upgrade", "crm/drawn", "--all-active", "--mapping", "mapping.json", "--dry-run")
    assert "to review" in shown
    assert (
        counts(output_of("upgrade", "crm/drawn", "--all-active", "--mapping", "mapping.json"))["upgraded"]
        == 1
    )
    moved = the_drawn_instance(renamed)
    assert (moved.version, moved.position, moved.status) == (2, at("review"), Status.PENDING)


def test_element_ids_are_shown_as_they_are(file: Path) -> None:
    async def register(store: Store) -> None:
        odd = [an_instance(60 + number, position=at(f"[/{number}]", "[red]x")) for number in range(2)]
        await register_instances(store, process=ORDERS, instances=odd, caller=ADMIN)

    with_store(file, register)
    assert "[/0] [red]x" in output_of("upgrade", "crm/orders", "--all-active", "--dry-run")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "Expected mapping.json to be JSON, but: "),
        ("[]", "Expected mapping.json to hold a JSON object here, but found []."),
        ('{"1": "check"}', "Expected mapping.json to hold a JSON object here, but found 'check'."),
        ('{"one": {}}', "Expected mapping.json to name source versions by number, but it names 'one'."),
        (
            '{"\u0661": {}}',
            "Expected mapping.json to name source versions by number, but it names '\\u0661'.",
        ),
        (
            '{"1": {"check": 2}}',
            "Expected mapping.json to map element ids to element ids, but it maps 'check' to 2.",
        ),
        (
            '{"1": {"check": "a\\nb"}}',
            "Expected mapping.json to map element ids to element ids, but it maps 'check' to 'a\\nb'.",
        ),
        ('{"1": {"check": "nowhere"}}', "Expected a valid mapping from version 1, but: "),
        ('{"1": {"nothing": "review"}}', "Expected a valid mapping from version 1, but: "),
        ('{"1": {}, "1": {}}', "Expected to map each version once, but version 1 is mapped twice."),
        (
            '{"1": {"check": "review", "check": "review"}}',
            "Expected mapping.json to map each element once, but it maps 'check' twice.",
        ),
        ("[" * 100_000, "Expected mapping.json to be JSON, but: "),
        (
            '{"1": ' + json.dumps(["x" * 1_000]) + "}",
            "Expected mapping.json to hold a JSON object here, but ",
        ),
    ],
    ids=lambda value: value[:40],
)
def test_a_bad_mapping_is_refused_with_nothing_written(renamed: Path, content: str, why: str) -> None:
    Path("mapping.json").write_text(content)
    before = everything(renamed)
    said = error_of("upgrade", "crm/drawn", "--all-active", "--mapping", "mapping.json")
    assert said.startswith(why)
    assert len(said) < 600
    assert everything(renamed) == before


ID = str(an_id(1))
ALL = "--all-active, --from-version, --at, --status or --limit"
BOTH = (
    "Expected either a gateway or a database, but got both http://***@h (--url or UPLIFT_URL) "
    "and --database-url."
)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (
            ["crm/orders"],
            f"Expected --id or --ids-from with at least one id, or {ALL}, but got neither.",
        ),
        (
            ["crm/orders", "--id", ID, "--all-active"],
            f"Expected either --id or --ids-from or {ALL}, but got both.",
        ),
        (
            ["crm/orders", "--id", ID, "--except", ID],
            f"Expected --except or --except-from only together with {ALL}, but {ALL} is not set.",
        ),
        (
            ["crm/orders", "--id", ID, "--limit", "1"],
            f"Expected either --id or --ids-from or {ALL}, but got both.",
        ),
        (["crm/orders", "--limit", "0"], "Expected --limit to be between 1 and 100,000, but got 0."),
        (
            ["crm/orders", "--status", "FAILED"],
            "Expected --status to be among PENDING and RUNNING, but got FAILED.",
        ),
        (
            ["crm/orders", "--from-version", "7"],
            "Expected versions to be of process crm/orders, but it has no version 7.",
        ),
        (
            ["crm/orders", "--at", "aprove"],
            "Expected elements to be in a version of process crm/orders, but none has an element 'aprove'.",
        ),
        (["orders", "--all-active"], "Expected the process as NAMESPACE/CODE, but got 'orders'."),
        (["/orders", "--all-active"], "Expected the process as NAMESPACE/CODE, but got '/orders'."),
        (["crm/", "--all-active"], "Expected the process as NAMESPACE/CODE, but got 'crm/'."),
        (["crm/gone", "--all-active"], "Expected to find process 'crm/gone', but there is none."),
        (
            ["crm/orders", "--ids-from", "gone.txt"],
            "Expected to use gone.txt, but: No such file or directory.",
        ),
        (["crm/orders", "--ids-from", "."], "Expected to use ., but: Is a directory."),
        (
            ["crm/orders", "--all-active", "--mapping", "gone.json"],
            "Expected to use gone.json, but: No such file or directory.",
        ),
        (
            ["crm/orders", "--all-active", "--reason", "x" * 1_001],
            "Expected reason to be at most 1,000 characters, but got 1,001.",
        ),
        (
            ["crm/orders", "--all-active", "--fingerprint", "x"],
            "Expected fingerprint to be that of a plan, but got 'x'.",
        ),
        (
            [
                "crm/orders",
                "--all-active",
                "--url",
                "http://me:geheim@h",
                "--database-url",
                "sqlite:///x",
            ],
            BOTH,
        ),
        (
            ["crm/orders", "--all-active", "--url", "http://127.0.0.1:1"],
            "Expected an API key for the gateway, as --api-key or UPLIFT_API_KEY, but got none.",
        ),
    ],
)
def test_bad_input_is_refused_with_nothing_written(file: Path, arguments: list[str], why: str) -> None:
    before = everything(file)
    assert error_of("upgrade", *arguments) == why
    assert everything(file) == before


@pytest.mark.parametrize("option", ["--id", "--except"])
def test_what_is_no_id_is_refused_as_a_wrong_option(file: Path, option: str) -> None:
    said = error_of("upgrade", "crm/orders", option, "order-17", code=2)
    assert f"Invalid value for '{option}'" in said
    assert "Expected a UUID" in said
    assert versions(file) == UNTOUCHED


@pytest.mark.parametrize("line", [b"order-17", b"\xff\xfe", b"x" * 10_000], ids=["text", "binary", "long"])
def test_reports_a_line_that_is_no_id_by_number(file: Path, line: bytes) -> None:
    content = ID.encode() + b"\n\n" + line + b"\n"
    Path("ids.txt").write_bytes(content)
    for arguments, name in (("ids.txt", "ids.txt"), ("-", "standard input")):
        said = error_of("upgrade", "crm/orders", "--ids-from", arguments, stdin=content)
        assert said.startswith(f"Expected line 3 of {name} to be an id, but got ")
        assert len(said) < 200
    assert versions(file) == UNTOUCHED


def test_a_file_without_ids_selects_nothing(file: Path) -> None:
    said = error_of("upgrade", "crm/orders", "--ids-from", "-", stdin="\n")
    assert said == f"Expected --id or --ids-from with at least one id, or {ALL}, but got neither."


def test_too_many_ids_are_refused(file: Path) -> None:
    ids = "".join(f"00000000-0000-4000-8000-{number:012}\n" for number in range(100_001))
    said = error_of("upgrade", "crm/orders", "--ids-from", "-", stdin=ids)
    assert said == "Expected --id or --ids-from to hold at most 100,000 ids, but got 100,001."
    assert versions(file) == UNTOUCHED


def test_a_process_without_a_published_version_is_refused(file: Path) -> None:
    async def create(store: Store) -> None:
        await create_process(store, namespace="crm", code="empty", title=None, caller=ADMIN)

    with_store(file, create)
    assert error_of("upgrade", "crm/empty", "--all-active").endswith("but it has no published version.")


def test_no_database_is_made_by_an_upgrade(folder: Path) -> None:
    said = error_of("upgrade", "crm/orders", "--all-active", "--database-url", "sqlite:///gone.sqlite")
    assert said == "Expected to find the database gone.sqlite, but there is no such file."
    assert list(folder.iterdir()) == []


def test_reports_what_is_no_database() -> None:
    Path("x.sqlite").write_bytes(b"nonsense" * 1_000)
    said = error_of("upgrade", "crm/orders", "--all-active", "--database-url", "sqlite:///x.sqlite")
    assert said == "Expected x.sqlite to be an SQLite database, but it is another file."
    assert Path("x.sqlite").read_bytes() == b"nonsense" * 1_000


def test_every_selected_instance_has_one_outcome(database: Place) -> None:
    output_of("upgrade", "crm/orders", "--all-active")
    ((_, outcomes),) = everything(database).outcomes.items()
    assert sorted((outcome.instance, outcome.kind) for outcome in outcomes) == sorted(
        [
            *((an_id(number), OutcomeKind.UPGRADED) for number in WAITING),
            (an_id(RUNNING), OutcomeKind.SKIPPED),
            (an_id(LATEST), OutcomeKind.SKIPPED),
        ]
    )


def test_an_upgrade_that_does_not_complete_gives_exit_code_1_but_showing_it_does_not() -> None:
    cancelled = UpgradeSummary(
        conditions="",
        id=an_upgrade_id(1),
        process="shop/order",
        selection="ALL_ACTIVE",
        state="CANCELLED",
        target_version=2,
        requested_by="ops",
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        expected=2,
        upgraded=1,
        skipped=0,
        ordered=0,
        sent=0,
        excluded=0,
        eta=None,
        error=None,
        counts_by_reason={},
    )
    report_upgrade(cancelled)
    with pytest.raises(typer.Exit) as exited:
        report_upgrade(cancelled, must_complete=True)
    assert exited.value.exit_code == 1
