"""What time is it?"""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present time in UTC."""


def utc_now() -> datetime:
    """The present time in UTC, to the microsecond."""
    return datetime.now(UTC)
