"""How all tests run: async ones on asyncio, hypothesis the same way each time, files side by side."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import Phase, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.support.postgres import AT_THE_END
from tests.support.stores import Stores

FAULTS = "tests/faults/"
TOGETHER = (FAULTS, "tests/packaging/")
"""Folders that one process runs: faults would starve each other, and tests of packaging share a wheel."""

settings.register_profile("uplift", derandomize=True, max_examples=30, deadline=None)
# What breaks a law need not be made small where all that counts is whether it is broken.
settings.register_profile("mutants", settings.get_profile("uplift"), phases=(Phase.explicit, Phase.generate))
settings.load_profile("uplift")


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each file to one process, and the files of some folders to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    config.option.loadscopereorder = False  # or those with many tests came first, and not the long ones
    return FileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first."""
    items.sort(key=lambda item: not item.nodeid.startswith(FAULTS))


def pytest_unconfigure() -> None:
    AT_THE_END.close()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def stores(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stores]:
    """Empty stores of each kind. Their connections stay open, and so does the event loop of all tests."""
    several = Stores(tmp_path_factory.mktemp("stores"))
    yield several
    await several.close()
