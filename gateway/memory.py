"""Frees memory at quiet times: collects reference cycles, and returns pages to the system.

A full garbage collection stops all threads while it looks at every object. Beside a few large requests, which
have a million objects and no cycles, that takes 0.3 s, again and again. So Python's own full collections are
made rare, and this module makes them while no large request is processed.
"""

import asyncio
import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import PAGESIZE
from pathlib import Path

from uplift.domain.errors import StoreUnavailable
from uplift.storage.database import Database
from uplift.web.incidents import log_outage, report_unexpected
from uplift.web.large_requests import read_large
from uplift.web.request_memory import RequestMemory

INTERVAL = 5.0
"""Seconds between two looks."""
DUE_AFTER = 10
"""A look collects after so many collections of the second generation, Python's own default."""
MAX_POSTPONED = 12
"""Looks after which garbage is collected although large requests are processed without a pause."""
GROWTH_BYTES = 16 * 2**20
"""Free memory is returned when the program has taken so much more, or after large requests and replies."""
FULL_COLLECTION_AFTER = 1_000
"""Python's own full collections: after so many of the second generation, some 7 million new objects."""


def collect_rarely() -> None:
    """Exclude the present objects from garbage collection, and let Python make few full collections."""
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_COLLECTION_AFTER)


@contextmanager
def few_full_collections() -> Iterator[None]:
    """Let Python make few full collections in the block, which makes many objects without cycles.

    This holds for all threads and tasks of the program.
    """
    before = gc.get_threshold()
    gc.set_threshold(*before[:2], FULL_COLLECTION_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def use_one_heap() -> None:
    """Let all threads take memory from one heap. Call it before any thread is started.

    The C library of GNU has a heap for each of the first threads, eight for each core. It returns the end of
    the first one only: after large requests some 20 MiB stay in the others.
    """
    if _LIBC is not None:
        _LIBC.mallopt(_M_ARENA_MAX, 1)


_STATM = Path("/proc/self/statm")


class QuietCollection:
    """Collects garbage at quiet times, and returns free memory to the system."""

    def __init__(self, memory: RequestMemory, database: Database) -> None:
        self._memory = memory
        self._database = database
        self._large_seen = 0
        self._postponed = 0
        self._resident = resident_bytes()

    async def run_until(self, stopping: asyncio.Event, interval: float = INTERVAL) -> None:
        """Look at regular intervals until `stopping` is set."""
        while not stopping.is_set():
            try:
                async with asyncio.timeout(interval):
                    await stopping.wait()
            except TimeoutError:
                try:
                    await self.look()
                except StoreUnavailable as error:
                    log_outage(error)
                except Exception as error:  # a bug in one look must not end all later ones
                    report_unexpected(error)

    async def look(self) -> None:
        """Collect if it is due, but not beside large requests or replies, and return free memory."""
        is_quiet = not self._memory.large_now or self._postponed >= MAX_POSTPONED
        were_large = is_quiet and self._memory.large_begun != self._large_seen
        self._postponed = 0 if is_quiet else self._postponed + 1
        if were_large or (is_quiet and gc.get_count()[2] >= DUE_AFTER):
            gc.collect()
        if were_large:
            self._large_seen = self._memory.large_begun
            await self._database.release_memory()
        if were_large or resident_bytes() > self._resident + GROWTH_BYTES:
            # Not on the event loop: it takes a while, and threads may run during that.
            await read_large(return_memory)
            self._resident = resident_bytes()


def resident_bytes() -> int:
    """The memory of this program that is not swapped out; 0 where there is no /proc."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except OSError:
        return 0
    return pages * PAGESIZE


def _gnu_libc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None
    except (OSError, TypeError):  # no program that can be searched for names, as on Windows
        return None


_LIBC = _gnu_libc()
_M_ARENA_MAX = -8
"""The number of this parameter in the C library's malloc.h."""


def return_memory() -> bool:
    """Return free memory to the system; returns whether there was any.

    The C library of GNU keeps what was freed between used blocks: after a few bodies of 8 MB some 40 MiB.
    Python has no call for it, and other C libraries need none.
    """
    return _LIBC is not None and bool(_LIBC.malloc_trim(0))
