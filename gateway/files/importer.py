"""How do the records of a file get into the store?

Importing the same file again changes nothing, so an import that stopped half way is simply repeated.
"""

from asyncio import Task, create_task, sleep
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from uplift.domain.errors import ProcessExists, UpliftError
from uplift.domain.model.access import Caller
from uplift.domain.model.instance import ElementId, Instance, InstanceId, Position
from uplift.domain.model.process import ProcessKey, VersionNumber, VersionState
from uplift.domain.ports import Store
from uplift.domain.use_cases.instances import register_instances
from uplift.domain.use_cases.versions import MAX_MODEL_BYTES, adopt_version, create_process
from uplift.gateway.files.records import (
    BadLineError,
    InstanceRecord,
    ProcessRecord,
    Record,
    VersionRecord,
    records,
)

BATCH = 20_000
"""Instances a transaction."""
PROGRESS_EVERY = 1_000
"""Lines between two signs of progress."""
TURN_EVERY = 200
"""Lines that are read at a stretch, before whoever waits for the database has a turn."""


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
    """How many records were taken over, those included that were there already."""

    processes: int = 0
    versions: int = 0
    instances: int = 0

    def __str__(self) -> str:
        return ", ".join(
            (
                _counted(self.processes, "process", "processes"),
                _counted(self.versions, "version", "versions"),
                _counted(self.instances, "instance", "instances"),
            )
        )


def _counted(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def _at_fault(error: UpliftError, lines: Sequence[int]) -> BadLineError:
    """The line of the instance that a refusal names, or else the first of the batch."""
    if error.field[:1] == ("instances",) and len(error.field) > 1:
        index = int(error.field[1])
        return BadLineError(lines[index], error.message.replace(f"instances[{index}].", ""))
    return BadLineError(lines[0], error.message)


async def import_file(
    store: Store, path: Path, *, caller: Caller, on_progress: Callable[[int], None] = lambda _: None
) -> Imported:
    """Take over what a file says. `on_progress` gets the number of bytes read so far.

    Raises ImportFailedError, and OSError when the file cannot be read.
    """
    importing = _Importing(store, path.parent, caller)
    try:
        with path.open("rb") as file:
            try:
                for line, record in records(file, path):
                    await importing.take(line, record)
                    if line % TURN_EVERY == 0:
                        await sleep(0)
                    if line % PROGRESS_EVERY == 0:
                        on_progress(file.tell())
                await importing.flush()
            finally:
                # A fault of what is being registered lies before any that stopped the reading.
                await importing.registered()
            on_progress(file.tell())
    except BadLineError as error:
        raise ImportFailedError(path, error.line, str(error), importing.done) from error
    return importing.done


@dataclass(slots=True)
class _Importing:
    """Collects instances of one process until they are worth a transaction; meanwhile registers the last."""

    store: Store
    folder: Path
    caller: Caller
    done: Imported = field(default_factory=Imported)
    _batch: list[Instance] = field(default_factory=list)
    _lines: dict[UUID, int] = field(default_factory=dict)
    _positions: dict[tuple[str, ...], Position] = field(default_factory=dict)
    _keys: dict[tuple[str, str], ProcessKey] = field(default_factory=dict)
    _registering: Task[None] | None = None

    async def take(self, line: int, record: Record) -> None:
        key = self._key(record)
        if isinstance(record, InstanceRecord):
            if len(self._batch) >= BATCH or (self._batch and self._batch[0].process is not key):
                await self._begin_to_register()
            self._take_instance(key, line, record)
            return
        await self.flush()
        try:
            if isinstance(record, ProcessRecord):
                await self._take_process(record)
            else:
                await self._take_version(key, line, record)
        except UpliftError as error:
            raise BadLineError(line, error.message) from error

    async def flush(self) -> None:
        """Register the instances collected so far."""
        await self._begin_to_register()
        await self.registered()

    async def registered(self) -> None:
        """Wait for the instances that are being registered. Raises BadLineError."""
        registering, self._registering = self._registering, None
        if registering is not None:
            await registering

    async def _begin_to_register(self) -> None:
        """Register the instances collected so far, while more are read."""
        await self.registered()
        if self._batch:
            self._registering = create_task(self._register(self._batch, tuple(self._lines.values())))
            self._batch, self._lines = [], {}

    async def _register(self, batch: Sequence[Instance], lines: Sequence[int]) -> None:
        try:
            await register_instances(
                self.store, process=batch[0].process, instances=batch, caller=self.caller
            )
        except UpliftError as error:
            raise _at_fault(error, lines) from error
        self.done.instances += len(batch)

    def _key(self, record: Record) -> ProcessKey:
        """The same object for the same process: instances by the million are compared by it."""
        named = (record.namespace, record.code)
        key = self._keys.get(named)
        if key is None:
            key = self._keys[named] = ProcessKey(namespace=record.namespace, code=record.code)
        return key

    def _take_instance(self, key: ProcessKey, line: int, record: InstanceRecord) -> None:
        earlier = self._lines.setdefault(record.id, line)
        if earlier != line:
            raise BadLineError(
                line, f"Expected each instance once, but {record.id} is in line {earlier:,} already."
            )
        self._batch.append(self._instance(key, record))

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
        with suppress(ProcessExists):
            await create_process(
                self.store,
                namespace=record.namespace,
                code=record.code,
                title=record.title,
                caller=self.caller,
            )
        self.done.processes += 1

    async def _take_version(self, key: ProcessKey, line: int, record: VersionRecord) -> None:
        number, model = VersionNumber(record.number), self._model(line, record)
        if not await self._has(key, number, record.state, model):
            await adopt_version(
                self.store, process=key, number=number, state=record.state, model=model, caller=self.caller
            )
        self.done.versions += 1

    async def _has(
        self, key: ProcessKey, number: VersionNumber, state: VersionState, model: bytes | None
    ) -> bool:
        """Whether the version is there already: adopted again, a draft would seem to be a newer one."""
        known = (await self.store.versions([key])).get(key, ())
        if not any(version.number == number and version.state is state for version in known):
            return False
        return await self.store.model(key, number) == model

    def _model(self, line: int, record: VersionRecord) -> bytes | None:
        name = record.bpmn_file
        if name is None:
            return None if record.bpmn is None else record.bpmn.encode()
        if record.bpmn is not None:
            raise BadLineError(line, "Expected either bpmn or bpmnFile, but got both.")
        try:
            document = (self.folder / name).resolve()
            if not document.is_relative_to(self.folder.resolve()):
                raise BadLineError(
                    line, f"Expected bpmnFile to stay in the folder of the imported file, but got {name!r}."
                )
            with document.open("rb") as opened:
                return opened.read(MAX_MODEL_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: no file has such a name
            why = (isinstance(error, OSError) and error.strerror) or error
            raise BadLineError(line, f"Expected to read bpmnFile {name!r}, but: {why}.") from error
