"""Defines what an examination finds."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    """Nothing is wrong, but an operator may not expect it."""
    WARNING = "warning"
    """Works now, and may fail later."""
    ERROR = "error"
    """Does not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was found about one part of the installation, and what to do about it."""

    part: str
    health: Health
    found: str
    advice: str | None = None
