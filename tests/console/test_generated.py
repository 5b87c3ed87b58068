"""What is generated for the console is up to date, and its types hold."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.long_mode import long_only
from tests.support.project import ROOT

FOLDER = ROOT / "console"


@long_only
def test_generated_operations_and_types_are_up_to_date(tmp_path: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("needs npm, which is not installed")
    copy = tmp_path / "console"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("dist", "node_modules", "__pycache__"))
    (tmp_path / "graphql_api").mkdir()
    shutil.copy(ROOT / "graphql_api" / "schema.graphql", tmp_path / "graphql_api")
    for command in (
        ["npm", "ci", "--no-audit", "--no-fund"],
        ["npm", "run", "generate"],
        ["npm", "run", "check"],
    ):
        done = subprocess.run(command, cwd=copy, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    generated = (copy / "src" / "api" / "operations.ts").read_text()
    assert generated == (FOLDER / "src" / "api" / "operations.ts").read_text(), "run: npm run generate"


@long_only
@pytest.mark.parametrize(
    "name", ["FindingCode", "LinkKind", "OutcomeKind", "ReasonCode", "Role", "SelectionKind", "UpgradeState"]
)
def test_every_code_has_words(name: str) -> None:
    schema = (ROOT / "graphql_api" / "schema.graphql").read_text()
    texts = (FOLDER / "src" / "texts" / "en" / "codes.ts").read_text()
    match = re.search(rf"^enum {name} \{{(.*?)^\}}", schema, re.MULTILINE | re.DOTALL)
    assert match is not None
    codes = set(re.findall(r"^  ([A-Z][A-Z_0-9]*)$", match[1], re.MULTILINE))
    assert codes
    assert {code for code in codes if f"    {code}: " not in texts} == set()


def test_the_lock_file_names_no_registry() -> None:
    lock = (FOLDER / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
