"""The tutorial: its files are written and its commands run, in this order, and print what it shows."""

from contextlib import ExitStack
from pathlib import Path

import httpx2

from tests.support.project import DOCS
from tests.support.reader import Reader


def test_its_commands_print_what_it_shows(tmp_path: Path) -> None:
    with ExitStack() as programs:
        reader = Reader(tmp_path, programs)
        reader.follow((DOCS / "tutorial" / "first-upgrade.md").read_text(encoding="utf-8"))
        console = httpx2.get(reader.url, headers={"accept": "text/html"}, follow_redirects=True)
        assert (console.status_code, console.url.path) == (200, "/console"), (
            "the address leads to the console"
        )
