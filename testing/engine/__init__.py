"""The contract of an adapter to a workflow engine: the tests that all adapters of uplift pass.

To test your own adapter, give the tests a harness, in `conftest.py`:

    @pytest.fixture
    async def harness() -> AsyncIterator[MyHarness]:
        async with MyHarness.open() as harness:
            yield harness

and import them in a test module:

    from uplift.testing.engine import *

`EngineHarness` in `uplift.testing.engine.harness` says what a harness has. The tests run on asyncio, by the
pytest plugin of anyio. `FakeEngine` in `uplift.testing.engine.fake` is an engine in memory with switchable
faults.
"""

import pytest

from uplift.testing.collected import tests_of
from uplift.testing.engine import lists, moving

_TESTS = tests_of(lists, moving)
globals().update(_TESTS)

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Uplift runs on asyncio only."""
    return "asyncio"


__all__ = ["anyio_backend", "pytestmark"]
__all__ += list(_TESTS)
