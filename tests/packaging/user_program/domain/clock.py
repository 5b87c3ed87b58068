"""A module that uplift.domain has under the same name."""

from datetime import UTC, datetime


def opening_hour() -> datetime:
    return datetime(2026, 5, 4, 9, tzinfo=UTC)
