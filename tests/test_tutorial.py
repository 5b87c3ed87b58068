"""The tutorial: its files are written and its commands run, in this order, and print what it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.project import DOCS

TUTORIAL = (DOCS / "tutorial" / "first-upgrade.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
UPGRADE_ID = re.compile(r"(?:(?<=^Upgrade )|(?<=^Undo ))[0-9a-f-]{36}", re.MULTILINE)


def run(commands: str, folder: Path) -> str:
    """What commands print in a terminal of 100 columns, ids of upgrades left out."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "COLUMNS": "100", "NO_COLOR": "1", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return "\n".join(line.rstrip() for line in UPGRADE_ID.sub("…", done.stdout).splitlines()) + "\n"


def test_its_commands_print_what_it_shows(tmp_path: Path) -> None:
    printed = ""
    for language, file, text in BLOCK.findall(TUTORIAL):
        if file:
            (tmp_path / file).write_text(text, encoding="utf-8")
        elif language == "sh":
            printed = run(text, tmp_path)
        else:
            assert printed == text
