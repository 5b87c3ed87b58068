"""Implements the ports of links in memory."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from uplift.domain.errors import LinkExists
from uplift.domain.model.link import EngineVersionId, Link, LinkId
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.linked_process import LinkedProcess
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.model.selection import UpgradeId
from uplift.storage.memory.orders import OrdersInMemory
from uplift.storage.memory.state import Committed, State
from uplift.storage.memory.sweeps import SweepsInMemory

NEVER = datetime.min.replace(tzinfo=UTC)


class LinkQueriesInMemory:
    """Implements uplift.domain.ports.LinkQueries."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed

    @property
    def _state(self) -> State:
        return self._committed.state

    async def all(self) -> tuple[Link, ...]:
        return tuple(link for link, _ in await self.all_with_status())

    async def all_with_status(self) -> tuple[tuple[Link, LinkStatus], ...]:
        return tuple(sorted(self._state.links.values(), key=lambda stored: stored[0].name))

    async def find(self, link_id: LinkId) -> Link | None:
        found = self._state.links.get(link_id)
        return None if found is None else found[0]

    async def statuses(self, ids: Sequence[LinkId]) -> Mapping[LinkId, LinkStatus]:
        known = self._state.links
        return {link_id: known[link_id][1] for link_id in ids if link_id in known}

    async def claimable(self, now: datetime) -> Link | None:
        found = _claimable_in(self._state, now)
        return None if found is None else self._state.links[found][0]

    async def processes(self, link_id: LinkId) -> tuple[LinkedProcess, ...]:
        own = (linked for linked in self._state.linked_processes.values() if linked.link == link_id)
        return tuple(sorted(own, key=lambda linked: (linked.process.namespace, linked.process.code)))

    async def versions(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, Mapping[VersionNumber, EngineVersionId]]:
        known = self._state.linked_versions.items()
        return {
            process_key: {number: engine_id for (owner, number), engine_id in known if owner == process_key}
            for process_key in process_keys
        }

    async def ended_upgrades(
        self, link_id: LinkId, after: datetime, until: datetime, limit: int
    ) -> tuple[UpgradeId, ...]:
        ended = [
            (upgrade.finished_at, upgrade.id)
            for upgrade in self._state.upgrades.values()
            if upgrade.link == link_id
            and upgrade.finished_at is not None
            and after < upgrade.finished_at <= until
        ]
        ended.sort(key=lambda upgrade: upgrade[0])
        return tuple(upgrade_id for _, upgrade_id in ended[:limit])


class LockedLinkInMemory:
    """Implements uplift.domain.ports.LockedLink."""

    def __init__(self, state: State, link: Link, status: LinkStatus) -> None:
        self._state = state
        self.link = link
        self.status = status
        self.orders = OrdersInMemory(state, link.id)
        self.sweeps = SweepsInMemory(state, link.id)

    async def save(self, status: LinkStatus) -> None:
        self._state.links[self.link.id] = self.link, status

    async def add_process(self, process: LinkedProcess) -> None:
        self._state.linked_processes[process.process] = process

    async def put_version(
        self, process_key: ProcessKey, number: VersionNumber, engine_id: EngineVersionId
    ) -> None:
        self._state.linked_versions[process_key, number] = engine_id

    async def unfinished_upgrade(self) -> UpgradeId | None:
        own = (upgrade for upgrade in self._state.upgrades.values() if upgrade.link == self.link.id)
        return next((upgrade.id for upgrade in own if not upgrade.is_finished or upgrade.unsettled), None)

    async def remove(self) -> None:
        del self._state.links[self.link.id]
        processes = [
            key for key, linked in self._state.linked_processes.items() if linked.link == self.link.id
        ]
        for process_key in processes:
            del self._state.linked_processes[process_key]
        for key in [key for key in self._state.linked_versions if key[0] in processes]:
            del self._state.linked_versions[key]
        for staged in [staged for staged in self._state.sightings if staged[0] == self.link.id]:
            del self._state.sightings[staged]


class LinkRepositoryInMemory:
    """Implements uplift.domain.ports.LinkRepository."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, link: Link) -> None:
        if any(known.name == link.name for known, _ in self._state.links.values()):
            raise LinkExists(name=link.name)
        self._state.links[link.id] = link, LinkStatus()

    async def find(self, link_id: LinkId) -> Link | None:
        found = self._state.links.get(link_id)
        return None if found is None else found[0]

    async def lock(self, link_id: LinkId) -> LockedLinkInMemory | None:
        found = self._state.links.get(link_id)
        return None if found is None else LockedLinkInMemory(self._state, *found)

    async def lock_held(self, link_id: LinkId, worker: str) -> LockedLinkInMemory | None:
        found = await self.lock(link_id)
        lease = None if found is None else found.status.lease
        return found if lease is not None and lease.worker == worker else None

    async def lock_claimable(self, now: datetime) -> LockedLinkInMemory | None:
        found = _claimable_in(self._state, now)
        return None if found is None else await self.lock(found)


def _claimable_in(state: State, now: datetime) -> LinkId | None:
    """The link whose lease expired first, or that never had one."""
    free = [(link.id, status) for link, status in state.links.values() if not status.is_held(now)]
    found = min(free, key=lambda item: NEVER if item[1].lease is None else item[1].lease.until, default=None)
    return None if found is None else found[0]
