"""Configures all tests: anyio runs on asyncio, hypothesis is derandomized, xdist distributes whole files."""

import gc
import sys
from collections.abc import AsyncIterator

import pytest
from hypothesis import Phase, given, settings
from hypothesis.strategies import none
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.support.at_the_end import AT_THE_END
from tests.support.long_mode import IS_LONG
from tests.support.stores import Stores

FAULTS = "tests/faults/"
TOGETHER = (FAULTS, "tests/packaging/", "tests/engines/", "tests/browser/console/")
"""Each of these folders runs in one process: faults would starve each other, the others share a program."""

# jsonschema takes a second to import the syntax of a format that no schema here has, "iri".
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
gc.disable()  # until all tests are collected: imported modules and collected tests are no garbage
settings.register_profile("uplift", derandomize=True, max_examples=30, deadline=None)
# Mutation testing only asks whether a law fails, so hypothesis does not shrink the failing example.
settings.register_profile("mutants", settings.get_profile("uplift"), phases=(Phase.explicit, Phase.generate))
settings.load_profile("uplift")


@given(none())
def register_random_numbers(_: None) -> None:
    """Let hypothesis register its generator: once frozen, it would look as if nothing referred to it."""


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Sends all tests of a file to one process, and all files of some folders to the same process."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    config.option.loadscopereorder = False  # xdist would start with the files that have the most tests
    return FileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest first: the folders that one process runs, so that none of them is left to the end."""
    items.sort(key=lambda item: (not item.nodeid.startswith(FAULTS), not item.nodeid.startswith(TOGETHER)))


def pytest_collection_finish() -> None:
    register_random_numbers()
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    AT_THE_END.close()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def is_long() -> bool:
    """Whether to run the long mode: UPLIFT_FAULTS=long."""
    return IS_LONG


@pytest.fixture(scope="session")
async def stores(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stores]:
    """Empty stores of each kind. The session keeps their connections, and the event loop they belong to."""
    stores = Stores(tmp_path_factory.mktemp("stores"))
    yield stores
    await stores.close()
