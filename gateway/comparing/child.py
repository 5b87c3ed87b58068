"""The program that reads and compares documents for a gateway, one job after the other.

It reads pickled jobs from standard input and writes pickled answers to standard output, each after its
length. Only its parent writes to these pipes. It imports the domain alone, so it starts quickly and is small.
"""

import gc
import os
import pickle
import resource
import sys
import traceback
from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO

from uplift.domain.bpmn import DocumentLimits
from uplift.domain.errors import InvalidModel
from uplift.domain.model.instance import ElementId, Position
from uplift.domain.model.process import VersionModel
from uplift.domain.rules.comparer import (
    Differences,
    InProcessComparer,
    Instructions,
    ListedElement,
    Migration,
    Targets,
)
from uplift.domain.rules.move_plan import MoveInstructions

LENGTH_BYTES = 8
"""The size of the length before each job and answer, a big-endian integer."""

_NICENESS = 10
"""The server that answers everybody else goes first where cores are few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseProcess:
    """Asks for the id of the process in a document."""

    document: bytes
    process_id: str | None
    preferred_id: str | None

    def run(self, comparer: InProcessComparer) -> str:
        return comparer.choose_process_now(
            self.document, process_id=self.process_id, preferred_id=self.preferred_id
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrate:
    """Asks for the migration of positions between two versions."""

    source: VersionModel
    target: VersionModel
    instructions: Instructions
    positions: Collection[Position]

    def run(self, comparer: InProcessComparer) -> Migration:
        return comparer.migration_at_hand(self.source, self.target, self.instructions, self.positions)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindMoveInstructions:
    """Asks how an engine moves the instances at a position."""

    source: VersionModel
    target: VersionModel
    instructions: Instructions
    position: Position

    def run(self, comparer: InProcessComparer) -> MoveInstructions:
        return comparer.move_instructions_now(self.source, self.target, self.instructions, self.position)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """Asks for the differences of two versions."""

    source: VersionModel
    target: VersionModel
    instructions: Instructions

    def run(self, comparer: InProcessComparer) -> Differences:
        return comparer.differences_now(self.source, self.target, self.instructions)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTargets:
    """What an element may be mapped to."""

    targets: Targets


@dataclass(frozen=True, slots=True, kw_only=True)
class FindTargets:
    """Asks what an element may be mapped to."""

    source: VersionModel
    target: VersionModel
    element: ElementId
    instructions: Instructions

    def run(self, comparer: InProcessComparer) -> FoundTargets:
        return FoundTargets(
            targets=comparer.targets_now(self.source, self.target, self.element, self.instructions)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListElements:
    """Asks for the elements of a version."""

    model: VersionModel

    def run(self, comparer: InProcessComparer) -> tuple[ListedElement, ...]:
        return comparer.elements_now(self.model)


Job = ChooseProcess | Migrate | FindMoveInstructions | Compare | FindTargets | ListElements
Answer = str | Migration | MoveInstructions | Differences | FoundTargets | tuple[ListedElement, ...]


class OutOfMemoryError(Exception):
    """A job takes more memory than the program may use."""


class ChildError(Exception):
    """A job failed unexpectedly; the message is the traceback."""


def main(pipe_in: BinaryIO, pipe_out: BinaryIO) -> None:
    """Answer jobs until the parent closes the pipe. The first message has the limits."""
    limits, memory_bytes = pickle.loads(_received(pipe_in))  # noqa: S301  the parent wrote it
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    os.nice(_NICENESS)
    # A comparison makes many objects that live until its end. To look for garbage among them again and again
    # takes a quarter of its time, so that is done once after each.
    gc.freeze()
    gc.disable()
    while message := _received(pipe_in):
        job: Job = pickle.loads(message)  # noqa: S301  as above
        del message
        answer = pickle.dumps(_answer(job, limits), pickle.HIGHEST_PROTOCOL)
        pipe_out.write(len(answer).to_bytes(LENGTH_BYTES) + answer)
        pipe_out.flush()
        del job, answer
        gc.collect()


def _answer(job: Job, limits: DocumentLimits) -> Answer | Exception:
    # A new comparer for each job: what an earlier one cached would count against the memory of this one.
    try:
        return job.run(InProcessComparer(limits=limits))
    except InvalidModel as error:
        return error
    except MemoryError:
        return OutOfMemoryError()
    except Exception:
        return ChildError(traceback.format_exc())


def _received(pipe: BinaryIO) -> bytes:
    return pipe.read(int.from_bytes(pipe.read(LENGTH_BYTES)))


if __name__ == "__main__":
    # Run as a module, its classes would have another name than those that the parent pickles.
    from uplift.gateway.comparing.child import main as run

    run(sys.stdin.buffer, sys.stdout.buffer)
