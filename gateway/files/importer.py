"""Imports processes, versions and instances from a file into the store.

Importing a file again changes nothing, so an import that stopped half way can be repeated.
"""

from asyncio import Task, create_task
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from uplift.domain.bpmn import DocumentLimits, encode_document
from uplift.domain.concurrency import let_requests_go_first
from uplift.domain.errors import InvalidModel, ProcessExists, UpliftError
from uplift.domain.model.access import Caller
from uplift.domain.model.instance import ElementId, Instance, InstanceId, Position
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.ports import Store
from uplift.domain.rules.comparer import InProcessComparer
from uplift.domain.use_cases.instances import MAX_POSITIONS, register_instances
from uplift.domain.use_cases.versions import adopt_version, create_process
from uplift.gateway.files.records import (
    BadLineError,
    InstanceRecord,
    ProcessRecord,
    Record,
    VersionRecord,
    records,
)
from uplift.gateway.files.regular_files import open_input, open_regular

BATCH = MAX_POSITIONS
"""Instances in one transaction: a larger one could have too many positions."""
DEFAULT_LIMITS = DocumentLimits()
PROGRESS_INTERVAL = 1_000
"""Lines between two reports of progress."""
YIELD_INTERVAL = 100
"""Lines between two returns to the event loop, in which the registration of the last batch proceeds.

Reading gives way to it: the next batch is to be read while the database works, and not before.
"""


class ImportFailedError(Exception):
    """A line that cannot be imported; `line` counts from 1."""

    def __init__(self, path: Path, line: int, why: str, done: "Imported") -> None:
        super().__init__(
            f"Expected to import {path}, but line {line:,} is invalid: {why} "
            f"Imported so far: {done}. Correct the line and import the file again."
        )
        self.line = line


@dataclass(slots=True, kw_only=True)
class Imported:
    """Numbers of imported records, including those that existed already."""

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


def _counted(count: int, singular: str, plural: str) -> str:
    return f"{count:,} {singular if count == 1 else plural}"


def _bad_line(error: UpliftError, lines: Sequence[int]) -> BadLineError:
    """The line of the instance that the error names, else the first line of the batch."""
    if error.field[:1] == ("instances",) and len(error.field) > 1:
        index = int(error.field[1])
        return BadLineError(lines[index], error.message.replace(f"instances[{index}].", ""))
    return BadLineError(lines[0], error.message)


