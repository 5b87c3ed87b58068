"""Reads large requests in a thread, so that the event loop can answer others in between."""

from asyncio import get_running_loop
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

INLINE_BYTES = 64 * 1024
"""A body of up to this size is read on the event loop, which takes a few milliseconds at most."""

# One thread only: all threads share the interpreter with the loop, and several would leave it little time.
_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-requests")

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


async def read_large(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Call a function in the thread for large requests, after the calls that came before."""
    return await get_running_loop().run_in_executor(_THREAD, partial(function, *args, **kwargs))
