"""Builds each distribution once, and installs the wheel once, for all tests of packaging.

One process runs all files of this folder: see `FileScheduling` in tests/conftest.py.
"""

import os
import venv
from pathlib import Path

import pytest

from tests.packaging.distributions import Wheel, build, install, site_packages, unpack
from tests.support.project import ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    """The wheel built from the tree."""
    return Wheel.of(build("wheel", ROOT, tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist built from the tree."""
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def unpacked_sdist(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an unpacked sdist."""
    return unpack(sdist, tmp_path_factory.mktemp("unpacked"))


@pytest.fixture(scope="session")
def environment(wheel: Wheel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and what it requires, and nothing else."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home)
    install(str(wheel.file), into=home)
    return home


@pytest.fixture(scope="session")
def testing_environment(wheel: Wheel, environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that has the extra `testing` besides what `environment` has."""
    home = tmp_path_factory.mktemp("testing_environment")
    venv.create(home)
    # pip counts packages on a path file as installed, so that only those of the extra are installed again.
    (site_packages(home) / "environment.pth").write_text(str(site_packages(environment)))
    install(f"{wheel.file}[testing]", into=home)
    return home


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs started by a test read no settings of the tester."""
    for name in os.environ:
        if name.startswith("UPLIFT_"):
            monkeypatch.delenv(name)
