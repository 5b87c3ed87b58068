"""Provides a comparer that works in a process of its own, and kills it when a job takes too long."""

import asyncio
import pickle
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Collection, Hashable
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from uplift.domain.bounded_cache import BoundedCache
from uplift.domain.bpmn import DocumentLimits
from uplift.domain.compatibility import MigratedPosition
from uplift.domain.errors import InvalidModel, StoreUnavailable
from uplift.domain.model.instance import ElementId, Position
from uplift.domain.model.process import VersionModel
from uplift.domain.rules.comparer import (
    Differences,
    InProcessComparer,
    Instructions,
    ListedElement,
    Migration,
    ModelKey,
    Targets,
    model_key,
)
from uplift.domain.rules.move_plan import MoveInstructions
from uplift.gateway.comparing.child import (
    LENGTH_BYTES,
    ChooseProcess,
    Compare,
    FindMoveInstructions,
    FindTargets,
    FoundTargets,
    Job,
    ListElements,
    Migrate,
    OutOfMemoryError,
)
from uplift.gateway.comparing.turns import TooManyWaitError, Turns

AnswerType = TypeVar("AnswerType")
_Versions = tuple[ModelKey, ModelKey]

_ENDED = object()
"""In place of an answer: the process ended."""
_FEW_INSTRUCTIONS = 500
"""As many instructions take some ten milliseconds, however small the documents are."""
_LARGE_ANSWER = 256 * 1024
"""Answers of at least this many bytes are decoded in a thread; decoding a small one takes a millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLimits:
    """What the process may use, and what it is used for."""

    memory_bytes: int = 256 * 2**20
    job_seconds: float = 30.0
    idle_seconds: float = 20.0
    """The process ends after this time without a job, which gives its memory back."""
    max_waiting: int = 32
    """Jobs that wait for the process; further ones are refused. Half of them may be of one caller."""
    waiting_bytes: int = 64 * 2**20
    """Bytes of the documents of jobs that wait, of which one caller may have half too."""
    inline_bytes: int = 16 * 1024
    """Documents up to this size together are compared in the event loop, which takes some 50 ms at most."""
    cached_bytes: int = 16 * 2**20
    """About how much memory the cached results take."""


class ProcessComparer:
    """Compares small documents in the event loop, and others in one process, one job after the other.

    One process is enough: two would take the cores from the server that answers everybody else. Callers, whom
    `caller` names, take turns at it. Results without instructions are cached, so that an upgrade of a few
    instances does not wait for the process.
    Implements uplift.domain.rules.comparer.Comparer.
    """

    def __init__(
        self,
        documents: DocumentLimits,
        limits: ProcessLimits | None = None,
        caller: Callable[[], Hashable] = lambda: None,
    ) -> None:
        self._documents = documents
        self._limits = limits or ProcessLimits()
        self._inline = InProcessComparer(limits=documents)
        self._mappings = BoundedCache[_Versions, dict[str, str]](self._limits.cached_bytes // 2)
        self._positions = BoundedCache[tuple[_Versions, Position], MigratedPosition](
            self._limits.cached_bytes // 2
        )
        self._closing = False
        self._process: Process | None = None
        self._ending: set[asyncio.Task[int]] = set()
        self._turns = Turns(max_waiting=self._limits.max_waiting, max_bytes=self._limits.waiting_bytes)
        self._caller = caller
        self._end_of_idling: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """End the process, and the job that it works on."""
        self._closing = True
        self._kill()
        with suppress(TooManyWaitError):
            async with self._turns.turn(self, 0):
                self._stop_idling()
                self._kill()
        await asyncio.gather(*self._ending)

    async def choose_process(
        self, document: bytes, *, process_id: str | None, preferred_id: str | None
    ) -> str:
        if len(document) > self._documents.max_bytes or self._is_small(document):
            return await self._inline.choose_process(
                document, process_id=process_id, preferred_id=preferred_id
            )
        job = ChooseProcess(document=document, process_id=process_id, preferred_id=preferred_id)
        return await self._run(job, str)

    def migration_at_hand(
        self,
        source: VersionModel,
        target: VersionModel,
        instructions: Instructions,
        positions: Collection[Position],
    ) -> Migration | None:
        if self._is_quick(source, target, instructions):
            return self._inline.migration_at_hand(source, target, instructions, positions)
        return None if instructions else self._cached(_key(source, target), positions)

    async def migrate(
        self,
        source: VersionModel,
        target: VersionModel,
        instructions: Instructions,
        positions: Collection[Position],
    ) -> Migration:
        at_hand = self.migration_at_hand(source, target, instructions, positions)
        if at_hand is not None:
            return at_hand
        job = Migrate(source=source, target=target, instructions=instructions, positions=frozenset(positions))
        migration = await self._run(job, Migration)
        if not instructions:
            self._keep(_key(source, target), migration)
        return migration

    async def move_instructions(
        self,
        source: VersionModel,
        target: VersionModel,
        instructions: Instructions,
        position: Position,
    ) -> MoveInstructions:
        if self._is_quick(source, target, instructions):
            return await self._inline.move_instructions(source, target, instructions, position)
        job = FindMoveInstructions(source=source, target=target, instructions=instructions, position=position)
        return await self._run(job, tuple)

    async def differences(
        self, source: VersionModel, target: VersionModel, instructions: Instructions = ()
    ) -> Differences:
        if self._is_quick(source, target, instructions):
            return await self._inline.differences(source, target, instructions)
        return await self._run(Compare(source=source, target=target, instructions=instructions), Differences)

    async def targets(
        self, source: VersionModel, target: VersionModel, element: ElementId, instructions: Instructions = ()
    ) -> Targets:
        if self._is_quick(source, target, instructions):
            return await self._inline.targets(source, target, element, instructions)
        job = FindTargets(source=source, target=target, element=element, instructions=instructions)
        return (await self._run(job, FoundTargets)).targets

    def _is_quick(self, source: VersionModel, target: VersionModel, instructions: Instructions) -> bool:
        return self._is_small(source.document, target.document) and len(instructions) <= _FEW_INSTRUCTIONS

    async def elements(self, model: VersionModel) -> tuple[ListedElement, ...]:
        if self._is_small(model.document):
            return await self._inline.elements(model)
        return await self._run(ListElements(model=model), tuple)

    def _is_small(self, *documents: bytes) -> bool:
        return sum(map(len, documents)) <= self._limits.inline_bytes

    def _cached(self, versions: _Versions, positions: Collection[Position]) -> Migration | None:
        mapping = self._mappings.get(versions)
        found = {position: self._positions.get((versions, position)) for position in positions}
        migrated = {position: result for position, result in found.items() if result is not None}
        if mapping is None or len(migrated) < len(found):
            return None
        return Migration(mapping=mapping, positions=migrated)

    def _keep(self, versions: _Versions, migration: Migration) -> None:
        mapping = dict(migration.mapping)
        self._mappings.put(versions, mapping, 500 + sum(200 + 2 * len(source) for source in mapping))
        for position, migrated in migration.positions.items():
            self._positions.put((versions, position), migrated, _size_of(position, migrated))

    async def _run(self, job: Job, kind: type[AnswerType]) -> AnswerType:
        """Send a job to the process when it is free, and return the answer. Raises InvalidModel."""
        try:
            async with self._turns.turn(self._caller(), _size_of_job(job)):
                answer = await self._exchange(job)
                if answer is _ENDED and not self._closing:
                    # Somebody, or the kernel for want of memory. A second time the job is to blame.
                    answer = await self._exchange(job)
        except TooManyWaitError:
            raise StoreUnavailable("too many comparisons of BPMN documents are waiting already") from None
        if answer is _ENDED:
            if self._closing:
                raise StoreUnavailable("the comparison of BPMN documents was ended, as the program stops")
            answer = OutOfMemoryError()
        if isinstance(answer, OutOfMemoryError):
            raise InvalidModel(
                f"Expected BPMN documents that take at most {self._limits.memory_bytes // 2**20} MiB of "
                "memory to read and compare, but they take more."
            )
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, kind), "each job has its kind of answer"
        return answer

    async def _exchange(self, job: Job) -> object:
        answered = False
        self._stop_idling()
        try:
            async with asyncio.timeout(self._limits.job_seconds):
                process = self._process = self._process or await self._started()
                answer = await _sent(process, job)
                answered = True
        except TimeoutError:
            raise InvalidModel(
                f"Expected BPMN documents that take at most {self._limits.job_seconds:g} seconds to read and "
                "compare, but they take longer."
            ) from None
        except (EOFError, ConnectionError):
            return _ENDED
        finally:
            # A process that still works on a job would answer it in place of the next one.
            if answered:
                loop = asyncio.get_running_loop()
                self._end_of_idling = loop.call_later(self._limits.idle_seconds, self._kill)
            else:
                self._kill()
        return answer

    async def _started(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "uplift.gateway.comparing.child", stdin=PIPE, stdout=PIPE, stderr=DEVNULL
        )
        self._process = process
        assert process.stdin is not None
        process.stdin.write(_framed((self._documents, self._limits.memory_bytes)))
        return process

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            ending = asyncio.create_task(process.wait())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    def _stop_idling(self) -> None:
        if self._end_of_idling is not None:
            self._end_of_idling.cancel()


async def _sent(process: Process, job: Job) -> object:
    """Send a job to the process and return its answer. Raises EOFError if it ends instead."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_framed(job))
    await process.stdin.drain()
    length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES))
    answer = await process.stdout.readexactly(length)
    # The process is ours, so unpickling its answer is safe. Classes in Python yield to other threads.
    decode: Any = pickle.loads
    return await asyncio.to_thread(decode, answer) if length >= _LARGE_ANSWER else decode(answer)


def _framed(message: object) -> bytes:
    encoded = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return len(encoded).to_bytes(LENGTH_BYTES) + encoded


def _key(source: VersionModel, target: VersionModel) -> _Versions:
    return model_key(source), model_key(target)


def _size_of_job(job: Job) -> int:
    """The bytes of the documents in a job."""
    values = [getattr(job, field.name) for field in fields(job)]
    documents = [value.document if isinstance(value, VersionModel) else value for value in values]
    return sum(len(document) for document in documents if isinstance(document, bytes))


def _size_of(position: Position, migrated: MigratedPosition) -> int:
    """About how much memory a migrated position takes in the cache, in bytes."""
    elements = sum(100 + 2 * len(element) for element in position)
    findings = (*migrated.errors, *migrated.warnings)
    return 500 + 2 * elements + sum(300 + 2 * len(finding.message) for finding in findings)
