"""Runs several awaitables until the first of them ends."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Result = TypeVar("Result")


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
        for task in tasks:
            task.cancel()
        # Wait until cancelled tasks have cleaned up, and ignore the errors of the losers.
        await asyncio.gather(*tasks, return_exceptions=True)