async def import_file(
    store: Store,
    path: Path,
    *,
    caller: Caller,
    document_limits: DocumentLimits = DEFAULT_LIMITS,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Import a file, or JSON Lines of standard input (`-`).

    `on_progress` receives the number of bytes read so far. Raises ImportFailedError, and OSError
    when the file cannot be read or is no regular file.
    """
    importer = _Importer(store, path.parent, caller, document_limits)
    try:
        with open_input(path) as file:
            is_seekable = file.seekable()
            try:
                for line, record in records(file, path):
                    await importer.take(line, record)
                    if line % YIELD_INTERVAL == 0:
                        await let_requests_go_first()
                    if is_seekable and line % PROGRESS_INTERVAL == 0:
                        on_progress(file.tell())
                await importer.flush()
            finally:
                # An error in the batch that is being registered is in an earlier line than a reading error.
                await importer.wait_for_registration()
            if is_seekable:
                on_progress(file.tell())
    except BadLineError as error:
        raise ImportFailedError(path, error.line, str(error), importer.done) from error
    return importer.done


@dataclass(slots=True)
class _Importer:
    """Collects a batch of instances of one process while the previous batch is registered."""

    store: Store
    folder: Path
    caller: Caller
    document_limits: DocumentLimits
    done: Imported = field(default_factory=Imported)
    _batch: list[Instance] = field(default_factory=list)
    _lines: dict[UUID, int] = field(default_factory=dict)
    _positions: dict[tuple[str, ...], Position] = field(default_factory=dict)
    _process_keys: dict[tuple[str, str], ProcessKey] = field(default_factory=dict)
    _registering: Task[None] | None = None

    async def take(self, line: int, record: Record) -> None:
        process_key = self._process_key(record)
        if isinstance(record, InstanceRecord):
            if len(self._batch) >= BATCH or (self._batch and self._batch[0].process is not process_key):
                await self._begin_to_register()
            self._take_instance(process_key, line, record)
            return
        await self.flush()
        try:
            if isinstance(record, ProcessRecord):
                await self._take_process(record)
            else:
                await self._take_version(process_key, line, record)
        except InvalidModel as error:
            place = f" ({error.place} of the document)" if error.place else ""
            raise BadLineError(line, error.message + place) from error
        except UpliftError as error:
            raise BadLineError(line, error.message) from error

    async def flush(self) -> None:
        """Register the collected instances, and wait for it."""
        await self._begin_to_register()
        await self.wait_for_registration()

    async def wait_for_registration(self) -> None:
        """Wait until the batch that is being registered is stored. Raises BadLineError."""
        registering, self._registering = self._registering, None
        if registering is not None:
            await registering

    async def _begin_to_register(self) -> None:
        """Start to register the collected instances; reading continues during that."""
        await self.wait_for_registration()
        if self._batch:
            self._registering = create_task(self._register(self._batch, tuple(self._lines.values())))
            self._batch, self._lines = [], {}

    async def _register(self, batch: Sequence[Instance], lines: Sequence[int]) -> None:
        try:
            await register_instances(
                self.store, process=batch[0].process, instances=batch, caller=self.caller
            )
        except UpliftError as error:
            raise _bad_line(error, lines) from error
        self.done.instances += len(batch)

    def _process_key(self, record: Record) -> ProcessKey:
        """The key of the record's process: one object per process, so that `is` compares millions fast."""
        names = (record.namespace, record.code)
        process_key = self._process_keys.get(names)
        if process_key is None:
            process_key = ProcessKey(namespace=record.namespace, code=record.code)
            self._process_keys[names] = process_key
        return process_key

    def _take_instance(self, process_key: ProcessKey, line: int, record: InstanceRecord) -> None:
        earlier = self._lines.setdefault(record.id, line)
        if earlier != line:
            raise BadLineError(
                line, f"Expected each instance once, but {record.id} is in line {earlier:,} already."
            )
        self._batch.append(self._instance(process_key, record))

    def _instance(self, process_key: ProcessKey, record: InstanceRecord) -> Instance:
        position = self._positions.get(record.position)
        if position is None:
            position = self._positions[record.position] = frozenset(map(ElementId, record.position))
        return Instance(
            id=InstanceId(record.id),
            process=process_key,
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

    async def _take_version(self, process_key: ProcessKey, line: int, record: VersionRecord) -> None:
        number, model = VersionNumber(record.number), self._model(line, record)
        if not await self._has(process_key, number, record, model):
            await adopt_version(
                self.store,
                process=process_key,
                number=number,
                state=record.state,
                model=model,
                process_id=record.process_id,
                caller=self.caller,
                comparer=InProcessComparer(limits=self.document_limits),
            )
        self.done.versions += 1

    async def _has(
        self, process_key: ProcessKey, number: VersionNumber, record: VersionRecord, document: bytes | None
    ) -> bool:
        """Whether the version exists already. Adopting a draft again would make it look newer."""
        versions = (await self.store.processes.versions([process_key])).get(process_key, ())
        if not any(version.number == number and version.state is record.state for version in versions):
            return False
        stored = await self.store.processes.model(process_key, number)
        if stored is None or document is None:
            return stored is None and document is None and record.process_id is None
        return stored.document == document and record.process_id in (None, stored.process_id)

    def _model(self, line: int, record: VersionRecord) -> bytes | None:
        name = record.bpmn_file
        if name is None:
            return None if record.bpmn is None else encode_document(record.bpmn)
        if record.bpmn is not None:
            raise BadLineError(line, "Expected either bpmn or bpmnFile, but got both.")
        try:
            document = (self.folder / name).resolve()
            if not document.is_relative_to(self.folder.resolve()):
                raise BadLineError(
                    line, f"Expected bpmnFile to stay in the folder of the imported file, but got {name!r}."
                )
            with open_regular(document) as opened:
                return opened.read(self.document_limits.max_bytes + 1)
        except (OSError, ValueError) as error:
            # Of a name with a null character each version of Python says something else.
            why = error.strerror or error if isinstance(error, OSError) else "no file can have this name"
            raise BadLineError(line, f"Expected to read bpmnFile {name!r}, but: {why}.") from error
