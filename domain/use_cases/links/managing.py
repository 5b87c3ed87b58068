"""Adds links to engines, requests sweeps of them, and removes them."""

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from uuid import uuid4

from uplift.domain.clock import Clock, utc_now
from uplift.domain.errors import InvalidInput, LinkInUse, LinkNotFound, ProcessLinked
from uplift.domain.model.access import Caller, require_system_admin
from uplift.domain.model.link import Link, LinkId, LinkKind
from uplift.domain.model.linked_process import LinkedProcess
from uplift.domain.ports import LockedLink, Store
from uplift.domain.use_cases.links.link_request import LinkRequest, require_valid
from uplift.domain.use_cases.versions import get_process


async def add_link(store: Store, request: LinkRequest, *, caller: Caller, clock: Clock = utc_now) -> Link:
    """Add a link. Workers begin to sweep its engine at once. The engine itself is not called.

    Raises Forbidden, OutsideScope, InvalidInput, LinkExists, ProcessNotFound or ProcessLinked.
    """
    require_system_admin(caller)
    require_valid(request)
    link = Link(
        id=LinkId(uuid4()),
        name=request.name,
        kind=request.kind,
        namespace=request.namespace,
        url=None if request.url is None else request.url.rstrip("/"),
        tenant=request.tenant,
        credentials=request.credentials,
        max_rate=request.max_rate,
        sweep_interval=request.sweep_interval,
        webhook=request.webhook,
        created_at=clock(),
        created_by=caller.name,
    )
    async with store.transaction() as transaction:
        await transaction.links.add(link)
        # No other link is added until this transaction ends, so none to the same engine is missed here.
        _require_own_engine(link, await store.links.all())
        if request.processes:
            locked = await _lock(transaction.links.lock(link.id), link.name)
            for process in request.processes:
                if (await get_process(transaction, process)).link is not None:
                    raise ProcessLinked(
                        attempt="link an engine",
                        namespace=process.namespace,
                        process_code=process.code,
                    )
                await locked.add_process(
                    LinkedProcess(process=process, link=link.id, engine_key=process.code)
                )
    return link


async def remove_link(store: Store, name: str, *, caller: Caller) -> Link:
    """Remove a link. Its processes, versions and instances stay, and are no longer linked.

    Raises Forbidden, LinkNotFound, and LinkInUse while an upgrade of the link runs or waits for answers.
    """
    require_system_admin(caller)
    link = await find_link(store, name)
    async with store.transaction() as transaction:
        locked = await _lock(transaction.links.lock(link.id), name)
        if (upgrade_id := await locked.unfinished_upgrade()) is not None:
            raise LinkInUse(name=name, upgrade_id=upgrade_id)
        await locked.remove()
    return link


async def request_sweep(store: Store, name: str, *, caller: Caller, clock: Clock = utc_now) -> Link:
    """Let the worker that holds the link sweep its engine now. Raises Forbidden and LinkNotFound.

    An engine that pulls is not swept: InvalidInput.
    """
    require_system_admin(caller)
    link = await find_link(store, name)
    if link.kind is LinkKind.PULL:
        raise InvalidInput(
            f"Expected a link to an engine that Uplift calls, but the engine of '{name}' reports itself.",
            field=("name",),
        )
    async with store.transaction() as transaction:
        locked = await _lock(transaction.links.lock(link.id), name)
        await locked.save(replace(locked.status, sweep_requested_at=clock()))
    return link


async def find_link(store: Store, name: str) -> Link:
    """Find a link by its name. Raises LinkNotFound."""
    found = next((link for link in await store.links.all() if link.name == name), None)
    if found is None:
        raise LinkNotFound(name=name)
    return found


async def _lock(lock: Awaitable[LockedLink | None], name: str) -> LockedLink:
    locked = await lock
    if locked is None:  # it was removed since it was found
        raise LinkNotFound(name=name)
    return locked


def _require_own_engine(link: Link, links: Sequence[Link]) -> None:
    for other in links:
        same = (other.kind, other.url, other.tenant) == (link.kind, link.url, link.tenant)
        if same and other.id != link.id and link.url is not None:
            raise InvalidInput(
                f"Expected one link to each engine and tenant, but link '{other.name}' leads to "
                f"{link.url} already.",
                field=("url",),
            )
