"""Runs awaitables until the first of them ends, ends tasks, and divides long work between requests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from typing import Any, TypeVar

Result = TypeVar("Result")
Item = TypeVar("Item")

PIECE = 1_000
"""Items in one piece: a simple step for each of them takes about a millisecond."""
MAX_DELAY = 0.05
"""Seconds after which `let_requests_go_first` begins no further pass of the event loop."""


async def pieces(items: Sequence[Item], size: int = PIECE) -> AsyncIterator[tuple[int, Sequence[Item]]]:
    """The items in pieces of this size, each with the index of its first item.

    Between two pieces the event loop can serve others.
    """
    if len(items) <= size:
        yield 0, items
        return
    for start in range(0, len(items), size):
        yield start, items[start : start + size]
        await asyncio.sleep(0)


async def let_requests_go_first() -> None:
    """Let the event loop read what has arrived and answer it, before the caller continues its work.

    The first pass of the loop reads, the later ones run the tasks that this begins. It takes at most three
    passes, and begins none after MAX_DELAY, because the caller may hold locks of the database. A pass that
    has begun is not interrupted.
    """
    loop = asyncio.get_running_loop()
    last_begin = loop.time() + MAX_DELAY
    for _ in range(3):
        await asyncio.sleep(0)
        if loop.time() > last_begin:
            return


async def first_of(main: Awaitable[Result], *others: Awaitable[object]) -> Result | None:
    """Return the result of `main`, or None if one of the others ends before it.

    Cancels the awaitables that have not ended, and waits for their end. Raises what `main` raises.
    """
    main_task = asyncio.ensure_future(main)
    tasks = {main_task, *map(asyncio.ensure_future, others)}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return main_task.result() if main_task.done() else None
    finally:
        await end_all(tasks)


async def end_all(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Cancel tasks, and wait until all have cleaned up, even if the caller is cancelled again.

    gather would do that too, but it raises a task's cancellation in place of the caller's own, and anyio
    takes that for one from elsewhere.
    """
    for task in tasks:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while not all(task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()  # marks the error of a loser as seen
    if cancelled is not None:
        raise cancelled
