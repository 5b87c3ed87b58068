"""Reads files of instance ids, one id per line."""

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from uplift.domain.errors import InvalidInput
from uplift.gateway.files.regular_files import STANDARD_INPUT, open_input
from uplift.web.uuids import read_uuid


def read_ids(file: Path) -> list[UUID]:
    """The ids in a file; `-` is standard input. Skips empty lines. Raises InvalidInput, OSError."""
    name = "standard input" if file == STANDARD_INPUT else str(file)
    with open_input(file) as lines:
        return _read_lines(lines, name)


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
