"""The version comes from the newest tag of a release, and an sdist keeps the one that it was built with."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.distributions import build, run, unpack
from tests.support.project import ROOT

RELEASE = "v9.8.7"
GIT = ("git", "-c", "user.name=Tester", "-c", "user.email=tester@example.org")

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an sdist has no history")


@dataclass(frozen=True)
class Checkout:
    """A repository with the build settings of this one, and its first commit."""

    folder: Path

    def git(self, *arguments: str) -> str:
        return run(*GIT, *arguments, folder=self.folder).strip()

    def commit(self) -> str:
        """Add an empty commit, and return how versions name it."""
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change nothing")
        return f"g{self.git('rev-parse', '--short=9', 'HEAD')}"


def version_of(folder: Path) -> str:
    """The version that a build in this folder has."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "version"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A small tree: building all of it would take longer."""
    folder = tmp_path / "checkout"
    (folder / "src/uplift").mkdir(parents=True)
    (folder / "src/uplift/__init__.py").touch()
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    made = Checkout(folder)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("add", ".")
    made.commit()
    return made


def test_a_tagged_commit_has_the_version_of_its_tag(checkout: Checkout) -> None:
    checkout.git("tag", RELEASE)
    assert version_of(checkout.folder) == "9.8.7"


def test_a_later_commit_names_itself(checkout: Checkout) -> None:
    checkout.git("tag", RELEASE)
    checkout.commit()
    name = checkout.commit()
    assert version_of(checkout.folder) == f"9.8.8.dev2+{name}"


def test_other_tags_do_not_count(checkout: Checkout) -> None:
    checkout.git("tag", RELEASE)
    name = checkout.commit()
    for tag in ("nightly-20261130", "demo1", "v10.0.0-old", "v10"):
        checkout.git("tag", tag)
    assert version_of(checkout.folder) == f"9.8.8.dev1+{name}"


def test_an_annotated_tag_counts(checkout: Checkout) -> None:
    checkout.git("tag", "--annotate", "--message", "Release it", RELEASE)
    assert version_of(checkout.folder) == "9.8.7"


def test_a_shallow_clone_without_tags_says_that_its_version_is_unknown(
    checkout: Checkout, tmp_path: Path
) -> None:
    checkout.git("tag", RELEASE)
    name = checkout.commit()
    source = f"file://{checkout.folder}"
    run(*GIT, "clone", "--quiet", "--depth=1", "--no-tags", source, "shallow", folder=tmp_path)
    assert version_of(tmp_path / "shallow") == f"0.0.1.dev1+unknown.{name}"


def test_files_without_a_history_say_that_their_version_is_unknown(
    checkout: Checkout, tmp_path: Path
) -> None:
    (checkout.folder / ".git").rename(tmp_path / "history")
    assert version_of(checkout.folder) == "0.0.0+unknown"


def test_an_sdist_keeps_its_version(checkout: Checkout, tmp_path: Path) -> None:
    checkout.git("tag", RELEASE)
    (tmp_path / "out").mkdir()
    sdist = build("sdist", checkout.folder, tmp_path / "out")
    assert sdist.name == "uplift_gateway-9.8.7.tar.gz"
    (tmp_path / "unpacked").mkdir()
    assert version_of(unpack(sdist, tmp_path / "unpacked")) == "9.8.7"
