"""The README: its program runs."""

import contextlib
import io
import re

from tests.support.project import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_program_runs_as_it_stands_and_prints_what_it_says() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "README.md", "exec"), {"__name__": "readme"})
    assert f"It prints `{printed.getvalue().strip()}`." in README


def test_its_program_takes_about_ten_lines() -> None:
    (body,) = re.findall(r"async def main.*?\n(.*?)\n\n\nasyncio", README, re.DOTALL)
    assert len(body.splitlines()) <= 10
