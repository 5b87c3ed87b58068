"""Watches processes: their versions, and the numbers of their instances by version, status and position.

A shared reader compares checksums once per interval. It reads the cohorts of a process only when they have
changed, once for all who watch it.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

from uplift.domain.bounded_cache import BoundedCache
from uplift.domain.errors import ProcessNotFound
from uplift.domain.model.cohort import CountedCohort
from uplift.domain.model.process import Process, ProcessKey, ProcessState
from uplift.domain.ports import Store
from uplift.domain.shared_reader import SharedReader, SharedReaders

INTERVAL = 1.0
"""Seconds between two reads of the watched processes, and so between two events of one."""
KEPT_COHORTS = 50_000
"""How many cohorts a reader keeps for those who have not seen them yet."""
KEPT_STATES = 20_000
"""Of how many processes a reader knows the last state."""
KEYS_PER_READ = 20
"""How many processes one query reads, so that other tasks come between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedProcess:
    """A process at one moment. `cohorts` is None if there were too many to keep them; read them then."""

    process: Process
    cohorts: tuple[CountedCohort, ...] | None


async def watch_process(
    store: Store, process_key: ProcessKey, *, interval: float = INTERVAL
) -> AsyncGenerator[WatchedProcess, None]:
    """Yield the process now, and after each change, at most once per `interval` seconds.

    Versions that are saved or published are changes, and instances that are registered, reported or moved, if
    that changes the count of a cohort. Raises ProcessNotFound.
    """
    async with _readers.listening(store, process_key, interval=interval) as listener:
        watched = await listener.present()
        while True:
            if watched is None:
                raise ProcessNotFound(namespace=process_key.namespace, process_code=process_key.code)
            yield WatchedProcess(process=watched.state.process, cohorts=watched.kept.get(watched.state))
            watched = await listener.next(interval)


Kept = BoundedCache[ProcessState, tuple[CountedCohort, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """A state, and where the cohorts of recent states are kept."""

    state: ProcessState
    kept: Kept = field(compare=False)


class _Reading:
    """Reads the processes of a store for one reader."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: BoundedCache[ProcessKey, ProcessState] = BoundedCache(KEPT_STATES)
        self._kept: Kept = BoundedCache(KEPT_COHORTS)

    async def read(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, _Watched]:
        states = await self._store.processes.states(process_keys)
        if changed := [key for key, state in states.items() if self._seen.get(key) != state]:
            # What changes between the two queries also changes the next checksum.
            for key, cohorts in (await self._store.instances.cohorts(changed)).items():
                self._kept.put(states[key], cohorts, 1 + len(cohorts))
                self._seen.put(key, states[key], 1)
        return {key: _Watched(state=state, kept=self._kept) for key, state in states.items()}


def _reader(store: Store, interval: float) -> SharedReader[ProcessKey, _Watched]:
    # A change by this program need not show earlier than one by another, and most do not notify.
    return SharedReader(_Reading(store).read, asyncio.sleep, interval=interval, keys_per_read=KEYS_PER_READ)


_readers = SharedReaders(_reader)
