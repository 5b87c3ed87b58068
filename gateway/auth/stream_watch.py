"""Ends the open streams of API keys that are revoked, expired or changed.

One query reads all keys with open streams, however many streams they have. It sees what another gateway or
the command line has written, on SQLite and PostgreSQL alike.
"""

import asyncio
from collections.abc import Mapping
from uuid import UUID

from structlog import get_logger

from uplift.domain.clock import Clock, utc_now
from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.access import ApiKey
from uplift.graphql_api.engine.streams import Streams
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.web.incidents import log_outage, report_unexpected

CHECK_INTERVAL = 1.0
"""Seconds between two checks."""


class StreamWatch:
    """Watches the keys of open streams: the owners in `streams` are API keys as they were then."""

    def __init__(self, keys: SqlKeys, streams: Streams, clock: Clock = utc_now) -> None:
        self._keys = keys
        self._streams = streams
        self._clock = clock

    async def check(self) -> None:
        """End the streams of each key that is no longer as it was when it opened them.

        While the database does not answer, only expiry ends streams.
        """
        owners = [owner for owner in self._streams.owners if isinstance(owner, ApiKey)]
        if not owners:
            return
        now, stored = self._clock(), await self._read(owners)
        for owner in owners:
            if stored.get(owner.id) != owner or not owner.is_valid(now):
                get_logger(__name__).info("ended streams of a key", key_id=str(owner.id))
                self._streams.end(owner)

    async def check_until(self, stopping: asyncio.Event, interval: float = CHECK_INTERVAL) -> None:
        """Check every `interval` seconds until `stopping` is set."""
        while not stopping.is_set():
            try:
                async with asyncio.timeout(interval):
                    await stopping.wait()
            except TimeoutError:
                try:
                    await self.check()
                except Exception as error:  # a bug in one check must not end all later ones
                    report_unexpected(error)

    async def _read(self, owners: list[ApiKey]) -> Mapping[UUID, ApiKey]:
        try:
            return await self._keys.find_many([owner.id for owner in owners])
        except StoreUnavailable as error:
            log_outage(error)
            return {owner.id: owner for owner in owners}
