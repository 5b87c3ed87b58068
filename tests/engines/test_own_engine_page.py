"""docs/how-to/own-engine.md: its engine is linked, fetches its orders and carries them out."""

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

from tests.support.project import DOCS
from tests.support.reader import Reader


def test_the_engine_of_the_page_moves_its_instances(tmp_path: Path) -> None:
    with ExitStack() as programs:
        Reader(tmp_path, programs).follow((DOCS / "how-to" / "own-engine.md").read_text(encoding="utf-8"))
    with closing(sqlite3.connect(tmp_path / "engine.sqlite")) as database:
        rows = database.execute("SELECT version, place FROM instance").fetchall()
    assert rows == [(2, "pack")] * 3
