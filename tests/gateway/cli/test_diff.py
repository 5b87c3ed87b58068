"""`uplift diff` reports what breaks, by its exit code, as text and as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.gateway_world import error_of, output_of, uplift
from tests.support.bpmn_builder import BPMN, ProcessBuilder, a_process

OLD = a_process("orders").start().user_task("check", name="Check [/it]").user_task("approve").end()
SAME = OLD
WITHOUT_APPROVE = a_process("orders").start().user_task("check", name="Check [/it]").end()
RENAMED = a_process("orders").start().user_task("check", name="Check [/it]").user_task("confirm").end()


def a_file(drawing: ProcessBuilder | bytes, name: str) -> str:
    Path(name).write_bytes(drawing if isinstance(drawing, bytes) else drawing.xml())
    return name


@pytest.fixture(autouse=True)
def files(folder: Path) -> None:
    a_file(OLD, "old.bpmn")
    a_file(SAME, "same.bpmn")
    a_file(WITHOUT_APPROVE, "without.bpmn")
    a_file(RENAMED, "renamed.bpmn")


def as_json(*arguments: str) -> tuple[int, Any]:
    result = uplift("diff", *arguments, "--json")
    assert result.stderr == ""
    return result.exit_code, json.loads(result.stdout)


def test_nothing_breaks_between_a_version_and_itself() -> None:
    code, comparison = as_json("old.bpmn", "same.bpmn")
    assert code == 0
    assert comparison == {"mapping": {"check": "check", "approve": "approve"}, "findings": []}
    assert list(comparison) == ["mapping", "findings"]


def test_a_position_that_breaks_is_exit_code_1() -> None:
    code, comparison = as_json("old.bpmn", "without.bpmn")
    assert code == 1
    assert comparison["mapping"] == {"check": "check"}
    errors = [finding for finding in comparison["findings"] if finding["severity"] == "error"]
    assert [(found["code"], found["source"], found["target"]) for found in errors] == [
        ("ELEMENT_MISSING", "approve", None)
    ]
    for finding in comparison["findings"]:
        assert list(finding) == ["severity", "code", "source", "target", "message"]
        assert finding["severity"] in ("error", "warning")
        assert finding["message"].endswith(".")


def test_warnings_alone_are_exit_code_0() -> None:
    a_file(
        a_process("orders").start().user_task("check", name="Examine").user_task("approve").end(), "new.bpmn"
    )
    code, comparison = as_json("old.bpmn", "new.bpmn")
    assert code == 0
    assert [(found["severity"], found["code"], found["source"]) for found in comparison["findings"]] == [
        ("warning", "NAME_CHANGED", "check")
    ]


def test_a_mapping_file_is_the_whole_mapping() -> None:
    Path("mapping.json").write_text('{"check": "check", "approve": "confirm"}')
    code, comparison = as_json("old.bpmn", "renamed.bpmn", "--mapping", "mapping.json")
    assert code == 0
    assert comparison["mapping"] == {"approve": "confirm", "check": "check"}
    assert [found for found in comparison["findings"] if found["severity"] == "error"] == []


def test_generates_nothing_beside_a_mapping_file() -> None:
    Path("mapping.json").write_text('{"approve": "confirm"}')
    code, comparison = as_json("old.bpmn", "renamed.bpmn", "--mapping", "mapping.json")
    assert code == 1
    assert comparison["mapping"] == {"approve": "confirm"}


@pytest.mark.parametrize(
    ("mapping", "code", "source"),
    [
        ('{"approve": "nowhere"}', "ELEMENT_MISSING", "approve"),
        ('{"nothing": "confirm"}', "ELEMENT_MISSING", "nothing"),
        ('{"check": "start"}', "TYPE_CHANGED", "check"),
    ],
)
def test_a_pair_that_breaks_a_rule_is_an_error_with_its_source(mapping: str, code: str, source: str) -> None:
    Path("mapping.json").write_text(mapping)
    exit_code, comparison = as_json("old.bpmn", "renamed.bpmn", "--mapping", "mapping.json")
    assert exit_code == 1
    errors = {
        (found["code"], found["source"]) for found in comparison["findings"] if found["severity"] == "error"
    }
    assert (code, source) in errors


def test_a_mapping_with_a_source_twice_cannot_be_read() -> None:
    Path("mapping.json").write_text('{"approve": "confirm", "approve": "check"}')
    said = error_of("diff", "old.bpmn", "renamed.bpmn", "--mapping", "mapping.json", code=2)
    assert "Expected mapping.json to map each element once, but it maps 'approve' twice." in said


def test_several_broken_pairs_are_all_reported() -> None:
    Path("mapping.json").write_text('{"approve": "nowhere", "nothing": "confirm", "check": "start"}')
    _, comparison = as_json("old.bpmn", "renamed.bpmn", "--mapping", "mapping.json")
    sources = {found["source"] for found in comparison["findings"] if found["severity"] == "error"}
    assert sources >= {"approve", "nothing", "check"}


def test_each_pair_of_a_mapping_file_has_the_findings_on_its_source() -> None:
    Path("mapping.json").write_text('{"nothing": "confirm", "approve": "confirm", "check": "start"}')
    _, comparison = as_json("old.bpmn", "renamed.bpmn", "--mapping", "mapping.json")
    assert [
        (checked["source"], checked["target"], [found["code"] for found in checked["findings"]])
        for checked in comparison["instructions"]
    ] == [
        ("nothing", "confirm", ["ELEMENT_MISSING"]),
        ("approve", "confirm", []),
        ("check", "start", ["TYPE_CHANGED", "NOT_A_WAIT_STATE"]),
    ]
    assert all(
        found in comparison["findings"]
        for checked in comparison["instructions"]
        for found in checked["findings"]
    )
    shown = uplift("diff", "old.bpmn", "renamed.bpmn", "--mapping", "mapping.json").stdout
    rows = [line.replace("│", "|").replace("┃", "|").split("|") for line in shown.splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert ["nothing", "confirm", "ELEMENT_MISSING"] in cells
    assert ["approve", "confirm", "none"] in cells


def test_people_see_tables_and_the_verdict() -> None:
    shown = output_of("diff", "old.bpmn", "same.bpmn")
    assert shown.splitlines()[-1] == "Instances can be upgraded at every position."

    result = uplift("diff", "old.bpmn", "renamed.bpmn")
    assert result.exit_code == 1
    assert "added: confirm" in result.stdout.splitlines()
    assert "removed: approve" in result.stdout.splitlines()
    assert "Instances that wait at approve cannot be upgraded. " in result.stdout
    assert "ELEMENT_MISSING" in result.stdout


def test_names_are_shown_as_they_are() -> None:
    a_file(a_process("orders").start().user_task("approve").end(), "new.bpmn")
    result = uplift("diff", "old.bpmn", "new.bpmn")
    assert result.exit_code == 1
    assert "(Check [/it])" in result.stdout


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"<a/>",
        b"<a>",
        b"\xff\xfe\x00",
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]><a>&b;</a>",
        f'<definitions xmlns="{BPMN}"/>'.encode(),
    ],
    ids=["empty", "text", "other xml", "broken xml", "bytes", "entity", "no process"],
)
def test_what_cannot_be_read_is_exit_code_2(content: bytes) -> None:
    a_file(content, "bad.bpmn")
    for arguments in (["bad.bpmn", "same.bpmn"], ["old.bpmn", "bad.bpmn"]):
        for form in ([], ["--json"]):
            said = error_of("diff", *arguments, *form, code=2)
            assert said.startswith("Expected ")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["gone.bpmn", "same.bpmn"], "Expected to read gone.bpmn, but: No such file or directory."),
        (["old.bpmn", "."], "Expected to read ., but: Is a directory."),
        (
            ["old.bpmn", "same.bpmn", "--mapping", "gone.json"],
            "Expected to read gone.json, but: No such file or directory.",
        ),
    ],
)
def test_a_missing_file_is_exit_code_2(arguments: list[str], why: str) -> None:
    assert error_of("diff", *arguments, code=2) == why


@pytest.mark.parametrize(
    "mapping",
    ["", "[]", "1", '{"check": 1}', '{"check": {"a": "b"}}', '{"check": "\\ud800"}', '{"\\u0000": "check"}'],
)
def test_a_mapping_of_another_form_is_exit_code_2(mapping: str) -> None:
    Path("mapping.json").write_text(mapping)
    for form in ([], ["--json"]):
        said = error_of("diff", "old.bpmn", "same.bpmn", "--mapping", "mapping.json", *form, code=2)
        assert said.startswith("Expected mapping.json to ")


def test_of_several_processes_one_is_chosen_by_its_id() -> None:
    other = a_process("invoices").start("begin").user_task("pay").end("stop").xml()
    both = OLD.xml().replace(
        b"</bpmn:definitions>", other[other.index(b"<bpmn:process") : other.index(b"</bpmn:definitions>")]
    )
    a_file(both + b"</bpmn:definitions>\n", "both.bpmn")
    said = error_of("diff", "both.bpmn", "both.bpmn", code=2)
    assert "orders" in said
    assert "invoices" in said
    assert as_json("both.bpmn", "both.bpmn", "--process", "invoices") == (
        0,
        {"mapping": {"pay": "pay"}, "findings": []},
    )
    assert as_json("both.bpmn", "both.bpmn", "--process", "orders")[1]["mapping"] == {
        "check": "check",
        "approve": "approve",
    }
    said = error_of("diff", "both.bpmn", "both.bpmn", "--process", "gone", code=2)
    assert "orders" in said


def test_each_side_may_name_its_own_process() -> None:
    processes = [
        a_process(process).start(f"s{process}").user_task(task).end(f"e{process}").xml()
        for process, task in (("one", "check"), ("two", "approve"))
    ]
    begin, end = (processes[1].index(tag) for tag in (b"<bpmn:process", b"</bpmn:definitions>"))
    both = processes[0].replace(b"</bpmn:definitions>", processes[1][begin:end] + b"</bpmn:definitions>")
    a_file(both, "both.bpmn")

    assert as_json("old.bpmn", "both.bpmn", "--new-process", "two")[1]["mapping"] == {"approve": "approve"}
    sides = ["--old-process", "one", "--new-process", "two"]
    for more in ([], ["--process", "gone"]):
        code, comparison = as_json("both.bpmn", "both.bpmn", *sides, *more)
        assert (code, [found["source"] for found in comparison["findings"]]) == (1, ["check"])
    for side in ("old", "new"):
        files = ["both.bpmn", "old.bpmn"] if side == "old" else ["old.bpmn", "both.bpmn"]
        said = error_of("diff", *files, code=2)
        assert said.endswith(
            "but it has several: 'one' (executable, 3 elements), 'two' (executable, 3 elements). Choose one "
            f"of them by its id. The option --{side}-process names it. (both.bpmn, line 3)"
        )
        said = error_of("diff", *files, f"--{side}-process", "orders", code=2)
        assert said.startswith(
            "Expected a process with the id 'orders' in the BPMN document, but it has: 'one'"
        )


def test_an_invalid_document_is_named_with_line_and_element() -> None:
    broken = OLD.xml().replace(b'targetRef="approve"', b'targetRef="gone"')
    a_file(broken, "broken.bpmn")
    said = error_of("diff", "old.bpmn", "broken.bpmn", code=2)
    assert said.startswith("Expected 'gone', the targetRef of ")
    assert said.endswith("(broken.bpmn, line 6, element 'orders_flow_2')")


def test_wrong_arguments_are_exit_code_2() -> None:
    error_of("diff", "old.bpmn", code=2)
    error_of("diff", "old.bpmn", "same.bpmn", "--colour", code=2)


def test_letters_of_any_script_stay_letters() -> None:
    a_file(a_process("orders").start().user_task("prüfen").end(), "new.bpmn")
    result = uplift("diff", "new.bpmn", "new.bpmn", "--json")
    assert '"prüfen": "prüfen"' in result.stdout
