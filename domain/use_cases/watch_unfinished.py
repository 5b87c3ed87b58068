"""Watches all unfinished upgrades, of a process, of a namespace or of a store.

A shared reader compares their progress once per interval, and reads in full only those that changed. So one
or two queries per interval serve all who watch.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Upgrade, UpgradeProgress
from uplift.domain.ports import Store
from uplift.domain.shared_reader import SharedReader, SharedReaders

INTERVAL = 1.0
"""Seconds between two reads of the unfinished upgrades, and so between two events."""
MAX_WATCHED = 100
"""How many unfinished upgrades are watched, the newest ones."""
LOOKED_AT = 1_000
"""How many unfinished upgrades, the newest ones, are looked at to find those of a process or namespace."""

Whose = ProcessKey | str | None
"""Whose upgrades: those of a process, of a namespace, or of all (None)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """The progress of the watched upgrades. `recent` has those in full that changed lately."""

    progress: Mapping[UpgradeId, UpgradeProgress]
    recent: Mapping[UpgradeId, Upgrade] = field(compare=False)


async def watch_unfinished(
    store: Store, whose: Whose = None, *, interval: float = INTERVAL
) -> AsyncGenerator[tuple[Upgrade, ...], None]:
    """Yield the unfinished upgrades, the newest first, then those that changed, at most once per `interval`.

    An upgrade that ends is yielded a last time. Only the MAX_WATCHED newest are watched, of the LOOKED_AT
    newest in the store; others once they are among these. An upgrade that begins and ends between two reads
    is not yielded.
    """
    async with _readers.listening(store, whose, interval=interval) as listener:
        state = await listener.present()
        assert state is not None, "the reader has a state for everything"
        yield await _read(store, list(state.progress), state)
        while True:
            seen = state.progress
            state = await listener.next(interval)
            assert state is not None
            changed = [key for key, progress in state.progress.items() if seen.get(key) != progress]
            absent = [key for key in seen if key not in state.progress]
            # An upgrade that goes on may be absent too: it is no longer among the newest.
            ended = [upgrade for upgrade in await _read(store, absent, state) if upgrade.is_finished]
            if shown := (*await _read(store, changed, state), *ended):
                yield shown


async def _read(store: Store, ids: Sequence[UpgradeId], state: _State) -> tuple[Upgrade, ...]:
    """The upgrades, of which the reader has read most."""
    found = {key: state.recent[key] for key in ids if key in state.recent}
    if missing := [key for key in ids if key not in found]:
        found |= await store.upgrades.find_many(missing)
    return tuple(found[key] for key in ids if key in found)


class _Reading:
    """Reads the unfinished upgrades of a store for one reader.

    It keeps upgrades for a few intervals only, because they may have long mappings.
    """

    def __init__(self, store: Store, interval: float) -> None:
        self._store = store
        self._kept_for = 3 * interval
        self._progress: Mapping[UpgradeId, UpgradeProgress] | None = None
        self._recent: dict[UpgradeId, Upgrade] = {}
        self._read_at: dict[UpgradeId, float] = {}

    async def read(self, keys: Sequence[Whose]) -> Mapping[Whose, _State]:
        unfinished = await self._store.upgrades.unfinished(LOOKED_AT)
        await self._read_changed({progress.id: progress for progress in unfinished})
        by_key: dict[Whose, list[UpgradeProgress]] = defaultdict(list)
        for progress in unfinished:
            for key in (None, progress.process.namespace, progress.process):
                by_key[key].append(progress)
        return {
            key: _State(
                progress={progress.id: progress for progress in by_key[key][:MAX_WATCHED]},
                recent=self._recent,
            )
            for key in keys
        }

    async def _read_changed(self, progress: Mapping[UpgradeId, UpgradeProgress]) -> None:
        """Read the upgrades that changed or ended since the last read. Listeners read the first ones."""
        now = monotonic()
        for key in [key for key, read_at in self._read_at.items() if read_at < now - self._kept_for]:
            self._drop(key)
        before = self._progress
        if before is not None:
            ended = [key for key in before if key not in progress]
            changed = [key for key, newest in progress.items() if before.get(key) != newest]
            for key in (*ended, *changed):
                self._drop(key)
            if ids := ended[:MAX_WATCHED] + changed[:MAX_WATCHED]:
                self._recent |= await self._store.upgrades.find_many(ids)
                self._read_at |= dict.fromkeys(ids, now)
        self._progress = progress

    def _drop(self, upgrade_id: UpgradeId) -> None:
        self._recent.pop(upgrade_id, None)
        self._read_at.pop(upgrade_id, None)


def _reader(store: Store, interval: float) -> SharedReader[Whose, _State]:
    # A change by this program need not show earlier than one by another.
    return SharedReader(_Reading(store, interval).read, asyncio.sleep, interval=interval)


_readers = SharedReaders(_reader)
