"""Waits for what the tests of the REST path expect."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from uplift.domain import Upgrade
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import Store

Answer = TypeVar("Answer")

CHUNK = 2
"""The instances in a chunk of `a_worker`."""


async def soon(answer: Callable[[], Awaitable[Answer | None]]) -> Answer:
    """The first answer that is not None."""
    async with asyncio.timeout(10):
        while True:
            found = await answer()
            if found is not None:
                return found
            await asyncio.sleep(0.005)


async def until_idle(tasks: set[asyncio.Task[Any]]) -> None:
    """Waits until only these tasks run."""

    async def all_others_are_gone() -> bool | None:
        return not asyncio.all_tasks() - tasks or None

    await soon(all_others_are_gone)


async def the_upgrade(store: Store) -> Upgrade | None:
    """The only upgrade, or None."""
    upgrades = (await store.upgrades.page(None, PageRequest(first=2))).items
    assert len(upgrades) < 2
    return upgrades[0] if upgrades else None
