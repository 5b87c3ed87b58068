"""A command ends as its operation did, whatever becomes of its output."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from tests.gateway.gateway_world import UPLIFT, WAITING, everything, execute, output_of
from uplift.gateway.cli import app
from uplift.gateway.cli.application import Application
from uplift.gateway.cli.output import ExitCode
from uplift.testing.builders import an_id

ENCODINGS = ("ascii", "latin-1", "cp1252")
"""Those of terminals that lack letters."""
MODEL = """<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p">
<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="pr\u00fcfen_\u6aa2"/>
<task id="pr\u00fcfen_\u6aa2"/>
</process></definitions>"""


@dataclass
class Ended:
    """How a command ended."""

    code: int
    output: bytes
    errors: bytes


class Terminal:
    """Runs commands with standard output and standard error of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch

    def run(
        self, *arguments: str, encoding: str = "utf-8", to: Path | int | None = None, call: typer.Typer = app
    ) -> Ended:
        """Run a command; `to` is a file or a descriptor in place of standard output."""
        files = {name: self._folder / name for name in ("stdout", "stderr")}
        with (
            self._monkeypatch.context() as patch,
            open(to or files["stdout"], "w", encoding=encoding) as out,  # noqa: PTH123  or a descriptor
            files["stderr"].open("w", encoding=encoding) as errors,
        ):
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", errors)
            with pytest.raises(SystemExit) as ended:
                call(list(arguments))
            sys.stdout.flush()
            sys.stderr.flush()
        code = ended.value.code
        written = files["stdout"].read_bytes() if files["stdout"].exists() else b""
        return Ended(int(code or 0), written, files["stderr"].read_bytes())


