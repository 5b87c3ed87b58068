"""Announces the upgrades of a held link that have ended, by webhooks."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

from uplift.domain.model.upgrade import Upgrade
from uplift.domain.use_cases.links.holding import HeldLink, Sleep
from uplift.engines.webhooks.events import EndEvent
from uplift.engines.webhooks.sender import RETRY_SECONDS, WebhookSender

POLL_SECONDS = 5.0
"""The time between two looks for upgrades that have ended."""
SETTLED_AFTER = timedelta(seconds=65)
"""An upgrade is announced this long after its end.

Transactions may commit in another order than that of their times, and an upgrade with an earlier time than
the last one announced would be missed. A transaction takes the time of an end after its locks, so it usually
commits within milliseconds. But its program can be frozen: then PostgreSQL ends it after a minute at most
(from version 17 on; see uplift.storage.postgres.engines). SQLite has one writer at a time.
"""
MAX_AGE = timedelta(days=1)
"""Upgrades that ended longer ago are not announced any more."""
LIMIT = 100
"""The upgrades that one look finds; more only if so many ended at the same time."""


class Announcer:
    """Sends an event for each upgrade that has ended, one at a time, the oldest first.

    How far it came is stored with the link. So the next holder of the link goes on there, and may send the
    last event again, with the same id.
    """

    def __init__(self, held: HeldLink, sender: WebhookSender, *, sleep: Sleep = asyncio.sleep) -> None:
        self._held = held
        self._sender = sender
        self._sleep = sleep

    async def run(self) -> None:
        """Announce until cancelled, or until the receiver wants no more.

        Raises LinkLostError and StoreUnavailable.
        """
        link, links = self._held.link, self._held.store.links
        status = (await links.statuses([link.id])).get(link.id)
        until = link.created_at if status is None else status.announced_until or link.created_at
        while True:
            upgrades = await self._ended(until)
            for ended_at, together in groupby(upgrades, key=lambda upgrade: upgrade.finished_at):
                for upgrade in together:
                    if not await self._announce(upgrade):
                        return
                assert ended_at is not None, "only upgrades that have ended are listed"
                until = ended_at
                await self._store(until)
            if not upgrades:
                await self._sleep(POLL_SECONDS)

    async def _ended(self, after: datetime) -> Sequence[Upgrade]:
        """The next upgrades. All that ended at the same time come together, because only times are stored."""
        store, now = self._held.store, self._held.worker.clock()
        earliest = max(after, now - MAX_AGE)
        limit = LIMIT
        while True:
            ids = await store.links.ended_upgrades(self._held.link.id, earliest, now - SETTLED_AFTER, limit)
            found = await store.upgrades.find_many(ids)
            upgrades = [found[upgrade_id] for upgrade_id in ids]
            if len(upgrades) < limit:
                return upgrades
            # The limit may have cut off others that ended at the same time as the last one.
            last = upgrades[-1].finished_at
            whole = [upgrade for upgrade in upgrades if upgrade.finished_at != last]
            if whole:
                return whole
            limit *= 2

    async def _announce(self, upgrade: Upgrade) -> bool:
        """Send an event until it arrives or its attempts are used up. False if the receiver wants none."""
        event = EndEvent.of(upgrade, self._held.link.name)
        for seconds in (*RETRY_SECONDS, None):
            if await self._sender.send(event):
                return True
            if self._sender.is_gone:
                return False
            if seconds is not None:
                await self._sleep(self._sender.with_jitter(seconds))
        return True

    async def _store(self, until: datetime) -> None:
        await self._held.renew(lambda status: replace(status, announced_until=until))
