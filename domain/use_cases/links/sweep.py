"""Sweeps a linked engine: reads its versions, instances and positions, and stores what changed.

What the engine says is staged first and merged in sets, so a sweep takes as much memory for millions of
instances as for thousands. Instances whose orders were settled since the sweep began are left out: what was
read before they moved would move them back.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from uplift.domain.model.instance import ElementId
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.process import ProcessKey
from uplift.domain.ports import Sighting, UnseenInstances
from uplift.domain.ports.process_engine import EngineFault, EngineInstanceId, ProcessEngine
from uplift.domain.use_cases.links.holding import HeldLink
from uplift.domain.use_cases.links.pages import ahead, pages_of
from uplift.domain.use_cases.links.problems import Problems
from uplift.domain.use_cases.links.versions import SweptVersion, VersionSweep

MERGE_SIZE = 5_000
"""The instances that one transaction merges."""
MAX_HELD = 200_000
"""The ids of one version that a sweep holds in memory until it knows who waits at which element."""
CLEAR_SIZE = 50_000
"""The staged rows that one transaction deletes."""
LOCATE_SIZE = 500
"""The instances about which one request asks."""


async def sweep(held: HeldLink, engine: ProcessEngine) -> None:
    """Sweep the engine of a link once, and store the result in its status.

    Raises EngineFault after a fault that stopped the sweep, LinkLostError, and StoreUnavailable.
    """
    started = held.worker.clock()
    await held.renew(lambda status: replace(status, sweep_started_at=started))
    try:
        with held.noting_settled():
            # Until then, lists may be older than an order that was settled before this sweep began.
            await asyncio.sleep(engine.traits.settles_after.total_seconds())
            problems, difference = await _Sweep(held, engine).run()
    except EngineFault as fault:
        message = fault.message
        await held.renew(lambda status: replace(status, sweep_error=message))
        raise
    await held.renew(lambda status: _swept(status, held.worker.clock(), problems, difference))


def _swept(status: LinkStatus, now: datetime, problems: Problems, difference: timedelta | None) -> LinkStatus:
    return replace(status, swept_at=now, sweep_error=problems.text(), clock_difference=difference)


class _Sweep:
    def __init__(self, held: HeldLink, engine: ProcessEngine) -> None:
        self._held = held
        self._engine = engine
        self._problems = Problems()

    async def run(self) -> tuple[Problems, timedelta | None]:
        difference = await self._describe()
        has_problems = bool(self._problems)
        # An earlier sweep may have ended anywhere.
        await self._clear()
        for version in await VersionSweep(self._held, self._engine, self._problems).run():
            await self._stage(version)
        await self._merge()
        # Without the right to read instances an engine lists none, as if all had ended.
        if not has_problems:
            for linked in await self._held.store.links.processes(self._held.link.id):
                await self._complete_unseen(linked.process)
        await self._clear()
        return self._problems, difference

    async def _describe(self) -> timedelta | None:
        before = self._held.worker.clock()
        description = await self._engine.describe()
        after = self._held.worker.clock()
        self._problems.add_all(description.problems)
        return None if description.clock is None else description.clock - (before + (after - before) / 2)

    async def _clear(self) -> None:
        deleted = CLEAR_SIZE
        while deleted:
            async with self._held.transaction() as (_, link):
                deleted = await link.sweeps.clear(CLEAR_SIZE)

    async def _stage(self, version: SweptVersion) -> None:
        # Most instances wait at an element, so to stage them without one as well would double the work. As
        # many are held in memory as take little of it.
        without_element: set[EngineInstanceId] = set()
        async for element, ids in ahead(self._pages(version)):
            if element is None and len(without_element) + len(ids) <= MAX_HELD:
                without_element.update(ids)
                continue
            without_element.difference_update(ids)
            await self._stage_part(version, element, ids)
        remaining = sorted(without_element)
        for first in range(0, len(remaining), MERGE_SIZE):
            await self._stage_part(version, None, remaining[first : first + MERGE_SIZE])

    async def _stage_part(
        self, version: SweptVersion, element: ElementId | None, ids: Sequence[EngineInstanceId]
    ) -> None:
        sightings = [
            Sighting(engine_id=engine_id, process=version.process, version=version.number, element=element)
            for engine_id in ids
        ]
        if sightings:
            async with self._held.transaction() as (_, link):
                await link.sweeps.stage(sightings)

    async def _pages(
        self, version: SweptVersion
    ) -> AsyncIterator[tuple[ElementId | None, tuple[EngineInstanceId, ...]]]:
        """The instances of a version, then those that wait at each of its elements, page by page."""
        is_empty = True
        async for ids in pages_of(lambda after: self._engine.instances(version.engine_id, after)):
            is_empty = is_empty and not ids
            yield None, ids
        if is_empty:
            return
        for element in await self._wait_states(version):
            async for ids in pages_of(
                lambda after, element=element: self._engine.waiting(version.engine_id, element, after)  # type: ignore[misc]
            ):
                yield element, ids

    async def _wait_states(self, version: SweptVersion) -> list[ElementId]:
        model = await self._held.store.processes.model(version.process, version.number)
        if model is None:
            return []
        listed = await self._held.worker.comparer.elements(model)
        return [ElementId(item.element.id) for item in listed if item.is_wait_state]

    async def _merge(self) -> None:
        after = None
        foreign = 0
        while True:
            async with self._held.transaction() as (_, link):
                swept = await link.sweeps.staged(after, MERGE_SIZE)
                if swept:
                    merged = await link.sweeps.merge(
                        [instance for instance in swept if not self._held.was_settled(instance.id)]
                    )
                    foreign += merged.foreign
            if not swept:
                break
            after = swept[-1].id
        if foreign:
            self._problems.add(
                f"Expected the ids of instances to be those of no other process, but {foreign:,} are. "
                "Does another link lead to the same engine?"
            )

    async def _complete_unseen(self, process: ProcessKey) -> None:
        after: int | None = 0
        while after is not None:
            async with self._held.transaction() as (_, link):
                unseen = await link.sweeps.unseen(process, after, MERGE_SIZE)
            await self._complete_gone(unseen)
            after = unseen.next

    async def _complete_gone(self, unseen: UnseenInstances) -> None:
        """Complete those of the unseen instances that the engine does not have. Others were missed."""
        for first in range(0, len(unseen.instances), LOCATE_SIZE):
            part = unseen.instances[first : first + LOCATE_SIZE]
            located = await self._engine.locate([instance.engine_id for instance in part])
            gone = [instance.id for instance in part if located.get(instance.engine_id) is None]
            if gone:
                async with self._held.transaction() as (_, link):
                    await link.sweeps.complete(gone)
