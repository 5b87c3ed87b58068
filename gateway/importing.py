"""Imports much at once, without looking for garbage in it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep what the block imports out of garbage collection.

    What a program imports lives as long as it does. Looking for garbage in it takes a third of the start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
