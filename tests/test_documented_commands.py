"""The command line knows each command and option that a document shows, and tests run blocks of commands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tests.support.project import DOCS, ROOT
from uplift.gateway.cli import app

DOCUMENTS = sorted(
    {*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("examples/*/README.md")} - {ROOT / "CHANGELOG.md"}
)
SHOWN = re.compile(r"(?<!-n )(?<![=\w./-])uplift ((?:[a-z][a-z-]*)(?: [^`#&|>\n]*)?)")
"""A command in a block or in a line, up to a pipe or a comment."""
OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")
COMMANDS: Any = typer.main.get_command(app)


def shown(document: Path) -> Iterator[str]:
    """The commands in blocks of code and in backticks."""
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```sh.*?^```|^    .*$", text, re.MULTILINE | re.DOTALL)
    outside = re.sub(r"^```.*?^```|^    .*$", "", text, flags=re.MULTILINE | re.DOTALL)
    for code in (*re.findall(r"`[^`]*`", outside), *blocks):
        yield from SHOWN.findall(code)


def fault(command: str) -> str | None:
    """What the command line does not know of a command."""
    found = COMMANDS
    for word in command.split():
        if not hasattr(found, "commands"):
            break
        if word not in found.commands:
            return f"uplift {command}: there is no command {word}"
        found = found.commands[word]
    if hasattr(found, "commands"):
        return None
    known = {name for option in found.params for name in (*option.opts, *option.secondary_opts)}
    unknown = set(OPTION.findall(command)) - known - {"--help"}
    return f"uplift {command}: there is no option {', '.join(sorted(unknown))}" if unknown else None


def test_every_command_of_the_documents_exists_with_its_options() -> None:
    commands = [(document, command) for document in DOCUMENTS for command in shown(document)]
    assert len(commands) > 100
    assert [f"{document.name}: {fault(command)}" for document, command in commands if fault(command)] == []


def test_a_fault_is_found() -> None:
    assert fault("upgrade shop/order --all-active --dry") is not None
    assert fault("keys make ci") == "uplift keys make ci: there is no command make"
    assert fault("keys create ci --role system_admin") is None


def test_every_page_with_blocks_of_commands_is_run_by_a_test() -> None:
    pages = {path.stem for path in DOCUMENTS if "\n```sh" in path.read_text(encoding="utf-8")}
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if "tools" not in path.parts]
    following = "".join(text for path in tests if "DOCS" in (text := path.read_text(encoding="utf-8")))
    assert len(pages) > 10
    assert {page for page in pages if not re.search(rf'"{page}(?:\.md)?"', following)} == set()
