"""Gives programs a clock that differs from this machine's, by libfaketime."""

from pathlib import Path

import pytest

LIBRARIES = "*/faketime/libfaketimeMT.so.1"
"""Where Debian has the library for programs with threads, below /usr/lib."""


def clock_ahead(seconds: int) -> dict[str, str]:
    """The environment of a program whose clock is ahead, or behind if negative. Skips the test without it.

    Timers that measure how long something takes stay right.
    """
    library = next(Path("/usr/lib").glob(LIBRARIES), None)
    if library is None:
        pytest.skip("there is no libfaketime: apt-get install faketime")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{seconds:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
