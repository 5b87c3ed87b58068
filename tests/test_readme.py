"""The README: its program runs, and it lists every setting."""

import contextlib
import io
import re

from tests.support.project import DOCS, ROOT
from uplift.gateway.settings import Settings

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


def test_it_lists_every_setting_and_its_default() -> None:
    for name, field in Settings.model_fields.items():
        assert f"| `UPLIFT_{name.upper()}` | `{field.default}` | {field.description} |" in README


def test_the_page_for_operators_names_every_setting() -> None:
    page = (DOCS / "how-to" / "operate.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| (.*?) \|", page, re.MULTILINE))
    settings = {setting for cell in named for setting in re.findall(r"`(UPLIFT_\w+)`", cell)}
    assert settings == {f"UPLIFT_{name.upper()}" for name in Settings.model_fields}
