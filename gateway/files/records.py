"""Reads the records of an import file.

A file is JSON Lines, one record per line, or CSV (`.csv`) with the same names as columns. A record has a
`type` (`process`, `version` or `instance`; a CSV row without a type is an instance), the `namespace` and
`code` of its process, and:

- process: `title`, optional;
- version: `number`, `state` (PUBLISHED unless it says DRAFT), and optionally `bpmn`, the document, or
  `bpmnFile`, its path relative to the file, and `processId`, the id of the process in the document;
- instance: `id`, `version`, `status`, and `position`, a list of element ids (in CSV separated by spaces).

Text is UTF-8, with or without a byte order mark. Empty lines are skipped.
"""

import csv
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import msgspec

from uplift.domain.model.instance import Status
from uplift.domain.model.process import VersionState
from uplift.web.uuids import read_uuid


class ProcessRecord(msgspec.Struct, tag="process", forbid_unknown_fields=True):
    """A process to create, unless it exists."""

    namespace: str
    code: str
    title: str | None = None


class VersionRecord(msgspec.Struct, tag="version", forbid_unknown_fields=True, rename="camel"):
    """A version to adopt under its number."""

    namespace: str
    code: str
    number: int
    state: VersionState = VersionState.PUBLISHED
    bpmn: str | None = None
    bpmn_file: str | None = None
    process_id: str | None = None


class InstanceRecord(msgspec.Struct, tag="instance", forbid_unknown_fields=True):
    """An instance to register."""

    namespace: str
    code: str
    id: UUID
    version: int
    status: Status
    position: tuple[str, ...] = ()


Record = ProcessRecord | VersionRecord | InstanceRecord

_decode_record: Callable[[bytes], Record] = msgspec.json.Decoder(Record).decode

KINDS: dict[str, Any] = {"process": ProcessRecord, "version": VersionRecord, "instance": InstanceRecord}
MAX_LINE_BYTES = 32 * 1024 * 1024
"""Enough for the largest document, however it is escaped."""
COLUMNS = (
    "type",
    *dict.fromkeys(
        field.encode_name
        for kind in (ProcessRecord, VersionRecord, InstanceRecord)
        for field in msgspec.structs.fields(kind)
    ),
)
"""The columns that a CSV file may have."""


class BadLineError(Exception):
    """A line that cannot be imported; `line` counts from 1."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


def records(file: BinaryIO, path: Path) -> Iterator[tuple[int, Record]]:
    """The records of an open file, each with its line number. Raises BadLineError."""
    return _csv_records(file) if path.suffix.lower() == ".csv" else _json_records(file)


def _json_records(file: BinaryIO) -> Iterator[tuple[int, Record]]:
    for number, line in _lines(file):
        if not line or line.isspace():
            continue
        try:
            yield number, _decoded(line)
        except msgspec.MsgspecError as error:
            _text_of(number, line)
            raise BadLineError(number, f"{error}.") from error


def _csv_records(file: BinaryIO) -> Iterator[tuple[int, Record]]:
    csv.field_size_limit(MAX_LINE_BYTES)
    rows = csv.reader((_text_of(number, line) for number, line in _lines(file)), strict=True)
    columns: list[str] = []
    try:
        for cells in filter(None, rows):
            if columns:
                yield rows.line_num, _record_of_row(columns, cells)
            else:
                columns = _checked_columns(cells)
    except (csv.Error, msgspec.ValidationError) as error:
        raise BadLineError(rows.line_num, f"{error}.") from error


def _checked_columns(columns: list[str]) -> list[str]:
    for column, count in Counter(columns).items():
        if column not in COLUMNS:
            raise msgspec.ValidationError(
                f"Expected columns named {', '.join(COLUMNS)}, but found {column[:100]!r}"
            )
        if count > 1:
            raise msgspec.ValidationError(f"Expected each column once, but found {column!r} twice")
    return columns


def _record_of_row(columns: Sequence[str], cells: Sequence[str]) -> Record:
    if len(cells) != len(columns):
        raise msgspec.ValidationError(
            f"Expected {len(columns)} cells, one per column, but found {len(cells)}"
        )
    fields: dict[str, Any] = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
    fields.setdefault("type", "instance")
    if "position" in fields:
        fields["position"] = fields["position"].split()
    # Converting to the union of all three kinds takes twice as long as converting to the right one.
    kind = KINDS.get(fields["type"], Record)
    record: Record
    try:
        record = msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError:
        record = msgspec.convert(_with_canonical_id(fields), kind, strict=False)
    return record


def _decoded(line: bytes) -> Record:
    try:
        return _decode_record(line)
    except msgspec.ValidationError:
        record: Record = msgspec.convert(_with_canonical_id(msgspec.json.decode(line)), Record)
        return record


def _with_canonical_id(fields: Any) -> Any:
    """Rewrites an id in a spelling that msgspec does not know; a bad id stays as it is."""
    if isinstance(fields, dict) and isinstance(fields.get("id"), str):
        with suppress(ValueError):
            return {**fields, "id": str(read_uuid(fields["id"]))}
    return fields


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise BadLineError(number, f"Expected at most {MAX_LINE_BYTES:,} bytes, but the line is longer.")
        yield number, line.removeprefix(BOM_UTF8) if number == 1 else line


def _text_of(number: int, line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise BadLineError(number, "Expected UTF-8 text, but the line is in another encoding.") from error
