"""A user tests a store of their own by the contract that the wheel brings along."""

import sys
from pathlib import Path

from tests.packaging.distributions import Wheel, run
from tests.support.long_mode import long_only

CONFTEST = """
import pytest
from uplift.storage.memory import InMemoryStore


@pytest.fixture
def store() -> InMemoryStore:
    return InMemoryStore()
"""
TESTS = "from uplift.testing.store import *\n"
FROM_A_WHEEL = """
import sys

sys.path.insert(0, sys.argv[1])
from uplift.testing import store

print(store.__file__, sum(name.startswith("test_") for name in vars(store)))
"""


def test_the_wheel_brings_the_contract_along(wheel: Wheel, tmp_path: Path) -> None:
    place, count = run(sys.executable, "-c", FROM_A_WHEEL, wheel.file, folder=tmp_path).split()
    assert Path(place) == wheel.file / "uplift/testing/store/__init__.py"
    assert int(count) > 200


@long_only  # tests/contract runs the same tests from the tree
def test_a_store_that_keeps_the_contract_passes(testing_environment: Path, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_store.py").write_text(TESTS)
    python = testing_environment / "bin/python"
    output = run(python, "-W", "error", "-m", "pytest", "--strict-markers", "-q", folder=tmp_path)
    assert output.splitlines()[-1].split()[1] == "passed"
    assert int(output.splitlines()[-1].split()[0]) > 350
