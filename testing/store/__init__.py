"""The contract of a store: the tests that all stores of uplift pass.

To test your own store, give the tests an empty one by a fixture `store`, in `conftest.py`:

    @pytest.fixture
    async def store() -> AsyncIterator[MyStore]:
        async with MyStore.open() as store:
            yield store

and import them in a test module:

    from uplift.testing.store import *

Each test gets a new store. The tests run on asyncio, by the pytest plugin of anyio.
"""

from types import ModuleType

import pytest

from uplift.testing.store import (
    chunk_events,
    chunks,
    claims,
    control,
    events,
    following,
    histories,
    idempotency,
    instances,
    partitions,
    processes,
    pruning,
    requests,
    scopes,
    selections,
    upgrades,
    watching,
    whole_upgrades,
)


def _tests_of(*modules: ModuleType) -> dict[str, object]:
    """The tests of these modules by name. Raises ValueError if two have the same name: one would not run."""
    tests: dict[str, object] = {}
    for module in modules:
        own = {name: value for name, value in vars(module).items() if name.startswith("test_")}
        if both := tests.keys() & own.keys():
            raise ValueError(
                f"Expected each test to have a name of its own, but {sorted(both)} are used twice."
            )
        tests |= own
    return tests


_TESTS = _tests_of(
    processes,
    instances,
    selections,
    upgrades,
    chunks,
    partitions,
    claims,
    requests,
    scopes,
    idempotency,
    control,
    events,
    following,
    chunk_events,
    whole_upgrades,
    watching,
    histories,
    pruning,
)
globals().update(_TESTS)

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Uplift runs on asyncio only."""
    return "asyncio"


__all__ = ["anyio_backend", "pytestmark"]
__all__ += list(_TESTS)
