"""When does a key expire that an operator creates?"""

import re
from datetime import UTC, datetime, timedelta

from uplift.domain.errors import InvalidInput

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
LONGEST = timedelta(days=36_500)

_SPAN = re.compile(r"(\d{1,6})([mhdw])", re.ASCII)


def expiry_in(span: str, now: datetime) -> datetime:
    """The time after a span like `90d`, `12h`, `30m` or `2w`. Raises InvalidInput."""
    found = _SPAN.fullmatch(span)
    length = int(found[1]) * UNITS[found[2]] if found else timedelta()
    if not timedelta() < length <= LONGEST:
        raise InvalidInput(
            f"Expected expires-in to be a span like 90d, 12h, 30m or 2w, up to 100 years, but got {span!r}.",
            field=("expires_in",),
        )
    return now + length


def expiry_on(day: str) -> datetime:
    """The end of a day like `2027-01-31`, in UTC. Raises InvalidInput."""
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"Expected expires-on to be a date like 2027-01-31, but got {day!r}.", field=("expires_on",)
        ) from None
