"""Which keys were used, and when last?

Requests only count here, in memory; now and then everything that was counted is written down in one go. A
program that is killed loses what it counted since.
"""

import asyncio
from dataclasses import replace
from datetime import date
from uuid import UUID

import structlog

from uplift.domain.clock import Clock, utc_now
from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.access import KeyUse
from uplift.storage.repositories.api_keys import SqlKeys

WRITTEN_EVERY = 60.0
"""Seconds."""


class KeyUses:
    """The uses that are not written down yet."""

    def __init__(self, keys: SqlKeys, clock: Clock = utc_now) -> None:
        self._keys = keys
        self._clock = clock
        self._counted: dict[tuple[UUID, date, bool], KeyUse] = {}

    def note(self, key: UUID, *, accepted: bool) -> None:
        """Count a request with this key."""
        now = self._clock()
        self._add(KeyUse(key=key, day=now.date(), accepted=accepted, times=1, last_at=now))

    async def write_down(self) -> None:
        """Write down what was counted. What cannot be written now is kept for the next time."""
        counted, self._counted = self._counted, {}
        if not counted:
            return
        try:
            await self._keys.add_uses(list(counted.values()))
        except StoreUnavailable as error:
            structlog.get_logger(__name__).warning("key uses are not written down yet", why=error.message)
            for use in counted.values():
                self._add(use)

    async def write_down_until(self, stopping: asyncio.Event, every: float = WRITTEN_EVERY) -> None:
        """Write down every so many seconds. What is left at the end is the caller's to write, when no request
        counts any longer: a locked database would be waited for twice."""
        while not stopping.is_set():
            try:
                async with asyncio.timeout(every):
                    await stopping.wait()
            except TimeoutError:
                await self.write_down()

    def _add(self, use: KeyUse) -> None:
        place = use.key, use.day, use.accepted
        before = self._counted.get(place)
        if before is not None:
            use = replace(use, times=before.times + use.times, last_at=max(before.last_at, use.last_at))
        self._counted[place] = use
