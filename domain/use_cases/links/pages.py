"""Reads the lists of an engine page by page."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from uplift.domain.ports.process_engine import EngineCursor, EngineFault, EngineFaultKind, EnginePage

Item = TypeVar("Item")


async def pages_of(
    read: Callable[[EngineCursor | None], Awaitable[EnginePage[Item]]],
) -> AsyncIterator[tuple[Item, ...]]:
    """Yield the items of each page of a list. Raises EngineFault if a page leads to itself or comes twice.

    An engine that ignores where a page begins would answer for ever with the first one.
    """
    after: EngineCursor | None = None
    before: tuple[Item, ...] = ()
    while True:
        page = await read(after)
        if page.items and page.items == before:
            raise EngineFault(
                EngineFaultKind.FAILED, "Expected each page of a list to be another one, but one comes twice."
            )
        yield page.items
        if page.next is None:
            return
        if page.next == after:
            raise EngineFault(
                EngineFaultKind.FAILED, "Expected each page of a list to lead on, but one leads to itself."
            )
        after, before = page.next, page.items


async def ahead(items: AsyncIterator[Item]) -> AsyncIterator[Item]:
    """Yield the items while the next one is fetched, so that the engine and the store work side by side."""

    async def fetch() -> tuple[Item, ...]:
        async for item in items:
            return (item,)
        return ()

    following = asyncio.create_task(fetch())
    try:
        while fetched := await following:
            following = asyncio.create_task(fetch())
            yield fetched[0]
    finally:
        following.cancel()
        await asyncio.wait({following})
        if not following.cancelled():
            following.exception()  # marks the error as seen: it is raised already, or the caller has another
