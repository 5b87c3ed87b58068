"""How do the records of a file get into the store?

Importing the same file again changes nothing, so an import that stopped half way is simply repeated.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from domain.access import Caller
from domain.errors import ProcessExists, UpliftError
from domain.instance import ElementId, Instance, InstanceId, Position
from domain.ports import Store
from domain.process import ProcessKey, VersionNumber
from domain.publishing import adopt_version, create_process
from domain.reporting import register_instances
from gateway.records import InstanceRecord, ProcessRecord, Record, UnreadableLineError, VersionRecord, records

BATCH = 20_000
"""Instances a transaction."""
PROGRESS_EVERY = 1_000
"""Lines between two signs of progress."""


class ImportFailedError(Exception):
    """A line that cannot be imported; `line` counts from 1."""

    def __init__(self, path: Path, line: int, why: str, done: "Imported") -> None:
        super().__init__(
            f"Expected to import {path}, but line {line:,} stands in the way: {why} "
            f"Imported so far: {done}. Mend the line and import the file again."
        )
        self.line = line


@dataclass(slots=True, kw_only=True)
class Imported:
    """How many records were taken over."""

    processes: int = 0
    versions: int = 0
    instances: int = 0

    def __str__(self) -> str:
        return f"{self.processes:,} processes, {self.versions:,} versions, {self.instances:,} instances"


async def import_file(
    store: Store, path: Path, *, caller: Caller, on_progress: Callable[[int], None] = lambda _: None
) -> Imported:
    """Take over what a file says. `on_progress` gets the number of bytes read so far.

    Raises ImportFailedError, and OSError when the file cannot be read.
    """
    importing = _Importing(store, path.parent, caller)
    line = 0
    try:
        with path.open("rb") as file:
            for line, record in records(file, path):
                await importing.take(line, record)
                if line % PROGRESS_EVERY == 0:
                    on_progress(file.tell())
            await importing.flush()
            on_progress(file.tell())
    except UnreadableLineError as error:
        raise ImportFailedError(path, error.line, str(error), importing.done) from error
    except UpliftError as error:
        raise ImportFailedError(
            path, importing.line_of(error, line), error.message, importing.done
        ) from error
    return importing.done


@dataclass(slots=True)
class _Importing:
    """Collects instances of one process until they are worth a transaction."""

    store: Store
    folder: Path
    caller: Caller
    done: Imported = field(default_factory=Imported)
    _batch: list[Instance] = field(default_factory=list)
    _lines: list[int] = field(default_factory=list)
    _positions: dict[tuple[str, ...], Position] = field(default_factory=dict)

    async def take(self, line: int, record: Record) -> None:
        key = ProcessKey(namespace=record.namespace, code=record.code)
        if isinstance(record, InstanceRecord):
            if len(self._batch) >= BATCH or (self._batch and self._batch[0].process != key):
                await self.flush()
            self._batch.append(self._instance(key, record))
            self._lines.append(line)
            return
        await self.flush()
        if isinstance(record, ProcessRecord):
            await self._take_process(record)
        else:
            await self._take_version(key, record)

    async def flush(self) -> None:
        """Register the instances collected so far."""
        if self._batch:
            await register_instances(
                self.store, process=self._batch[0].process, instances=self._batch, caller=self.caller
            )
            self.done.instances += len(self._batch)
            self._batch.clear()
            self._lines.clear()

    def line_of(self, error: UpliftError, last: int) -> int:
        """The line at fault: that of the instance which the error names, or else the last one read."""
        named = error.field[1] if len(error.field) > 1 and error.field[0] == "instances" else ""
        return self._lines[int(named)] if named.isdecimal() else last

    def _instance(self, key: ProcessKey, record: InstanceRecord) -> Instance:
        position = self._positions.get(record.position)
        if position is None:
            position = self._positions[record.position] = frozenset(map(ElementId, record.position))
        return Instance(
            id=InstanceId(record.id),
            process=key,
            version=VersionNumber(record.version),
            status=record.status,
            position=position,
        )

    async def _take_process(self, record: ProcessRecord) -> None:
        try:
            await create_process(
                self.store,
                namespace=record.namespace,
                code=record.code,
                title=record.title,
                caller=self.caller,
            )
        except ProcessExists:
            return
        self.done.processes += 1

    async def _take_version(self, key: ProcessKey, record: VersionRecord) -> None:
        await adopt_version(
            self.store,
            process=key,
            number=VersionNumber(record.number),
            state=record.state,
            model=self._model(record),
            caller=self.caller,
        )
        self.done.versions += 1

    def _model(self, record: VersionRecord) -> bytes | None:
        if record.bpmn_file is not None:
            return (self.folder / record.bpmn_file).read_bytes()
        return None if record.bpmn is None else record.bpmn.encode()
