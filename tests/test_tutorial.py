"""The tutorial: its files are written and its commands run, in this order, and print what it shows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests.gateway.gateway_world import started
from tests.support.project import DOCS

TUTORIAL = (DOCS / "tutorial" / "first-upgrade.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
UPGRADE_ID = re.compile(r"(?:(?<=^Upgrade )|(?<=^Undo ))[0-9a-f-]{36}", re.MULTILINE)
ADDRESS = "http://127.0.0.1:8000"


class Reader:
    """Follows the tutorial in an empty folder, with a terminal of 100 columns."""

    def __init__(self, folder: Path, programs: ExitStack) -> None:
        self.folder = folder
        self.programs = programs
        self.url = ADDRESS
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.variables = {
            "PATH": path,
            "HOME": str(folder),
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "LANG": "C.UTF-8",
        }

    def start(self, command: str) -> None:
        """Start a server in the second terminal, at any free port, and note its key."""
        program, *arguments = command.split()
        assert program == "uplift"
        server = self.programs.enter_context(started(*arguments, "--port", "0", folder=self.folder))
        self.url = server.url()
        self.variables["UPLIFT_API_KEY"] = server.wait_for(r"(?m)^  (uplift_\w+)$")

    def run(self, commands: str) -> str:
        """What commands print, ids of upgrades left out; notes the id of the last upgrade."""
        done = subprocess.run(
            ["bash", "-e", "-u", "-c", commands.replace(ADDRESS, self.url)],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        for upgrade in UPGRADE_ID.findall(done.stdout):
            self.variables["id"] = upgrade
        return "\n".join(line.rstrip() for line in UPGRADE_ID.sub("…", done.stdout).splitlines()) + "\n"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with ExitStack() as programs:
        yield Reader(tmp_path, programs)


def test_its_commands_print_what_it_shows(reader: Reader) -> None:
    printed = ""
    for language, name, text in BLOCK.findall(TUTORIAL):
        if language == "sh" and name == "second-terminal":
            reader.start(text)
        elif name:
            (reader.folder / name).write_text(text, encoding="utf-8")
        elif language == "sh":
            printed = reader.run(text)
        else:
            assert printed == text
    console = httpx2.get(reader.url, headers={"accept": "text/html"}, follow_redirects=True)
    assert (console.status_code, console.url.path) == (200, "/console"), "the address leads to the console"
