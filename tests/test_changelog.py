"""The fragments in changelog.d/ make a section of the changelog."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ROOT
from tests.test_documents import LINK

FOLDER = ROOT / "changelog.d"
FRAGMENTS = sorted(path for path in FOLDER.iterdir() if path.name != "README.md")


def towncrier(folder: Path) -> subprocess.CompletedProcess[str]:
    """Make the section of a version from the fragments in a folder, without writing it."""
    return subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.9.9", "--date", "2027-01-15"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_fragments_are_of_known_types() -> None:
    done = towncrier(ROOT)
    assert done.returncode == 0, done.stderr
    assert "## 9.9.9 (2027-01-15)" in done.stdout


def add(project: Path, kind: str, text: str) -> None:
    """Write a fragment."""
    (project / "changelog.d" / f"+fragment.{kind}.md").write_text(text, encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the settings of this project, and with two fragments."""
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "changelog.d").mkdir()
    shutil.copy(FOLDER / "README.md", tmp_path / "changelog.d")
    add(tmp_path, "changed", "Plans are faster.\n")
    add(tmp_path, "fixed", "Names are\nright.\n")
    return tmp_path


def test_a_section_has_the_fragments_by_type(project: Path) -> None:
    section = towncrier(project).stdout.partition("## 9.9.9 (2027-01-15)")[2]
    assert [line for line in section.splitlines() if line] == [
        *("### Changed", "- Plans are faster."),
        *("### Fixed", "- Names are", "  right."),
    ]


def test_a_fragment_of_an_unknown_type_is_refused(project: Path) -> None:
    add(project, "improved", "Plans are faster.\n")
    done = towncrier(project)
    assert done.returncode != 0
    assert "Invalid news fragment name: +fragment.improved" in done.stderr


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.name)
def test_the_links_of_a_fragment_lead_on_from_the_changelog(fragment: Path) -> None:
    text = fragment.read_text(encoding="utf-8")
    assert text.strip().endswith((".", ")"))
    assert [path for path, _ in LINK.findall(text) if not (ROOT / path).exists()] == []
