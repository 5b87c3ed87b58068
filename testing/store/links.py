"""Links: added, listed, leased and removed, with their processes, versions and sweeps."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from uplift.domain import (
    ElementId,
    LinkExists,
    OutsideScope,
    Status,
    VersionNumber,
    by_ids,
)
from uplift.domain.model.link import (
    Credentials,
    CredentialScheme,
    EngineInstanceId,
    EngineVersionId,
    LinkId,
    LinkKind,
    SecretPlace,
    TokenEndpoint,
    Webhook,
)
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.linked_process import LinkedProcess, instance_id_of
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.upgrade import Lease
from uplift.domain.ports import LockedLink, MergedInstances, Sighting, Store, SweptInstance, Transaction
from uplift.domain.scope import visible_to
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    INVOICES,
    NOON,
    ORDERS,
    UNKNOWN_PROCESS,
    a_process,
    a_worker,
    an_id,
    an_instance,
    at,
    ids_of,
    instances,
)
from uplift.testing.linked_work import ENGINE, OTHER_ENGINE, a_link, a_linked_process, found, send, settle
from uplift.testing.stores import a_transaction_that_fails, by_id
from uplift.testing.upgrade_work import request

pytestmark = pytest.mark.anyio

LINK = replace(
    a_link(name="prod"),
    tenant="blue",
    credentials=Credentials(scheme=CredentialScheme.BASIC, user="ops", environment="SECRET"),
    max_rate=12.5,
    sweep_interval=timedelta(seconds=90),
)
WITH_TOKENS = replace(
    a_link(OTHER_ENGINE, "tokens"),
    credentials=Credentials(
        scheme=CredentialScheme.OAUTH,
        user="client",
        file="/run/secrets/client",
        token_endpoint=TokenEndpoint(url="https://login.example/token", audience="orders"),
    ),
)
PULLING = replace(
    a_link(OTHER_ENGINE, name="own", kind=LinkKind.PULL),
    url=None,
    webhook=Webhook(
        url="https://shop.example/hook",
        secret=SecretPlace(environment="SECRET"),
        old_secret=SecretPlace(file="/run/secrets/old"),
    ),
)


async def add(store: Store, *links: object) -> None:
    async with store.transaction() as transaction:
        for link in links or (LINK, PULLING):
            await transaction.links.add(link)  # type: ignore[arg-type]


async def locked_in(transaction: Transaction, link: LinkId = ENGINE) -> LockedLink:
    locked = await transaction.links.lock(link)
    assert locked is not None
    return locked


def seen(number: int, version: int = 1, element: str | None = None, engine_id: str | None = None) -> Sighting:
    return Sighting(
        engine_id=EngineInstanceId(engine_id or str(an_id(number))),
        process=ORDERS,
        version=VersionNumber(version),
        element=None if element is None else ElementId(element),
    )


async def stage(store: Store, *sightings: Sighting) -> None:
    async with store.transaction() as transaction:
        await (await locked_in(transaction)).sweeps.stage(sightings)


async def staged(store: Store, *, limit: int = 100) -> list[SweptInstance]:
    """All staged instances, read in sets of `limit`."""
    swept: list[SweptInstance] = []
    async with store.transaction() as transaction:
        sweeps = (await locked_in(transaction)).sweeps
        while several := await sweeps.staged(swept[-1].id if swept else None, limit):
            assert len(several) <= limit
            swept += several
    return swept


async def merge(store: Store) -> MergedInstances:
    swept = await staged(store)
    async with store.transaction() as transaction:
        return await (await locked_in(transaction)).sweeps.merge(swept)


async def test_links_are_listed_by_name_and_found(store: Store) -> None:
    await add(store, PULLING, LINK)
    assert await store.links.all() == (PULLING, LINK)
    assert await store.links.find(LINK.id) == LINK
    assert await store.links.find(LinkId(UUID(int=7))) is None
    assert await store.links.statuses([LINK.id, LinkId(UUID(int=7))]) == {LINK.id: LinkStatus()}
    assert await store.links.all_with_status() == ((PULLING, LinkStatus()), (LINK, LinkStatus()))


async def test_a_link_keeps_where_tokens_are_fetched(store: Store) -> None:
    await add(store, WITH_TOKENS)
    assert await store.links.all() == (WITH_TOKENS,)


async def test_a_name_belongs_to_a_single_link(store: Store) -> None:
    await add(store, LINK)
    with pytest.raises(LinkExists) as refused:
        await add(store, replace(PULLING, name=LINK.name))
    assert refused.value.name == LINK.name
    assert await store.links.all() == (LINK,)


async def test_a_worker_holds_a_link_until_its_lease_expires(store: Store) -> None:
    await add(store, LINK)
    available = await store.links.claimable(NOON)
    assert available == LINK
    lease = Lease(worker="one", until=NOON + timedelta(seconds=10))
    status = LinkStatus(
        lease=lease,
        sweep_started_at=NOON,
        swept_at=EVENING,
        sweep_requested_at=NOON,
        sweep_error="It stopped.",
        unreachable_since=NOON,
        clock_difference=timedelta(seconds=-3),
        webhook_error="It answers 500.",
        announced_until=NOON,
    )
    async with store.transaction() as transaction:
        claimed = await transaction.links.lock_claimable(NOON)
        assert claimed is not None
        assert (claimed.link, claimed.status) == (LINK, LinkStatus())
        await claimed.save(status)
    assert (await store.links.statuses([LINK.id]))[LINK.id] == status
    assert await store.links.all_with_status() == ((LINK, status),)
    assert await store.links.claimable(NOON) is None
    async with store.transaction() as transaction:
        assert await transaction.links.lock_claimable(NOON) is None
        assert await transaction.links.lock_held(LINK.id, "other") is None
        held = await transaction.links.lock_held(LINK.id, "one")
        assert held is not None
        assert held.status == status
        later = await transaction.links.lock_claimable(EVENING)
        assert later is not None, "the lease has expired"


async def test_the_link_whose_lease_expired_first_is_claimed_first(store: Store) -> None:
    await add(store, LINK, PULLING)
    async with store.transaction() as transaction:
        for link, seconds in ((LINK.id, 20), (PULLING.id, 10)):
            lease = Lease(worker="gone", until=NOON + timedelta(seconds=seconds))
            await (await locked_in(transaction, link)).save(LinkStatus(lease=lease))
    assert await store.links.claimable(EVENING) == PULLING
    async with store.transaction() as transaction:
        await (await locked_in(transaction, LINK.id)).save(LinkStatus())
    assert await store.links.claimable(EVENING) == LINK, "nobody ever held it"


async def test_a_linked_process_and_its_versions_are_found(store: Store) -> None:
    await a_linked_process(store)
    await a_process(store, INVOICES)
    process = await store.processes.find(ORDERS)
    assert process is not None
    assert process.link == ENGINE
    others = await store.processes.find_many([ORDERS, INVOICES])
    assert [others[key].link for key in (ORDERS, INVOICES)] == [ENGINE, None]
    linked = LinkedProcess(process=ORDERS, link=ENGINE, engine_key="orders")
    assert await store.links.processes(ENGINE) == (linked,)
    assert await store.links.versions([ORDERS, INVOICES, UNKNOWN_PROCESS]) == {
        ORDERS: {1: "orders:1", 2: "orders:2"},
        INVOICES: {},
        UNKNOWN_PROCESS: {},
    }
    async with store.transaction() as transaction:
        replaced = EngineVersionId("orders:2:new")
        await (await locked_in(transaction)).put_version(ORDERS, VersionNumber(2), replaced)
    assert (await store.links.versions([ORDERS]))[ORDERS][VersionNumber(2)] == "orders:2:new"


async def test_a_removed_link_leaves_its_processes_and_its_name(store: Store) -> None:
    held = instances(range(3))
    await a_linked_process(store, holding=held)
    upgrade = await request(store, worker=a_worker("large"))
    batch = await send(store)
    assert batch is not None
    async with store.transaction() as transaction:
        assert await (await locked_in(transaction)).unfinished_upgrade() == upgrade.id
    await settle(store, batch.numbers)
    async with store.transaction() as transaction:
        locked = await locked_in(transaction)
        assert await locked.unfinished_upgrade() is None
        await locked.sweeps.stage([seen(1)])
        await locked.remove()
    assert (await store.links.all(), await store.links.find(ENGINE)) == ((), None)
    assert (await store.links.claimable(EVENING), await store.links.processes(ENGINE)) == (None, ())
    process = await store.processes.find(ORDERS)
    assert process is not None
    assert process.link is None
    assert (await found(store, upgrade.id)).link == ENGINE
    assert len(await by_id(store, ORDERS)) == 3
    assert (await store.links.versions([ORDERS]))[ORDERS] == {}
    await add(store, replace(a_link(OTHER_ENGINE), name=f"engine {ENGINE}"))


async def test_upgrades_of_a_link_that_have_ended_are_listed_by_their_end(store: Store) -> None:
    await a_linked_process(store, holding=instances(range(3)))
    await a_process(store, INVOICES, holding=[an_instance(9, process=INVOICES)])
    await request(store, process=INVOICES)
    ended = []
    for number, minutes in enumerate((2, 1, 3)):
        ended.append(await request(store, by_ids([an_id(number)]), worker=a_worker("large")))
        batch = await send(store)
        assert batch is not None
        await settle(store, batch.numbers, at=NOON + timedelta(minutes=minutes))

    async def listed(after: int, until: int, limit: int = 100) -> list[int]:
        start, end = (NOON + timedelta(minutes=minutes) for minutes in (after, until))
        found_ids = await store.links.ended_upgrades(ENGINE, start, end, limit)
        return [[upgrade.id for upgrade in ended].index(upgrade_id) for upgrade_id in found_ids]

    assert await listed(0, 3) == [1, 0, 2]
    assert await listed(0, 3, limit=2) == [1, 0]
    assert await listed(1, 2) == [0]
    assert await store.links.ended_upgrades(OTHER_ENGINE, NOON, EVENING, 100) == ()


async def test_a_scope_hides_links_of_other_namespaces(store: Store) -> None:
    hidden = replace(PULLING, namespace="hr")
    await a_linked_process(store, holding=[an_instance(1)])
    await add(store, hidden)
    await request(store, worker=a_worker("large"))
    await send(store)
    clerk = replace(ADMIN, namespaces=frozenset({"crm"}))
    scoped, nobody = visible_to(store, clerk), visible_to(store, replace(ADMIN, namespaces=frozenset({"no"})))
    assert [link.id for link in await scoped.links.all()] == [ENGINE]
    assert [link.id for link, _ in await scoped.links.all_with_status()] == [ENGINE]
    assert (await scoped.links.find(ENGINE), await scoped.links.find(hidden.id)) == (
        await store.links.find(ENGINE),
        None,
    )
    assert set(await scoped.links.statuses([ENGINE, hidden.id])) == {ENGINE}
    assert [len(await seen_by.links.processes(ENGINE)) for seen_by in (scoped, nobody)] == [1, 0]
    page = PageRequest(first=10)
    assert [len((await seen_by.orders.page(ENGINE, page)).items) for seen_by in (scoped, nobody)] == [1, 0]
    assert [await seen_by.orders.first_unanswered(ENGINE) for seen_by in (scoped, nobody)] == [1, None]
    assert (await nobody.links.versions([ORDERS]))[ORDERS] == {}
    async with scoped.transaction() as transaction:
        assert await transaction.links.lock(hidden.id) is None
        assert await transaction.links.find(hidden.id) is None
        assert await transaction.links.lock(ENGINE) is not None
        with pytest.raises(OutsideScope):
            await transaction.links.add(replace(hidden, id=LinkId(UUID(int=8)), name="another"))
        for needs_all in (
            transaction.links.lock_held(ENGINE, "holder"),
            transaction.links.lock_claimable(NOON),
            scoped.links.claimable(NOON),
            scoped.links.ended_upgrades(ENGINE, NOON, EVENING, 1),
        ):
            with pytest.raises(ValueError, match="use the whole store"):
                await needs_all


async def test_a_failed_transaction_leaves_no_link(store: Store) -> None:
    async with a_transaction_that_fails(store) as transaction:
        await transaction.links.add(LINK)
    assert await store.links.all() == ()


async def test_a_sweep_gathers_what_it_saw_of_each_instance(store: Store) -> None:
    await a_linked_process(store)
    await stage(store, seen(1), seen(2), seen(3))
    await stage(store, seen(1, element="check"), seen(2, element="check"))
    await stage(store, seen(1, element="approve"))
    swept = await staged(store, limit=2)
    assert [instance.id for instance in swept] == sorted(an_id(number) for number in (1, 2, 3))
    assert {instance.id: instance.position for instance in swept} == {
        an_id(1): at("approve", "check"),
        an_id(2): at("check"),
        an_id(3): at(),
    }
    assert {(instance.process, instance.version) for instance in swept} == {(ORDERS, 1)}


async def test_of_two_versions_of_an_instance_the_one_seen_last_counts(store: Store) -> None:
    await a_linked_process(store)
    await stage(store, seen(1, element="check"), seen(2, version=2, element="check"), seen(2))
    await stage(store, seen(1, version=2, element="approve"))
    assert [(instance.id, instance.version, instance.position) for instance in await staged(store)] == sorted(
        [(an_id(1), 2, at("approve")), (an_id(2), 1, at())]
    )


async def test_a_merge_registers_new_instances_and_changes_known_ones(store: Store) -> None:
    same, moved, upgraded, ended = instances(range(4))
    await a_linked_process(
        store, holding=[same, moved, upgraded, replace(ended, status=Status.COMPLETED), an_instance(8)]
    )
    await stage(store, *(seen(number) for number in (0, 1, 3, 5)), seen(2, version=2))
    await stage(store, *(seen(number, element="approve") for number in (0, 3)), seen(1, element="check"))
    await stage(store, seen(5, element="check"), seen(2, version=2, element="approve"))
    assert await merge(store) == MergedInstances(registered=1, changed=3, ordered=0, foreign=0)
    known = await by_id(store, ORDERS)
    assert {key: (item.version, item.status, item.position) for key, item in known.items()} == {
        an_id(0): (1, Status.PENDING, at("approve")),
        an_id(1): (1, Status.PENDING, at("check")),
        an_id(2): (2, Status.PENDING, at("approve")),
        an_id(3): (1, Status.PENDING, at("approve")),
        an_id(5): (1, Status.PENDING, at("check")),
        an_id(8): (1, Status.PENDING, at("approve")),
    }
    assert await merge(store) == MergedInstances(registered=0, changed=0, ordered=0, foreign=0)


async def test_an_engine_may_have_ids_of_any_form(store: Store) -> None:
    await a_linked_process(store)
    await stage(store, seen(0, engine_id="4711"), seen(0, engine_id="4711", element="check"), seen(1))
    await merge(store)
    numbered = instance_id_of(ENGINE, EngineInstanceId("4711"))
    assert set(await by_id(store, ORDERS)) == {numbered, an_id(1)}
    await request(store, worker=a_worker("large"))
    batches = [await send(store), await send(store)]
    sent = {order.instance: order.engine_id for batch in batches if batch for order in batch.orders}
    assert sent == {numbered: "4711", an_id(1): str(an_id(1))}
    async with store.transaction() as transaction:
        await (await locked_in(transaction)).sweeps.clear(100)
    await settle(store, [1, 2])
    async with store.transaction() as transaction:
        unseen = await (await locked_in(transaction)).sweeps.unseen(ORDERS, 0, 100)
    assert {item.id: item.engine_id for item in unseen.instances} == sent


async def test_two_spellings_of_a_uuid_are_a_single_instance(store: Store) -> None:
    await a_linked_process(store)
    await stage(store, seen(1, engine_id=str(an_id(1)).upper()), seen(1, element="check"))
    assert [(item.id, item.position) for item in await staged(store)] == [(an_id(1), at("check"))]


async def test_a_sweep_leaves_instances_with_unsettled_orders_alone(store: Store) -> None:
    await a_linked_process(store, holding=instances(range(4)))
    await request(store, worker=a_worker("large"))
    await send(store, 2)
    await stage(store, *(seen(number, version=2) for number in range(4)))
    assert await merge(store) == MergedInstances(registered=0, changed=0, ordered=4, foreign=0)
    await settle(store, [1, 2])
    async with store.transaction() as transaction:
        sweeps = (await locked_in(transaction)).sweeps
        assert await sweeps.complete(ids_of(instances(range(4)))) == 2, "two orders are unsettled"
        await sweeps.clear(100)
        assert (await sweeps.unseen(ORDERS, 0, 100)).instances == ()


async def test_an_instance_of_another_process_is_not_changed(store: Store) -> None:
    await a_linked_process(store)
    other = an_instance(1, process=INVOICES)
    await a_process(store, INVOICES, holding=[other])
    await stage(store, seen(1, version=2))
    assert await merge(store) == MergedInstances(registered=0, changed=0, ordered=0, foreign=1)
    assert await by_id(store, INVOICES) == {other.id: other}
    async with store.transaction() as transaction:
        assert await (await locked_in(transaction)).sweeps.complete([other.id]) == 0


async def test_active_instances_that_were_not_seen_are_found_and_completed(store: Store) -> None:
    held = instances(range(5))
    await a_linked_process(store, holding=[*held, an_instance(9, status=Status.FAILED)])
    await stage(store, seen(1), seen(3))
    unseen = []
    async with store.transaction() as transaction:
        sweeps = (await locked_in(transaction)).sweeps
        after: int | None = 0
        while after is not None:
            page = await sweeps.unseen(ORDERS, after, 2)
            unseen += [item.id for item in page.instances]
            after = page.next
        assert unseen == [an_id(0), an_id(2), an_id(4)]
        assert await sweeps.complete([an_id(0), an_id(4), an_id(9), an_id(99)]) == 2
    known = await by_id(store, ORDERS)
    assert [known[an_id(number)].status for number in (0, 2, 4, 9)] == [
        Status.COMPLETED,
        Status.PENDING,
        Status.COMPLETED,
        Status.FAILED,
    ]


async def test_what_was_staged_is_cleared_in_parts(store: Store) -> None:
    await a_linked_process(store)
    await stage(store, *(seen(number) for number in range(5)))
    cleared = []
    async with store.transaction() as transaction:
        sweeps = (await locked_in(transaction)).sweeps
        while count := await sweeps.clear(2):
            cleared.append(count)
    assert sum(cleared) == 5
    assert max(cleared) <= 2
    assert await staged(store) == []
