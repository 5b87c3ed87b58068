"""Which of several things happens first?"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Result = TypeVar("Result")


async def first_of(wanted: Awaitable[Result], *others: Awaitable[object]) -> Result | None:
    """What `wanted` comes to, or None when one of the others has ended before.

    What has not ended is cancelled. Raises what `wanted` raises.
    """
    waiting = asyncio.ensure_future(wanted)
    tasks = {waiting, *map(asyncio.ensure_future, others)}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
