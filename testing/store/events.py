"""The events in the life of an upgrade: what happened, when, and by whom."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from uplift.domain import (
    Caller,
    ErrorCode,
    Role,
    Upgrade,
    UpgradeEvent,
    UpgradeEventKind,
    UpgradeState,
    cancel_upgrade,
    get_events,
    get_upgrade,
    pause_upgrade,
    prune_outcomes,
    resume_upgrade,
)
from uplift.domain.model.upgrade_event import MAX_EVENTS
from uplift.domain.ports import Store
from uplift.domain.use_cases.worker import fail_upgrade
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    NOON,
    a_clock,
    a_process,
    a_worker,
    an_upgrade_id,
    instances,
)
from uplift.testing.refusals import refused
from uplift.testing.upgrade_work import SMALL, request, taken, work

pytestmark = pytest.mark.anyio

LARGE = a_worker("large", size=1_000)
NIGHT = Caller(name="night shift", role=Role.SYSTEM_ADMIN)
Kind = UpgradeEventKind
REQUESTED = UpgradeEvent(at=NOON, kind=Kind.REQUESTED, by=ADMIN.name)
STARTED = UpgradeEvent(at=NOON, kind=Kind.STARTED)
COMPLETED = UpgradeEvent(at=NOON, kind=Kind.COMPLETED)
LATER = EVENING + timedelta(days=1)


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


async def a_queued_upgrade(store: Store) -> Upgrade:
    await a_process(store, holding=instances(range(5)))
    return await request(store)


async def events_now(store: Store, upgrade: Upgrade) -> list[UpgradeEvent]:
    return list(await get_events(store, await get_upgrade(store, upgrade.id)))


async def test_an_upgrade_within_one_request_is_requested_started_and_completed(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    done = await request(store, worker=LARGE)
    assert await events_now(store, done) == [REQUESTED, STARTED, COMPLETED]


async def test_events_say_who_paused_resumed_and_cancelled_an_upgrade_and_when(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    assert await events_now(store, queued) == [REQUESTED]
    await taken(store, queued.id)
    for number, (act, caller) in enumerate(
        [(pause_upgrade, ADMIN), (resume_upgrade, NIGHT), (pause_upgrade, NIGHT), (cancel_upgrade, ADMIN)]
    ):
        await act(store, queued.id, caller=caller, clock=a_clock(NOON + minutes(number)))
    assert await events_now(store, queued) == [
        REQUESTED,
        STARTED,
        UpgradeEvent(at=NOON, kind=Kind.PAUSED, by=ADMIN.name),
        UpgradeEvent(at=NOON + minutes(1), kind=Kind.RESUMED, by=NIGHT.name),
        UpgradeEvent(at=NOON + minutes(2), kind=Kind.PAUSED, by=NIGHT.name),
        UpgradeEvent(at=NOON + minutes(3), kind=Kind.CANCELLED, by=ADMIN.name),
    ]


async def test_a_failure_and_a_later_start_are_events_of_workers(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    await pause_upgrade(store, queued.id, caller=ADMIN, clock=a_clock(NOON))
    await resume_upgrade(store, queued.id, caller=ADMIN, clock=a_clock(NOON + minutes(1)))
    late = replace(SMALL, clock=a_clock(NOON + minutes(2)))
    claimed = await taken(store, queued.id, late)
    assert await fail_upgrade(store, claimed, late, "RuntimeError: on purpose") is not None
    assert [(event.kind, event.at - NOON, event.by) for event in await events_now(store, queued)] == [
        (Kind.REQUESTED, minutes(0), ADMIN.name),
        (Kind.PAUSED, minutes(0), ADMIN.name),
        (Kind.RESUMED, minutes(1), ADMIN.name),
        (Kind.STARTED, minutes(2), None),
        (Kind.FAILED, minutes(2), None),
    ]


@pytest.mark.parametrize("by", ["cli:eve", None])
async def test_pruning_is_an_event_and_takes_the_pauses_with_it(store: Store, by: str | None) -> None:
    queued = await a_queued_upgrade(store)
    await pause_upgrade(store, queued.id, caller=ADMIN)
    await resume_upgrade(store, queued.id, caller=ADMIN)
    await work(store, queued.id)
    await prune_outcomes(store, before=EVENING, by=by, clock=a_clock(EVENING))
    await prune_outcomes(store, before=LATER, by="again", clock=a_clock(LATER))
    pruned = UpgradeEvent(at=EVENING, kind=Kind.PRUNED, by=by)
    assert await events_now(store, queued) == [REQUESTED, STARTED, COMPLETED, pruned]


async def test_who_cancelled_an_upgrade_is_known_after_pruning(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    await cancel_upgrade(store, queued.id, caller=NIGHT, clock=a_clock(NOON))
    await prune_outcomes(store, before=EVENING, clock=a_clock(EVENING))
    assert await events_now(store, queued) == [
        REQUESTED,
        UpgradeEvent(at=NOON, kind=Kind.CANCELLED, by=NIGHT.name),
        UpgradeEvent(at=EVENING, kind=Kind.PRUNED),
    ]


async def test_an_end_without_a_stored_event_is_an_event_without_a_name(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    async with store.transaction() as transaction:
        locked = await transaction.upgrades.lock(queued.id)
        assert locked is not None
        await locked.save(locked.upgrade.finished(UpgradeState.CANCELLED, EVENING))
    assert await events_now(store, queued) == [REQUESTED, UpgradeEvent(at=EVENING, kind=Kind.CANCELLED)]


async def test_an_event_is_stored_with_the_change_or_not_at_all(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    await pause_upgrade(store, queued.id, caller=ADMIN, clock=a_clock(NOON))
    paused = [REQUESTED, UpgradeEvent(at=NOON, kind=Kind.PAUSED, by=ADMIN.name)]
    with suppress(ZeroDivisionError):
        async with store.transaction() as transaction:
            locked = await transaction.upgrades.lock(queued.id)
            assert locked is not None
            await locked.add_event(UpgradeEvent(at=NOON, kind=Kind.RESUMED, by=ADMIN.name))
            raise ZeroDivisionError
    async with refused(store, ErrorCode.WRONG_STATE):
        await pause_upgrade(store, queued.id, caller=ADMIN)
    assert await events_now(store, queued) == paused


async def test_only_the_latest_events_of_operators_are_shown(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    added = [
        UpgradeEvent(at=NOON + minutes(number), kind=Kind.PAUSED, by=f"operator {number}")
        for number in range(MAX_EVENTS + 3)
    ]
    async with store.transaction() as transaction:
        locked = await transaction.upgrades.lock(queued.id)
        assert locked is not None
        for event in added:
            await locked.add_event(event)
    assert await events_now(store, queued) == [REQUESTED, *added[3:]]


async def test_the_events_of_several_upgrades_are_read_together(store: Store) -> None:
    first = await a_queued_upgrade(store)
    second, unknown = await request(store), an_upgrade_id(404)
    for upgrade, caller in ((first, ADMIN), (second, NIGHT)):
        await pause_upgrade(store, upgrade.id, caller=caller, clock=a_clock(NOON))
    assert await store.upgrades.operator_events([second.id, unknown, first.id]) == {
        first.id: (UpgradeEvent(at=NOON, kind=Kind.PAUSED, by=ADMIN.name),),
        second.id: (UpgradeEvent(at=NOON, kind=Kind.PAUSED, by=NIGHT.name),),
        unknown: (),
    }
    assert await store.upgrades.operator_events([]) == {}
