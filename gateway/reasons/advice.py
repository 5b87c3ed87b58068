"""Defines what is said of a code."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a code means, and what to do about it: sentences, with names in backticks."""

    means: str
    do: str
