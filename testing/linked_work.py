"""Links processes, and sends and settles orders in tests, in place of an engine."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import uuid5

from uplift.domain import Instance, InstanceId, ProcessKey, ReasonCode, SkipReason, Upgrade, UpgradeId
from uplift.domain.model.link import EngineVersionId, Link, LinkId, LinkKind
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.linked_process import LinkedProcess
from uplift.domain.model.order import Order, OrderBatch, OrderNumber, SettledOrders, Settlement
from uplift.domain.model.upgrade import Lease
from uplift.domain.ports import Store
from uplift.domain.use_cases.orders import drop_orders, put_back_orders, send_orders, settle_orders
from uplift.testing.builders import EVENING, IDS, NOON, ORDERS, a_clock, a_process
from uplift.testing.stores import walk

ENGINE = LinkId(IDS)
OTHER_ENGINE = LinkId(uuid5(IDS, "other engine"))
HOLDER = "holder"
MOVED_ON = SkipReason(code=ReasonCode.MOVED_ON, message="It is somewhere else.")
ENGINE_REFUSED = SkipReason(code=ReasonCode.ENGINE_REFUSED, message="The engine refused it.")


def a_link(
    link: LinkId = ENGINE, name: str = "engine", *, kind: LinkKind = LinkKind.CAMUNDA7, namespace: str = "crm"
) -> Link:
    return Link(
        id=link,
        name=name,
        kind=kind,
        namespace=namespace,
        url="http://engine.example/engine-rest",
        created_at=NOON,
        created_by="admin",
    )


async def a_linked_process(
    store: Store,
    process_key: ProcessKey = ORDERS,
    *,
    link: LinkId = ENGINE,
    kind: LinkKind = LinkKind.CAMUNDA7,
    published: int = 2,
    holding: Sequence[Instance] = (),
) -> ProcessKey:
    """Store a process with instances, and link it to an engine, which is held by HOLDER."""
    await a_process(store, process_key, published=published, holding=holding)
    await link_process(store, process_key, link=link, kind=kind)
    return process_key


async def link_process(
    store: Store, process_key: ProcessKey, *, link: LinkId = ENGINE, kind: LinkKind = LinkKind.CAMUNDA7
) -> None:
    """Link a process that exists, with all its versions, to an engine, which is held by HOLDER."""
    versions = (await store.processes.versions([process_key]))[process_key]
    async with store.transaction() as transaction:
        if await transaction.links.find(link) is None:
            await transaction.links.add(a_link(link, name=f"engine {link}", kind=kind))
        locked = await transaction.links.lock(link)
        assert locked is not None
        lease = Lease(worker=HOLDER, until=EVENING + timedelta(days=1))
        await locked.save(LinkStatus(lease=lease))
        linked = LinkedProcess(process=process_key, link=link, engine_key=process_key.code)
        await locked.add_process(linked)
        for version in versions:
            engine_id = EngineVersionId(f"{process_key.code}:{version.number}")
            await locked.put_version(process_key, version.number, engine_id)


async def send(
    store: Store, limit: int = 1_000, *, link: LinkId = ENGINE, at: datetime = NOON
) -> OrderBatch | None:
    """Mark the next orders of a link as sent."""
    async with store.transaction() as transaction:
        held = await transaction.links.lock_held(link, HOLDER)
        assert held is not None
        return await send_orders(transaction, held, limit, clock=a_clock(at))


async def settle(
    store: Store,
    numbers: Iterable[int],
    refusal: SkipReason | None = None,
    *,
    link: LinkId = ENGINE,
    worked: float = 0,
    at: datetime = EVENING,
) -> Sequence[SettledOrders]:
    """Answer orders: confirm them, or refuse them for a reason."""
    settlements = [Settlement(number=OrderNumber(number), refusal=refusal) for number in numbers]
    async with store.transaction() as transaction:
        locked = await transaction.links.lock(link)
        assert locked is not None
        time = timedelta(seconds=worked)
        return await settle_orders(transaction, locked, settlements, worked=time, clock=a_clock(at))


async def put_back(store: Store, numbers: Iterable[int], *, link: LinkId = ENGINE) -> int:
    """Return orders that the engine has not carried out."""
    async with store.transaction() as transaction:
        locked = await transaction.links.lock(link)
        assert locked is not None
        return await put_back_orders(transaction, locked, [OrderNumber(number) for number in numbers])


async def drop(store: Store, limit: int = 1_000, *, link: LinkId = ENGINE) -> int:
    """Refuse orders of ended upgrades."""
    async with store.transaction() as transaction:
        locked = await transaction.links.lock(link)
        assert locked is not None
        return await drop_orders(transaction, locked, limit)


async def send_and_confirm(store: Store, limit: int = 1_000, *, link: LinkId = ENGINE) -> int:
    """Send and confirm all orders of a link, batch by batch; return their number."""
    confirmed = 0
    while (batch := await send(store, limit, link=link)) is not None:
        confirmed += sum(settled.confirmed for settled in await settle(store, batch.numbers, link=link))
    return confirmed


async def orders_of(store: Store, *, link: LinkId = ENGINE) -> list[Order]:
    """All orders of a link that have a number."""
    return await walk(lambda page: store.orders.page(link, page))


async def found(store: Store, upgrade: UpgradeId) -> Upgrade:
    """An upgrade as it is stored."""
    stored = await store.upgrades.find(upgrade)
    assert stored is not None
    return stored


async def versions_in(store: Store, ids: Sequence[InstanceId]) -> list[int]:
    """The versions of instances."""
    instances = await store.instances.find_many(ids)
    return [instances[instance_id].version for instance_id in ids]
