"""The expiry of a new API key, as a time span or a date."""

import re
from datetime import UTC, datetime, timedelta

from uplift.domain.errors import InvalidInput

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
MAX_SPAN = timedelta(days=36_500)

_SPAN = re.compile(r"(\d{1,6})([mhdw])", re.ASCII)


def span_of(span: str) -> timedelta:
    """The length of a span such as `90d`, `12h`, `30m` or `2w`. Raises InvalidInput."""
    match = _SPAN.fullmatch(span)
    length = int(match[1]) * UNITS[match[2]] if match else timedelta()
    if not timedelta() < length <= MAX_SPAN:
        raise InvalidInput(
            f"Expected expires-in to be a span like 90d, 12h, 30m or 2w, up to 100 years, but got {span!r}.",
            field=("expires_in",),
        )
    return length


def expiry_on(day: str) -> datetime:
    """The end of a day such as `2027-01-31`, in UTC. Raises InvalidInput."""
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"Expected expires-on to be a date like 2027-01-31, but got {day!r}.", field=("expires_on",)
        ) from None