@pytest.fixture
def terminal(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(tmp_path_factory.mktemp("terminal"), monkeypatch)


@pytest.fixture
def closed_pipe() -> int:
    """The writing end of a pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


COMPLETED = 4
"""The state as a number."""
FULL = Path("/dev/full")
needs_full_device = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
UPGRADE = ("upgrade", "crm/orders", "--all-active")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_upgrade_ends_well_on_a_terminal_that_lacks_letters(
    file: Path, terminal: Terminal, encoding: str
) -> None:
    execute(file, "UPDATE process SET code = '\u6aa2\u67e5' WHERE code = 'orders'")
    shown = terminal.run("upgrade", "crm/\u6aa2\u67e5", "--all-active", encoding=encoding)
    assert (shown.code, shown.errors) == (0, b"")
    assert b"crm/\\u6aa2\\u67e5" in shown.output
    assert b"COMPLETED" in shown.output


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_models_with_letters_that_a_terminal_lacks_are_compatible(
    folder: Path, terminal: Terminal, encoding: str
) -> None:
    (folder / "a.bpmn").write_text(MODEL, encoding="utf-8")
    shown = terminal.run("diff", "a.bpmn", "a.bpmn", encoding=encoding)
    assert (shown.code, shown.errors) == (0, b"")
    assert b"_\\u6aa2" in shown.output
    as_json = terminal.run("diff", "a.bpmn", "a.bpmn", "--json", encoding=encoding)
    assert json.loads(as_json.output)["mapping"]["pr\u00fcfen_\u6aa2"] == "pr\u00fcfen_\u6aa2"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_errors_and_data_need_no_letters_of_the_terminal(
    file: Path, terminal: Terminal, encoding: str
) -> None:
    refused = terminal.run("upgrade", "crm/\u6aa2", "--all-active", encoding=encoding)
    assert refused.code == ExitCode.FAILED
    assert b"\\u6aa2" in refused.errors
    output_of(*UPGRADE, "--reason", "\u00fcberf\u00e4llig \u6aa2")
    exported = terminal.run("export-audit", encoding=encoding)
    assert exported.code == 0
    assert {json.loads(line)["reason"] for line in exported.output.decode().splitlines()} == {
        "\u00fcberf\u00e4llig \u6aa2"
    }
    for command in (("--help",), ("upgrades", "list"), ("keys", "list"), ("print-schema",)):
        assert terminal.run(*command, encoding=encoding).code == 0


def test_a_closed_pipe_changes_no_exit_code_and_says_nothing(
    file: Path, terminal: Terminal, closed_pipe: int
) -> None:
    for command in (
        UPGRADE,
        (*UPGRADE, "--dry-run"),
        ("export-audit",),
        ("upgrades", "list"),
        ("print-schema",),
        ("db", "current"),
        ("--version",),
        ("keys", "list"),
    ):
        ended = terminal.run(*command, to=os.dup(closed_pipe))
        assert (command, ended.code, ended.errors) == (command, 0, b"")
    assert terminal.run("upgrade", "crm/none", "--all-active", to=closed_pipe).code == ExitCode.FAILED


@needs_full_device
def test_what_was_done_is_done_although_the_disk_behind_the_output_is_full(
    file: Path, terminal: Terminal
) -> None:
    """Standard error says that the output is lost."""
    lost = b"Expected to write standard output, but: No space left on device."
    upgraded = terminal.run(*UPGRADE, to=FULL)
    assert (upgraded.code, upgraded.errors.strip()) == (ExitCode.DONE, lost)
    assert execute(file, "SELECT state FROM upgrade") == [(COMPLETED,)]
    for command in (("upgrades", "list"), ("export-audit",), ("print-schema",), (*UPGRADE, "--dry-run")):
        shown = terminal.run(*command, to=FULL)
        assert (command, shown.code, shown.errors.strip()) == (command, ExitCode.UNWRITTEN, lost)
    key = terminal.run("keys", "create", "lost", to=FULL)
    assert key.code == ExitCode.UNWRITTEN
    assert b"revoke it, and create another one" in key.errors


@needs_full_device
def test_a_comparison_ends_with_its_result_although_the_disk_is_full(
    folder: Path, terminal: Terminal
) -> None:
    (folder / "a.bpmn").write_text(MODEL, encoding="utf-8")
    (folder / "b.bpmn").write_text(MODEL.replace("task", "userTask"), encoding="utf-8")
    for options in ((), ("--json",)):
        assert terminal.run("diff", "a.bpmn", "a.bpmn", *options, to=FULL).code == ExitCode.DONE
        assert terminal.run("diff", "a.bpmn", "b.bpmn", *options, to=FULL).code == ExitCode.FAILED


def test_an_error_of_uplift_has_an_exit_code_of_its_own(terminal: Terminal) -> None:
    broken = Application()

    @broken.command()
    def fail() -> None:
        raise RuntimeError("broken \ud800")

    ended = terminal.run(call=broken, encoding="ascii")
    assert ended.code == ExitCode.CRASHED
    assert b"RuntimeError: broken \\ud800" in ended.errors


def test_an_interrupted_command_has_the_exit_code_of_a_shell(
    file: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("uplift.gateway.cli.commands.audit.export_audit", interrupted)
    ended = terminal.run("export-audit")
    assert (ended.code, ended.errors) == (ExitCode.INTERRUPTED, b"")


LOGGING = """
import logging, structlog
from uplift.gateway.cli.output import protect_streams
from uplift.gateway.observability.logging import configure_logs
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.settings import Settings
protect_streams()
configure_logs(Settings(), Metrics())
structlog.get_logger().warning("line \\u6aa2\\ud800")
logging.getLogger("uvicorn.error").error("line \\u6aa2\\ud800")
print("done")
"""


def test_a_log_line_that_cannot_be_written_is_dropped(closed_pipe: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOGGING], check=False, stdout=subprocess.PIPE, stderr=closed_pipe, text=True
    )
    assert (done.returncode, done.stdout) == (0, "done\n")


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
def test_a_program_whose_streams_are_closed_does_its_work(file: Path) -> None:
    command = f"{UPLIFT} upgrade crm/orders --id {an_id(WAITING[0])} <&- >&- 2>&-"
    assert subprocess.run(command, shell=True, check=False).returncode == 0
    assert len(everything(file).upgrades) == 1
