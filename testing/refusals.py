"""Asserts on refused requests: code, message and field, and that nothing was written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from uplift.domain.errors import ErrorCode, UpliftError
from uplift.domain.ports import Store
from uplift.testing.stores import everything_in


@asynccontextmanager
async def refused(
    store: Store, code: ErrorCode, message: str | None = None, field: tuple[str, ...] | None = None
) -> AsyncIterator[pytest.ExceptionInfo[UpliftError]]:
    """Assert that the block is refused in this way, and leaves the store unchanged."""
    before = await everything_in(store)
    with pytest.raises(UpliftError) as caught:
        yield caught
    assert caught.value.code is code
    if message is not None:
        assert caught.value.message == message
    if field is not None:
        assert caught.value.field == field
    assert await everything_in(store) == before
