"""Links and orders within the scope of a caller: those of the namespaces that the caller may see."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from uplift.domain.errors import OutsideScope
from uplift.domain.model.access import Caller
from uplift.domain.model.link import EngineVersionId, Link, LinkId
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.linked_process import LinkedProcess
from uplift.domain.model.order import Order, OrderNumber
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.model.selection import UpgradeId
from uplift.domain.ports import LinkQueries, LockedLink, Store, Transaction
from uplift.domain.scope.queries import NEEDS_WHOLE_STORE, of_visible

NO_VERSIONS: Mapping[VersionNumber, EngineVersionId] = {}


class ScopedLinkQueries:
    """Implements uplift.domain.ports.LinkQueries within the scope of a caller."""

    def __init__(self, links: LinkQueries, caller: Caller) -> None:
        self._links = links
        self._caller = caller

    async def all(self) -> tuple[Link, ...]:
        return tuple(link for link in await self._links.all() if is_visible(self._caller, link))

    async def all_with_status(self) -> tuple[tuple[Link, LinkStatus], ...]:
        found = await self._links.all_with_status()
        return tuple((link, status) for link, status in found if is_visible(self._caller, link))

    async def find(self, link_id: LinkId) -> Link | None:
        found = await self._links.find(link_id)
        return found if found is not None and is_visible(self._caller, found) else None

    async def statuses(self, ids: Sequence[LinkId]) -> Mapping[LinkId, LinkStatus]:
        visible = {link.id for link in await self.all()}
        return await self._links.statuses([link_id for link_id in ids if link_id in visible])

    async def claimable(self, now: datetime) -> Link | None:
        del now
        raise ValueError(NEEDS_WHOLE_STORE)

    async def processes(self, link_id: LinkId) -> tuple[LinkedProcess, ...]:
        return () if await self.find(link_id) is None else await self._links.processes(link_id)

    async def versions(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, Mapping[VersionNumber, EngineVersionId]]:
        return await of_visible(self._caller.may_see, process_keys, self._links.versions, NO_VERSIONS)

    async def ended_upgrades(
        self, link_id: LinkId, after: datetime, until: datetime, limit: int
    ) -> tuple[UpgradeId, ...]:
        del link_id, after, until, limit
        raise ValueError(NEEDS_WHOLE_STORE)


class ScopedOrderQueries:
    """Implements uplift.domain.ports.OrderQueries within the scope of a caller."""

    def __init__(self, store: Store, caller: Caller) -> None:
        self._orders = store.orders
        self._links = ScopedLinkQueries(store.links, caller)

    async def page(self, link: LinkId, page: PageRequest) -> Page[Order]:
        if await self._links.find(link) is None:
            return page_of((), page.first)
        return await self._orders.page(link, page)

    async def first_unanswered(self, link: LinkId) -> OrderNumber | None:
        return None if await self._links.find(link) is None else await self._orders.first_unanswered(link)


class ScopedLinkRepository:
    """Implements uplift.domain.ports.LinkRepository within the scope of a caller."""

    def __init__(self, transaction: Transaction, caller: Caller) -> None:
        self._links = transaction.links
        self._caller = caller

    async def add(self, link: Link) -> None:
        if not is_visible(self._caller, link):
            raise OutsideScope(caller=self._caller.name, namespace=link.namespace)
        await self._links.add(link)

    async def find(self, link_id: LinkId) -> Link | None:
        found = await self._links.find(link_id)
        return found if found is not None and is_visible(self._caller, found) else None

    async def lock(self, link_id: LinkId) -> LockedLink | None:
        # Looked up first: waiting for the lock of a hidden link would show that it exists.
        return None if await self.find(link_id) is None else await self._links.lock(link_id)

    async def lock_held(self, link_id: LinkId, worker: str) -> LockedLink | None:
        del link_id, worker
        raise ValueError(NEEDS_WHOLE_STORE)

    async def lock_claimable(self, now: datetime) -> LockedLink | None:
        del now
        raise ValueError(NEEDS_WHOLE_STORE)


def is_visible(caller: Caller, link: Link) -> bool:
    """Whether the scope of the caller has the namespace of the link."""
    return caller.namespaces is None or link.namespace in caller.namespaces
