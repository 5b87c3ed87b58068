"""Operators pause, resume and cancel upgrades in certain states, between two chunks."""

from asyncio import Task, create_task
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from uplift.domain import (
    ReasonCode,
    RetryRequest,
    UndoRequest,
    Upgrade,
    UpgradeAction,
    UpgradeId,
    UpgradeState,
    allowed_actions,
    cancel_upgrade,
    claim,
    pause_upgrade,
    request_retry,
    request_undo,
    resume_upgrade,
    run_upgrade,
)
from uplift.domain.errors import ErrorCode, WrongState
from uplift.domain.ports import Store
from uplift.domain.use_cases.worker import fail_upgrade
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    ORDERS,
    READER,
    a_clock,
    a_process,
    a_worker,
    an_id,
    an_upgrade_id,
    instances,
)
from uplift.testing.refusals import refused
from uplift.testing.stores import everything_in, instances_of
from uplift.testing.upgrade_work import (
    SMALL,
    UPGRADED,
    kinds_of,
    leases_of,
    request,
    taken,
    work,
    work_and_die,
)

pytestmark = pytest.mark.anyio

ACTS = {"pause": pause_upgrade, "resume": resume_upgrade, "cancel": cancel_upgrade}
ALLOWED = {
    "pause": (UpgradeState.QUEUED, UpgradeState.RUNNING),
    "resume": (UpgradeState.PAUSED,),
    "cancel": (UpgradeState.QUEUED, UpgradeState.RUNNING, UpgradeState.PAUSED),
}
EVERY_ACT = pytest.mark.parametrize("act", list(ACTS))
EVERY_STATE = pytest.mark.parametrize("state", list(UpgradeState))


async def act_on(store: Store, act: str, upgrade: UpgradeId) -> Upgrade:
    return await ACTS[act](store, upgrade, caller=ADMIN)


async def an_upgrade_that_is(store: Store, state: UpgradeState) -> Upgrade:
    """An upgrade of five instances in this state, two of them done unless it is queued."""
    await a_process(store, holding=instances(range(5)))
    queued = await request(store)
    if state is UpgradeState.QUEUED:
        return queued
    running = await work_and_die(store, queued.id, chunks=1)
    match state:
        case UpgradeState.RUNNING:
            return running
        case UpgradeState.PAUSED:
            return await pause_upgrade(store, queued.id, caller=ADMIN)
        case UpgradeState.CANCELLED:
            return await cancel_upgrade(store, queued.id, caller=ADMIN)
        case UpgradeState.FAILED:
            failed = await fail_upgrade(store, running, SMALL, "RuntimeError: on purpose")
            assert failed is not None
            return failed
        case UpgradeState.COMPLETED:
            return await run_upgrade(store, running, SMALL)


@EVERY_STATE
@EVERY_ACT
async def test_each_action_is_allowed_only_in_certain_states(
    store: Store, act: str, state: UpgradeState
) -> None:
    upgrade = await an_upgrade_that_is(store, state)
    assert upgrade.state is state
    allowed = ALLOWED[act]
    assert (UpgradeAction(act.upper()) in allowed_actions(upgrade)) == (state in allowed)
    if state in allowed:
        assert (await act_on(store, act, upgrade.id)).state is not state
        return
    message = f"Expected to {act} upgrade {upgrade.id} while it is {' or '.join(allowed)}, but it is {state}."
    async with refused(store, ErrorCode.WRONG_STATE, message, ("upgrade_id",)) as caught:
        await act_on(store, act, upgrade.id)
    assert isinstance(caught.value, WrongState)
    assert (caught.value.upgrade_id, caught.value.state, caught.value.allowed) == (upgrade.id, state, allowed)


@EVERY_STATE
async def test_an_upgrade_allows_a_retry_and_an_undo_unless_they_are_refused(
    store: Store, state: UpgradeState
) -> None:
    upgrade = await an_upgrade_that_is(store, state)
    retry = RetryRequest(upgrade_id=upgrade.id, reasons=frozenset({ReasonCode.NOT_PENDING}))
    undo = UndoRequest(upgrade_id=upgrade.id)
    if upgrade.is_finished:
        assert allowed_actions(upgrade) == (UpgradeAction.RETRY, UpgradeAction.UNDO)
        assert (await request_retry(store, retry, caller=ADMIN, worker=SMALL)).of == upgrade.id
        undone = await request_undo(store, undo, caller=ADMIN, worker=SMALL)
        assert undone.of == upgrade.id
        assert not {UpgradeAction.RETRY, UpgradeAction.UNDO} & set(allowed_actions(undone))
        return
    assert not {UpgradeAction.RETRY, UpgradeAction.UNDO} & set(allowed_actions(upgrade))
    async with refused(store, ErrorCode.WRONG_STATE):
        await request_retry(store, retry, caller=ADMIN, worker=SMALL)
    async with refused(store, ErrorCode.WRONG_STATE):
        await request_undo(store, undo, caller=ADMIN, worker=SMALL)


