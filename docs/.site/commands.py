"""Renders the page of all options of the command line, from the command line itself."""

import re
from collections.abc import Iterator
from typing import Any

import typer

from uplift.gateway.cli import app

INTRODUCTION = """\
# Options of commands

Every command with its arguments and options, made from the program. [Commands](cli.md) has examples, exit
codes and the formats of files.
"""
FACTS = re.compile(r"\s*\[((?:default: |env var: |required|[^\]]*[<>]=)[^\]]*)\]")
"""What Typer adds to the help of an option, in brackets."""


def commands_page() -> str:
    """The page reference/options.md."""
    group = typer.main.get_command(app)
    return "\n".join((INTRODUCTION, *_sections(group, typer.Context(group, info_name="uplift"))))


def _sections(command: Any, context: Any) -> Iterator[str]:
    if hasattr(command, "commands"):
        for name, nested in command.commands.items():
            yield from _sections(nested, type(context)(nested, info_name=name, parent=context))
        return
    yield f"## {context.command_path}\n"
    yield f"{_text(command.help)}\n"
    rows = [_row(*record) for option in command.params if (record := option.get_help_record(context))]
    if rows:
        yield "| Argument or option | Description |"
        yield "|---|---|"
        yield from rows
        yield ""


def _row(name: str, text: str) -> str:
    text = text.replace("\\[", "[")
    facts = [fact for found in FACTS.findall(text) for fact in found.split("; ")]
    bounds = ", ".join(fact for fact in facts if ": " not in fact)
    said = [_text(f"{FACTS.sub('', text)} ({bounds})" if bounds else FACTS.sub("", text))]
    for kind, title in (("default: ", "Default"), ("env var: ", "Variable")):
        said += [f"{title}: `{fact.removeprefix(kind)}`." for fact in facts if fact.startswith(kind)]
    return f"| `{_cell(name)}` | {' '.join(said)} |"


def _cell(text: str) -> str:
    """A text as one line of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def _text(text: str) -> str:
    """The same for a text outside of backticks, where angle brackets would be tags."""
    return _cell(text).replace("<", "&lt;")
