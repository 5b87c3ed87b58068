"""Reads files of instance ids, one id per line."""

import sys
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from uplift.domain.errors import InvalidInput
from uplift.web.uuids import read_uuid

STANDARD_INPUT = Path("-")


def read_ids(file: Path) -> list[UUID]:
    """The ids in a file; `-` is standard input. Skips empty lines. Raises InvalidInput, OSError."""
    if file == STANDARD_INPUT:
        return _read_lines(sys.stdin.buffer, "standard input")
    with file.open("rb") as lines:
        return _read_lines(lines, str(file))


def _read_lines(lines: Iterable[bytes], name: str) -> list[UUID]:
    ids = []
    for number, line in enumerate(lines, start=1):
        if text := line.decode("utf-8-sig", "replace").strip():
            try:
                ids.append(read_uuid(text))
            except ValueError as error:
                raise InvalidInput(
                    f"Expected line {number} of {name} to be an id, but got {text[:100]!r}."
                ) from error
    return ids
