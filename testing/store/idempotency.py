"""A request that is repeated with its idempotency key returns its first upgrade, and does nothing twice."""

from asyncio import gather
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from uplift.domain import (
    Caller,
    ReasonCode,
    Role,
    Status,
    Upgrade,
    VersionNumber,
    plan_upgrade,
    request_retry,
    request_undo,
    request_upgrade,
)
from uplift.domain.errors import ErrorCode
from uplift.domain.model.idempotency import IdempotencyConflict
from uplift.domain.model.mapping import VersionMapping
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.selection import all_active, by_ids
from uplift.domain.ports import Store
from uplift.domain.use_cases.prune import prune_outcomes
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    INVOICES,
    NOON,
    ORDERS,
    READER,
    MovableClock,
    a_clock,
    a_process,
    a_report,
    a_worker,
    an_id,
    an_instance,
    an_instruction,
    instances,
)
from uplift.testing.refusals import refused
from uplift.testing.stores import everything_in, instances_of, upgrades_of
from uplift.testing.upgrade_work import request, work

pytestmark = pytest.mark.anyio

LARGE = a_worker("large", size=1_000)
OTHER_ADMIN = Caller(name="other", role=Role.SYSTEM_ADMIN)


async def test_the_same_request_with_the_same_key_returns_the_same_upgrade(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    first = await request(store, worker=LARGE, idempotency_key="one", reason="why")
    before = await everything_in(store)
    assert await request(store, worker=LARGE, idempotency_key="one", reason="why") == first
    assert (
        await request(store, worker=a_worker("other", size=1), idempotency_key="one", reason="why") == first
    )
    assert await everything_in(store) == before


async def test_a_repeated_request_returns_the_present_state_of_its_upgrade(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    first = await request(store, idempotency_key="one")
    done = await work(store, first.id)
    assert (done.id, done.upgraded) == (first.id, 3)
    assert await request(store, idempotency_key="one") == done
    assert await upgrades_of(store) == [done]


async def test_without_a_key_each_request_makes_an_upgrade(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    ids = {(await request(store, worker=LARGE)).id for _ in range(2)}
    assert len(ids) == 2


OTHER_REQUESTS: dict[str, Callable[[Store], Awaitable[Upgrade]]] = {
    "selection": lambda store: request(store, by_ids([an_id(1)]), worker=LARGE, idempotency_key="one"),
    "excluded": lambda store: request(store, all_active([an_id(1)]), worker=LARGE, idempotency_key="one"),
    "reason": lambda store: request(store, worker=LARGE, idempotency_key="one", reason="another"),
    "process": lambda store: request(store, process=INVOICES, worker=LARGE, idempotency_key="one"),
    "fingerprint": lambda store: request(store, worker=LARGE, idempotency_key="one", fingerprint="2-3-0-abc"),
    "mappings": lambda store: request(
        store,
        worker=LARGE,
        idempotency_key="one",
        mappings=(VersionMapping(from_version=VersionNumber(1), instructions=(an_instruction("a", "b"),)),),
    ),
}


@pytest.mark.parametrize("other", list(OTHER_REQUESTS))
async def test_another_request_with_the_same_key_is_refused(store: Store, other: str) -> None:
    await a_process(store, INVOICES, holding=[an_instance(20, process=INVOICES)])
    await a_process(store, holding=instances(range(3)))
    first = await request(store, worker=LARGE, idempotency_key="one")
    message = (
        "Expected idempotency key 'one' to come with the request it came with first, "
        f"which led to upgrade {first.id}, but this request is another one."
    )
    async with refused(store, ErrorCode.IDEMPOTENCY_CONFLICT, message, ("idempotency_key",)) as caught:
        await OTHER_REQUESTS[other](store)
    assert isinstance(caught.value, IdempotencyConflict)
    assert (caught.value.key, caught.value.upgrade_id) == ("one", first.id)


async def test_the_same_key_of_another_caller_is_another_key(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    first = await request(store, worker=LARGE, idempotency_key="one")
    other = await request_upgrade(
        store,
        UpgradeRequest(process=ORDERS, selection=by_ids([an_id(0)]), idempotency_key="one"),
        caller=OTHER_ADMIN,
        worker=LARGE,
    )
    assert other.id != first.id
    assert (other.requested_by, other.skipped) == ("other", 1)
    assert await request(store, worker=LARGE, idempotency_key="one") == first


@pytest.mark.parametrize("size", [2, 1_000])
async def test_sixteen_concurrent_requests_with_one_key_make_one_upgrade(store: Store, size: int) -> None:
    await a_process(store, holding=instances(range(5)))
    results = await gather(
        *(request(store, worker=a_worker(f"worker {n}", size=size), idempotency_key="one") for n in range(16))
    )
    [upgrade] = await upgrades_of(store)
    assert results == [upgrade] * 16
    assert await instances_of(store, ORDERS) == instances(range(5), version=1 if size == 2 else 2)


async def test_of_concurrent_requests_that_differ_under_one_key_one_is_carried_out(store: Store) -> None:
    await a_process(store, holding=instances(range(8)))
    results = await gather(
        *(request(store, by_ids([an_id(n)]), worker=LARGE, idempotency_key="one") for n in range(8)),
        return_exceptions=True,
    )
    [done] = [result for result in results if isinstance(result, Upgrade)]
    refusals = [result for result in results if isinstance(result, IdempotencyConflict)]
    assert [refusal.upgrade_id for refusal in refusals] == [done.id] * 7
    assert await upgrades_of(store) == [done]
    assert sum(instance.version == 2 for instance in await instances_of(store, ORDERS)) == 1


async def test_a_key_expires_after_a_day(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    clock = MovableClock()
    worker = a_worker(size=1_000, clock=clock)
    first = await request(store, worker=worker, idempotency_key="one")
    clock.advance(hours=24)
    assert await request(store, worker=worker, idempotency_key="one") == first
    async with refused(store, ErrorCode.IDEMPOTENCY_CONFLICT):
        await request(store, by_ids([an_id(1)]), worker=worker, idempotency_key="one")
    clock.advance(microseconds=1)
    second = await request(store, by_ids([an_id(1)]), worker=worker, idempotency_key="one")
    assert (second.id == first.id, second.requested_at) == (False, NOON + timedelta(hours=24, microseconds=1))
    assert await request(store, by_ids([an_id(1)]), worker=worker, idempotency_key="one") == second
    clock.advance(hours=24)
    assert await request(store, by_ids([an_id(1)]), worker=worker, idempotency_key="one") == second


async def test_a_refused_request_does_not_use_up_its_key(store: Store) -> None:
    await a_process(store, published=0)
    async with refused(store, ErrorCode.NO_PUBLISHED_VERSION):
        await request(store, worker=LARGE, idempotency_key="one", reason="too early")
    await a_process(store, INVOICES, holding=[an_instance(20, process=INVOICES)])
    done = await request(store, process=INVOICES, worker=LARGE, idempotency_key="one")
    assert done.upgraded == 1


async def test_a_repeated_request_is_recognized_before_its_plan_is_checked(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=all_active()))
    first = await request(store, worker=LARGE, idempotency_key="one", fingerprint=str(plan.fingerprint))
    assert first.upgraded == 3
    async with refused(store, ErrorCode.PLAN_CHANGED):
        await request(store, worker=LARGE, fingerprint=str(plan.fingerprint))
    assert (
        await request(store, worker=LARGE, idempotency_key="one", fingerprint=str(plan.fingerprint)) == first
    )


async def test_a_retry_or_undo_of_an_upgrade_that_was_pruned_since_can_be_repeated(store: Store) -> None:
    await a_process(store, holding=[*instances(range(3)), an_instance(3, status=Status.RUNNING)])
    earlier = await request(store, worker=LARGE)
    late = a_worker("late", clock=a_clock(EVENING))
    reasons = frozenset({ReasonCode.NOT_PENDING})

    async def follow() -> list[Upgrade]:
        return [
            await request_retry(
                store,
                RetryRequest(upgrade_id=earlier.id, reasons=reasons, idempotency_key="retry"),
                caller=ADMIN,
                worker=late,
            ),
            await request_undo(
                store, UndoRequest(upgrade_id=earlier.id, idempotency_key="undo"), caller=ADMIN, worker=late
            ),
        ]

    followed = await follow()
    assert await prune_outcomes(store, before=EVENING, clock=a_clock(EVENING)) == earlier.total
    assert await follow() == followed
    async with refused(store, ErrorCode.INVALID_INPUT):
        await request_undo(
            store, UndoRequest(upgrade_id=earlier.id, idempotency_key="another"), caller=ADMIN, worker=late
        )


async def test_retries_and_undos_have_keys_too(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    earlier = await request(store, worker=LARGE)
    reasons = [ReasonCode.NOT_PENDING, ReasonCode.ALREADY_LATEST, ReasonCode.INCOMPATIBLE]
    retries = [
        await request_retry(
            store,
            RetryRequest(upgrade_id=earlier.id, reasons=frozenset(order), idempotency_key="retry"),
            caller=ADMIN,
            worker=LARGE,
        )
        for order in (reasons, reasons[::-1], [*reasons[1:], reasons[0]])
    ]
    assert retries == [retries[0]] * 3
    undos = [
        await request_undo(
            store, UndoRequest(upgrade_id=earlier.id, idempotency_key="undo"), caller=ADMIN, worker=LARGE
        )
        for _ in range(2)
    ]
    assert undos == [undos[0]] * 2
    assert len(await upgrades_of(store)) == 3
    async with refused(store, ErrorCode.IDEMPOTENCY_CONFLICT):
        await request_undo(
            store, UndoRequest(upgrade_id=earlier.id, idempotency_key="retry"), caller=ADMIN, worker=LARGE
        )
    async with refused(store, ErrorCode.IDEMPOTENCY_CONFLICT):
        reason = frozenset({ReasonCode.NOT_PENDING})
        await request_retry(
            store,
            RetryRequest(upgrade_id=earlier.id, reasons=reason, idempotency_key="retry"),
            caller=ADMIN,
            worker=LARGE,
        )


@pytest.mark.parametrize(
    "key", ["", "k" * 256, "a\nb", "a\0b", "\ud800"], ids=["empty", "long", "line", "nul", "surrogate"]
)
async def test_an_invalid_key_is_refused(store: Store, key: str) -> None:
    await a_process(store, holding=instances(range(3)))
    message = f"Expected an idempotency key of 1 to 255 printable characters, but got {key[:100]!r}."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("idempotency_key",)):
        await request(store, idempotency_key=key)


@pytest.mark.parametrize("key", ["k", "订单 'x'" * 10, "k" * 255], ids=["short", "any script", "long"])
async def test_any_printable_key_is_valid(store: Store, key: str) -> None:
    await a_process(store, holding=instances(range(3)))
    first = await request(store, idempotency_key=key)
    assert await request(store, idempotency_key=key) == first


async def test_a_reader_does_not_get_an_upgrade_by_its_key(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    await request(store, idempotency_key="one")
    async with refused(store, ErrorCode.FORBIDDEN):
        await request_upgrade(
            store,
            UpgradeRequest(process=ORDERS, selection=all_active(), idempotency_key="one"),
            caller=READER,
            worker=LARGE,
        )


async def test_a_repeated_request_is_recognized_after_its_instances_changed(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    first = await request(store, worker=LARGE, idempotency_key="one")
    async with store.transaction() as transaction:
        await transaction.instances.register(ORDERS, instances([7]))
        await transaction.instances.report(ORDERS, [a_report(1, status=Status.COMPLETED)])
    assert await request(store, worker=LARGE, idempotency_key="one") == first
