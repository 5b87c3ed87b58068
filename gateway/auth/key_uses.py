"""Counts the uses of API keys.

Requests count in memory, and the counts are stored once a minute in one statement. A program that is killed
loses the counts of the last minute.
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

STORE_INTERVAL = 60.0
"""Seconds between two writes of the counts."""


class KeyUses:
    """The uses that are not stored yet."""

    def __init__(self, keys: SqlKeys, clock: Clock = utc_now) -> None:
        self._keys = keys
        self._clock = clock
        self._counted: dict[tuple[UUID, date, bool], KeyUse] = {}

    def count(self, key_id: UUID, *, accepted: bool) -> None:
        """Count a request with this key."""
        now = self._clock()
        self._add(KeyUse(key_id=key_id, day=now.date(), accepted=accepted, times=1, last_at=now))

    async def store(self) -> None:
        """Store the counts. If the database does not answer, keep them for the next time."""
        counted, self._counted = self._counted, {}
        if not counted:
            return
        try:
            await self._keys.add_uses(list(counted.values()))
        except StoreUnavailable as error:
            structlog.get_logger(__name__).warning("could not store key uses yet", error=error.message)
            for use in counted.values():
                self._add(use)

    async def store_until(self, stopping: asyncio.Event, interval: float = STORE_INTERVAL) -> None:
        """Store the counts every `interval` seconds until `stopping` is set.

        The caller stores the rest after the last request has ended. Storing here too would wait twice
        for a locked database.
        """
        while not stopping.is_set():
            try:
                async with asyncio.timeout(interval):
                    await stopping.wait()
            except TimeoutError:
                await self.store()

    def _add(self, use: KeyUse) -> None:
        key = use.key_id, use.day, use.accepted
        before = self._counted.get(key)
        if before is not None:
            use = replace(use, times=before.times + use.times, last_at=max(before.last_at, use.last_at))
        self._counted[key] = use