@EVERY_ACT
async def test_an_unknown_upgrade_cannot_be_controlled(store: Store, act: str) -> None:
    await a_process(store)
    unknown = an_upgrade_id(404)
    message = f"Expected to find upgrade {unknown}, but there is none."
    async with refused(store, ErrorCode.UPGRADE_NOT_FOUND, message, ("upgrade_id",)):
        await act_on(store, act, unknown)


@EVERY_ACT
async def test_a_reader_controls_nothing(store: Store, act: str) -> None:
    queued = await an_upgrade_that_is(store, UpgradeState.QUEUED)
    async with refused(store, ErrorCode.FORBIDDEN):
        await ACTS[act](store, queued.id, caller=READER)


@pytest.mark.parametrize("state", ALLOWED["pause"])
async def test_no_worker_runs_a_paused_upgrade_until_it_is_resumed(store: Store, state: UpgradeState) -> None:
    before = await an_upgrade_that_is(store, state)
    paused = await pause_upgrade(store, before.id, caller=ADMIN)
    assert paused == replace(before, state=UpgradeState.PAUSED)
    held = await everything_in(store)
    assert await claim(store, a_worker("other", clock=a_clock(EVENING))) is None
    if state is UpgradeState.RUNNING:
        assert await run_upgrade(store, before, SMALL) == paused
    assert await everything_in(store) == held
    resumed = await resume_upgrade(store, before.id, caller=ADMIN)
    assert resumed == replace(paused, state=UpgradeState.QUEUED)
    done = await work(store, before.id, a_worker("other", size=2))
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 5, 0)
    assert await kinds_of(store, done.id) == {an_id(n): UPGRADED for n in range(5)}


@pytest.mark.parametrize("state", ALLOWED["cancel"])
async def test_a_cancelled_upgrade_keeps_its_outcomes_and_makes_no_more(
    store: Store, state: UpgradeState
) -> None:
    before = await an_upgrade_that_is(store, state)
    cancelled = await cancel_upgrade(store, before.id, caller=ADMIN, clock=a_clock(EVENING))
    assert cancelled == replace(before, state=UpgradeState.CANCELLED, finished_at=EVENING)
    assert await store.upgrades.find(before.id) == cancelled
    held = await everything_in(store)
    assert await claim(store, a_worker("other", clock=a_clock(EVENING))) is None
    if state is UpgradeState.RUNNING:
        assert await run_upgrade(store, before, SMALL) == cancelled
    assert await everything_in(store) == held
    done = before.upgraded
    assert done == (0 if state is UpgradeState.QUEUED else 2)
    assert await kinds_of(store, before.id) == {an_id(n): UPGRADED for n in range(done)}
    assert await instances_of(store, ORDERS) == [
        *instances(range(done), version=2),
        *instances(range(done, 5)),
    ]


@pytest.mark.parametrize(
    ("act", "state"),
    [(pause_upgrade, UpgradeState.PAUSED), (cancel_upgrade, UpgradeState.CANCELLED)],
    ids=["pause", "cancel"],
)
async def test_a_worker_stops_after_its_present_chunk(
    store: Store, act: Callable[..., Awaitable[Upgrade]], state: UpgradeState
) -> None:
    await a_process(store, holding=instances(range(40)))
    queued = await request(store)
    tasks: list[Task[Upgrade]] = []

    async def control() -> Upgrade:
        return await act(store, queued.id, caller=ADMIN)

    def interfere(upgrade: Upgrade) -> None:
        if upgrade.upgraded == 6 and not tasks:
            tasks.append(create_task(control()))

    returned = await run_upgrade(store, await taken(store, queued.id), SMALL, on_progress=interfere)
    [task] = tasks
    stopped = await task
    assert stopped == returned
    assert returned.state is state
    assert await leases_of(store, queued.id) == [None]
    assert 6 <= returned.upgraded < 40
    assert returned.upgraded % 2 == 0
    assert await kinds_of(store, queued.id) == {an_id(n): UPGRADED for n in range(returned.upgraded)}
    assert [instance.version for instance in await instances_of(store, ORDERS)] == [
        2 if n < returned.upgraded else 1 for n in range(40)
    ]


async def test_a_paused_upgrade_does_not_block_others_of_its_process(store: Store) -> None:
    paused = await an_upgrade_that_is(store, UpgradeState.PAUSED)
    other = await request(store)
    done = await work(store, other.id)
    assert (done.upgraded, done.skipped) == (3, 2)
    await resume_upgrade(store, paused.id, caller=ADMIN)
    rest = await work(store, paused.id)
    assert (rest.upgraded, rest.skipped) == (2, 3)


async def test_a_paused_upgrade_can_be_cancelled_and_no_longer_resumed(store: Store) -> None:
    paused = await an_upgrade_that_is(store, UpgradeState.PAUSED)
    await cancel_upgrade(store, paused.id, caller=ADMIN)
    async with refused(store, ErrorCode.WRONG_STATE):
        await resume_upgrade(store, paused.id, caller=ADMIN)
