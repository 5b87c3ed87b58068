"""Provides the present time in UTC."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present time in UTC; tests pass clocks of their own."""


def utc_now() -> datetime:
    """The present time in UTC, to the microsecond."""
    return datetime.now(UTC)
