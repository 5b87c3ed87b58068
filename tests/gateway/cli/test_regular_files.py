"""Commands read regular files, and standard input where they say so: nothing else has an end for certain."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.gateway_world import error_of, everything, execute, output_of, uplift
from uplift.gateway.cli.output import ExitCode
from uplift.gateway.files import regular_files
from uplift.gateway.files.regular_files import open_regular
from uplift.testing.builders import an_id

MODEL = '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p"/></definitions>'


@pytest.fixture(params=["a named pipe", "a device", "a socket"])
def special(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[str, str]]:
    """The name of a file that is not regular, and what it is. Nobody ever writes to the pipe."""
    name = folder / "special"
    kind: str = request.param
    if kind == "a named pipe":
        os.mkfifo(name)
    elif kind == "a device":
        name.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("special")  # a path as short as the system demands
            yield "special", kind
        return
    yield "special", kind


@pytest.mark.parametrize(
    "command",
    [
        ("import",),
        ("upgrade", "crm/orders", "--ids-from"),
        ("upgrade", "crm/orders", "--all-active", "--except-from"),
        ("upgrade", "crm/orders", "--all-active", "--mapping"),
        ("upgrades", "retry", str(an_id(1)), "--for", "NOT_PENDING", "--mapping"),
    ],
)
def test_what_is_no_regular_file_is_refused_at_once(
    file: Path, special: tuple[str, str], command: tuple[str, ...]
) -> None:
    name, kind = special
    before = everything(file)
    said = error_of(*command, name)
    assert said == f"Expected to use {name}, but: Is {kind}, not a regular file."
    assert everything(file) == before


def test_a_comparison_reads_regular_files(folder: Path, special: tuple[str, str]) -> None:
    name, kind = special
    (folder / "a.bpmn").write_text(MODEL)
    for arguments in ((name, "a.bpmn"), ("a.bpmn", name), ("a.bpmn", "a.bpmn", "--mapping", name)):
        ended = uplift("diff", *arguments)
        assert ended.exit_code == ExitCode.WRONG_USAGE
        assert ended.stderr.strip() == f"Expected to read {name}, but: Is {kind}, not a regular file."


def test_a_database_is_a_regular_file(special: tuple[str, str]) -> None:
    name, kind = special
    said = error_of("keys", "list", "--database-url", f"sqlite:///{name}")
    assert said == f"Expected to use {name}, but: Is {kind}, not a regular file."


def test_a_document_of_an_import_is_a_regular_file(file: Path, folder: Path) -> None:
    os.mkfifo(folder / "pipe.bpmn")
    record = {"type": "version", "namespace": "crm", "code": "orders", "number": 9, "bpmnFile": "pipe.bpmn"}
    (folder / "import.jsonl").write_text(json.dumps(record))
    said = error_of("import", "import.jsonl")
    assert "Expected to read bpmnFile 'pipe.bpmn', but: Is a named pipe, not a regular file." in said


def test_a_pipe_that_takes_the_place_of_a_file_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the name and its opening."""
    name = folder / "file"
    name.write_text("")

    def replace(path: Path, _: int) -> None:
        monkeypatch.undo()
        path.unlink()
        os.mkfifo(path)

    monkeypatch.setattr(regular_files, "require_regular", replace)
    with pytest.raises(OSError, match="Is a named pipe"):
        open_regular(name)


def test_an_import_reads_standard_input(file: Path) -> None:
    record = {"type": "process", "namespace": "crm", "code": "piped"}
    said = output_of("import", "-", stdin=json.dumps(record))
    assert said == "standard input: imported 1 process, 0 versions, 0 instances.\n"
    assert execute(file, "SELECT count(*) FROM process WHERE code = 'piped'") == [(1,)]
