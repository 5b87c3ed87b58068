"""What does an import file say, line by line?

A file is JSON Lines, one record a line, or CSV (`.csv`) with the same names as columns. A record has a `type`
(`process`, `version` or `instance`; an instance when CSV leaves it out), the `namespace` and `code` of its
process, and:

- process: `title`, optional;
- version: `number`, `state` (PUBLISHED unless it says DRAFT), and optionally `bpmn`, the document, or
  `bpmnFile`, its path from the folder of the file;
- instance: `id`, `version`, `status`, and `position`, a list of element ids (in CSV separated by spaces).
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import msgspec

from domain.instance import Status
from domain.process import VersionState


class ProcessRecord(msgspec.Struct, tag="process", forbid_unknown_fields=True):
    """A process to create, unless it is there."""

    namespace: str
    code: str
    title: str | None = None


class VersionRecord(msgspec.Struct, tag="version", forbid_unknown_fields=True, rename="camel"):
    """A version to take over under the number it has."""

    namespace: str
    code: str
    number: int
    state: VersionState = VersionState.PUBLISHED
    bpmn: str | None = None
    bpmn_file: str | None = None


class InstanceRecord(msgspec.Struct, tag="instance", forbid_unknown_fields=True):
    """An instance to register."""

    namespace: str
    code: str
    id: UUID
    version: int
    status: Status
    position: tuple[str, ...] = ()


Record = ProcessRecord | VersionRecord | InstanceRecord


class UnreadableLineError(Exception):
    """A line that is no record; `line` counts from 1."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


def records(file: BinaryIO, path: Path) -> Iterator[tuple[int, Record]]:
    """The records of an open file, each with the number of its line. Raises UnreadableLineError."""
    return _csv_records(file) if path.suffix.lower() == ".csv" else _json_records(file)


def _json_records(file: BinaryIO) -> Iterator[tuple[int, Record]]:
    decode: Callable[[bytes], Record] = msgspec.json.Decoder(Record).decode
    for number, line in enumerate(file, start=1):
        if line.isspace():
            continue
        try:
            yield number, decode(line)
        except msgspec.MsgspecError as error:
            raise UnreadableLineError(number, f"{error}.") from error


def _csv_records(file: BinaryIO) -> Iterator[tuple[int, Record]]:
    reader = csv.DictReader(_decoded(file), strict=True)
    try:
        for row in reader:
            yield reader.line_num, _of_row(row)
    except (csv.Error, msgspec.ValidationError) as error:
        raise UnreadableLineError(reader.line_num, f"{error}.") from error


def _of_row(row: dict[str | Any, str | Any]) -> Record:
    if None in row:
        raise msgspec.ValidationError("Expected as many cells as columns, but there are more")
    said: dict[str, Any] = {name: cell for name, cell in row.items() if cell}
    said.setdefault("type", "instance")
    if "position" in said:
        said["position"] = said["position"].split()
    record: Record = msgspec.convert(said, Record, strict=False)
    return record


def _decoded(file: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise UnreadableLineError(number, "Expected UTF-8 text.") from error
