"""Follows a page of the documents: writes its files, runs its commands, and compares what they print.

A block of code with a name is a file. A block `sh` is run in a shell, and the block `text` behind it is what
it prints. `sh second-terminal` is a server that goes on running.
"""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.gateway.gateway_world import started

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
UPGRADE_ID = re.compile(r"(?:(?<=^Upgrade )|(?<=^Undo ))[0-9a-f-]{36}", re.MULTILINE)
ADDRESS = "http://127.0.0.1:8000"
RUN = "sh"
RUN_ON = "second-terminal"
TIMEOUT = 120
"""Seconds that a command may take."""


class Reader:
    """Follows pages in an empty folder, with a terminal of 100 columns.

    `replaced` maps what pages say to what it is here, such as an address. `variables` are those of the
    environment; `UPLIFT_API_KEY` becomes the key that a server prints, and `id` the id of the last upgrade.
    """

    def __init__(self, folder: Path, programs: ExitStack, **variables: str) -> None:
        self.folder = folder
        self.replaced: dict[str, str] = {}
        self.url = ADDRESS
        self.variables = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "LANG": "C.UTF-8",
            **variables,
        }
        self._programs = programs

    def follow(self, page: str) -> None:
        """Do what a page says, from its beginning to its end."""
        printed = ""
        for language, name, text in BLOCK.findall(page):
            if language == RUN and name == RUN_ON:
                self.start(text.strip())
            elif name:
                (self.folder / name).write_text(text, encoding="utf-8")
            elif language == RUN:
                printed = self.run(text)
            elif language == "text":
                assert printed == text, f"Expected\n{text}\nbut the commands print\n{printed}"

    def start(self, command: str) -> None:
        """Start a server in another terminal, at any free port, and note its address and key."""
        program, *arguments = self._here(command).split()
        assert program == "uplift"
        server = self._programs.enter_context(
            started(*arguments, "--port", "0", folder=self.folder, **self.variables)
        )
        self.url = server.url()
        self.replaced[ADDRESS] = self.url
        self.variables["UPLIFT_API_KEY"] = server.wait_for(r"(?m)^  (uplift_\w+)$")

    def run(self, commands: str) -> str:
        """What commands print, ids of upgrades left out."""
        done = subprocess.run(
            ["bash", "-e", "-u", "-c", self._here(commands)],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        for upgrade in UPGRADE_ID.findall(done.stdout):
            self.variables["id"] = upgrade
        lines = UPGRADE_ID.sub("…", done.stdout).splitlines()
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def _here(self, commands: str) -> str:
        for said, here in self.replaced.items():
            commands = commands.replace(said, here)
        return commands
