"""The faults of `FakeEngine`, which a test switches on and off."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind, EngineInstanceId


def unreachable() -> EngineFault:
    """The fault of an engine that does not answer."""
    return EngineFault(EngineFaultKind.UNREACHABLE, "Expected an answer of the engine, but it is down.")


def overloaded(retry_after: timedelta | None = None) -> EngineFault:
    """The fault of an engine that asks to come back later."""
    return EngineFault(
        EngineFaultKind.OVERLOADED,
        "Expected an answer of the engine, but it asks to come back later.",
        retry_after=retry_after,
    )


@dataclass(slots=True, kw_only=True)
class EngineFaults:
    """What goes wrong. A test sets a field to switch a fault on, at any time.

    - `fault` is raised instead of every answer, and nothing is done.
    - `upcoming` are the faults of the next requests, in their order; None in it lets a request pass.
    - `delay` is the least time of an answer, in seconds.
    - `gate` holds each request back, before it takes effect, until the gate is set.
    - `clock_error` is how far the clock of the engine is ahead.

    Of requests to move instances:

    - `refused` are the instances that the engine refuses, each with its message.
    - `loses_answers`: a request takes effect, and its answer is lost.
    - `delivers_twice`: the engine gets each request twice, as by a proxy that repeats it, and answers the
      second.
    - `dies_after` n instances: the next request moves so many, but none if the engine is atomic and there are
      more. It is not answered, and the engine stays unreachable until `restart`.
    """

    fault: EngineFault | None = None
    upcoming: deque[EngineFault | None] = field(default_factory=deque)
    delay: float = 0
    gate: asyncio.Event | None = None
    refused: dict[EngineInstanceId, str] = field(default_factory=dict)
    loses_answers: bool = False
    delivers_twice: bool = False
    dies_after: int | None = None
    clock_error: timedelta = timedelta()
