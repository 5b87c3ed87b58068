"""requirements/ pins by version and hash what the checks and the image install, and names no address."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.project import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
IMAGE = PROJECT["dependency-groups"]["image"]
WANTED = {"image": RUN, "build": IMAGE, "check": [*RUN, *EXTRAS["dev"], *EXTRAS["testing"], *IMAGE]}
"""What each file must hold, besides what that needs."""
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
RENEW = "run requirements/renew"


def pins(name: str) -> list[tuple[Requirement, list[str]]]:
    """The pinned versions of a file, each with its hashes."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(Requirement(line.partition("--hash")[0]), HASH.findall(line)) for line in lines]


def version_of(pin: Requirement) -> str:
    [specifier] = pin.specifier
    assert specifier.operator == "=="
    return specifier.version


def needed(wanted: list[str]) -> Iterator[Requirement]:
    """These requirements and those of the packages that are installed for them, as far as they apply here."""
    queue = [Requirement(text) for text in wanted]
    seen: set[tuple[str, frozenset[str]]] = set()
    while queue:
        requirement = queue.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        yield requirement
        try:
            needs = distribution(requirement.name).requires or ()
        except PackageNotFoundError:  # a tool of the image, which is not installed for tests
            continue
        for text in needs:
            need = Requirement(text)
            extras = ("", *requirement.extras)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras):
                queue.append(need)


@pytest.mark.parametrize("name", WANTED)
def test_every_package_has_a_version_and_hashes_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert "://" not in text
    assert not re.findall(r"^\s*--(?!hash)|@ ", text, re.MULTILINE)
    for pin, hashes in pins(name):
        assert version_of(pin)
        assert hashes, pin


@pytest.mark.parametrize("name", WANTED)
def test_the_pinned_versions_are_those_that_pyproject_wants(name: str) -> None:
    found = [(canonicalize_name(pin.name), pin) for pin, _ in pins(name)]
    for requirement in needed(WANTED[name]):
        here = [pin for pinned, pin in found if pinned == canonicalize_name(requirement.name)]
        assert here, f"{name}.txt has no {requirement.name}: {RENEW}"
        applies = [pin for pin in here if pin.marker is None or pin.marker.evaluate()]
        for pin in applies:
            assert requirement.specifier.contains(version_of(pin), prereleases=True), f"{pin}: {RENEW}"


def test_the_image_has_the_versions_that_the_checks_ran_on() -> None:
    tried = {(pin.name, version_of(pin)) for pin, _ in pins("check")}
    for name in ("image", "build"):
        assert {(pin.name, version_of(pin)) for pin, _ in pins(name)} <= tried


def test_the_image_has_no_package_that_nothing_needs() -> None:
    wanted = {canonicalize_name(requirement.name) for requirement in needed(WANTED["image"])}
    here = [pin for pin, _ in pins("image") if pin.marker is None or pin.marker.evaluate()]
    assert {canonicalize_name(pin.name) for pin in here} <= wanted, RENEW


def test_what_runs_in_the_image_is_no_tool_of_the_tests() -> None:
    names = {canonicalize_name(pin.name) for pin, _ in pins("image")}
    assert not names & {"pip", "hatchling", "pytest", "uv", "cyclonedx-bom", "mypy"}


@pytest.mark.parametrize(
    ("file", "name"), [("check", "check"), ("Containerfile", "image"), ("Containerfile", "build")]
)
def test_they_are_installed_by_their_hashes(file: str, name: str) -> None:
    text = Path(ROOT / file).read_text()
    assert f"--require-hashes --requirement requirements/{name}.txt" in " ".join(
        text.replace("\\\n", " ").split()
    )
