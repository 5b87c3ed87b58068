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

import pytest

from uplift.testing.collected import tests_of
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
    linked_upgrades,
    links,
    orders,
    partitions,
    process_states,
    processes,
    pruning,
    requests,
    scopes,
    selections,
    unfinished,
    upgrades,
    watching,
    whole_upgrades,
)

_TESTS = tests_of(
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
    links,
    linked_upgrades,
    orders,
    watching,
    unfinished,
    process_states,
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
