"""A retry selects the instances that an upgrade skipped for certain reasons."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.bpmn_builder import a_process as a_document
from uplift.domain import (
    ElementId,
    InstanceId,
    ReasonCode,
    Status,
    Upgrade,
    UpgradeState,
    VersionNumber,
    Worker,
    cancel_upgrade,
    pause_upgrade,
    register_instances,
    report_instances,
    request_retry,
    request_undo,
)
from uplift.domain.errors import ErrorCode
from uplift.domain.model.mapping import MappingInstruction, VersionMapping
from uplift.domain.model.request import RetryRequest, UndoRequest
from uplift.domain.model.selection import SelectionKind, by_ids
from uplift.domain.ports import Store
from uplift.domain.use_cases.prune import prune_outcomes
from uplift.domain.use_cases.request import RETRIABLE_REASONS
from uplift.domain.use_cases.worker import fail_upgrade
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    NOON,
    ORDERS,
    READER,
    a_clock,
    a_modelled_process,
    a_process,
    a_report,
    a_worker,
    an_id,
    an_instance,
    an_upgrade_id,
    at,
    instances,
)
from uplift.testing.refusals import refused
from uplift.testing.stores import by_id, instances_of, outcomes_of
from uplift.testing.upgrade_work import (
    SKIPPED,
    SMALL,
    UPGRADED,
    kinds_of,
    request,
    work,
    work_and_die,
)

pytestmark = pytest.mark.anyio

LARGE = a_worker("large", size=1_000)
NOT_PENDING, ALREADY_LATEST = ReasonCode.NOT_PENDING, ReasonCode.ALREADY_LATEST
INCOMPATIBLE = ReasonCode.INCOMPATIBLE

BEFORE = a_document("orders").start().user_task("check").user_task("approve").end().xml()
AFTER = a_document("orders").start().user_task("check").user_task("confirm").end().xml()


async def retry(
    store: Store, of: Upgrade, *reasons: ReasonCode, worker: Worker = LARGE, **more: Any
) -> Upgrade:
    return await request_retry(
        store, RetryRequest(upgrade_id=of.id, reasons=frozenset(reasons), **more), caller=ADMIN, worker=worker
    )


async def a_mixed_upgrade(store: Store, worker: Worker = LARGE) -> Upgrade:
    """An upgrade of instances 0 to 8: three move, the others are skipped, for every reason there is."""
    await a_modelled_process(
        store,
        BEFORE,
        AFTER,
        holding=[
            *instances([0, 1, 2], position=at("check")),
            an_instance(3, position=at("check"), status=Status.RUNNING),
            an_instance(4, position=at("check"), version=2),
            an_instance(5, position=at("check"), version=2, status=Status.RUNNING),
            *instances([6, 7], position=at("approve")),
        ],
    )
    done = await request(store, by_ids(map(an_id, [8, 7, 6, 5, 4, 3, 2, 1, 0])), worker=LARGE)
    assert (done.upgraded, done.skipped) == (3, 6)
    return done


async def selected_by(store: Store, upgrade: Upgrade) -> list[InstanceId]:
    return [outcome.instance for outcome in await outcomes_of(store, upgrade.id)]


@pytest.mark.parametrize(
    ("reasons", "numbers"),
    [
        ([NOT_PENDING], [3, 5]),
        ([ALREADY_LATEST], [4, 5]),
        ([INCOMPATIBLE], [6, 7]),
        ([NOT_PENDING, ALREADY_LATEST], [3, 4, 5]),
        ([NOT_PENDING, INCOMPATIBLE], [3, 5, 6, 7]),
        (sorted(RETRIABLE_REASONS), [3, 4, 5, 6, 7]),
    ],
    ids=str,
)
async def test_the_instances_skipped_for_one_of_the_reasons_are_retried(
    store: Store, reasons: list[ReasonCode], numbers: list[int]
) -> None:
    earlier = await a_mixed_upgrade(store)
    again = await retry(store, earlier, *reasons, reason="once more")
    assert (again.selection, again.of, again.retried) == (SelectionKind.RETRY, earlier.id, frozenset(reasons))
    assert (again.state, again.target_version, again.reason) == (UpgradeState.COMPLETED, 2, "once more")
    assert (again.expected, again.total) == (len(numbers), len(numbers))
    assert await selected_by(store, again) == [an_id(n) for n in numbers]
    assert await store.upgrades.find(again.id) == again
    assert await store.upgrades.find(earlier.id) == earlier


async def test_a_retry_of_reasons_that_did_not_occur_does_nothing(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    earlier = await request(store, worker=LARGE)
    again = await retry(store, earlier, *RETRIABLE_REASONS)
    assert (again.state, again.expected, again.total) == (UpgradeState.COMPLETED, 0, 0)
    assert await outcomes_of(store, again.id) == []
    assert await instances_of(store, ORDERS) == instances(range(3), version=2)


async def test_each_instance_is_decided_in_its_present_state(store: Store) -> None:
    earlier = await a_mixed_upgrade(store)
    reports = [
        a_report(3, position=at("check")),
        a_report(6, position=at("check")),
        a_report(7, position=at("approve"), status=Status.COMPLETED),
    ]
    await report_instances(store, reports=reports, caller=ADMIN)
    again = await retry(store, earlier, *RETRIABLE_REASONS)
    outcomes = await outcomes_of(store, again.id)
    assert [(outcome.instance, [reason.code for reason in outcome.reasons]) for outcome in outcomes] == [
        (an_id(3), []),
        (an_id(4), [ALREADY_LATEST]),
        (an_id(5), [NOT_PENDING, ALREADY_LATEST]),
        (an_id(6), []),
        (an_id(7), [NOT_PENDING]),
    ]
    found = await by_id(store, ORDERS)
    assert found[an_id(3)] == an_instance(3, version=2, position=at("check"))
    assert found[an_id(6)] == an_instance(6, version=2, position=at("check"))
    assert found[an_id(7)] == an_instance(7, position=at("approve"), status=Status.COMPLETED)


async def test_a_retry_has_mappings_of_its_own(store: Store) -> None:
    earlier = await a_mixed_upgrade(store)
    instruction = MappingInstruction(source=ElementId("approve"), target=ElementId("confirm"))
    mappings = (VersionMapping(from_version=VersionNumber(1), instructions=(instruction,)),)
    again = await retry(store, earlier, INCOMPATIBLE, mappings=mappings)
    assert (again.upgraded, again.skipped, again.mappings) == (2, 0, mappings)
    found = await by_id(store, ORDERS)
    assert [found[an_id(n)] for n in (6, 7)] == instances([6, 7], version=2, position=at("confirm"))


async def test_a_retry_upgrades_to_the_version_that_is_latest_now(store: Store) -> None:
    earlier = await a_mixed_upgrade(store)
    async with store.transaction() as transaction:
        published = (await transaction.processes.lock_versions([ORDERS]))[ORDERS][1]
        await transaction.processes.put_version(ORDERS, replace(published, number=VersionNumber(3)), BEFORE)
    again = await retry(store, earlier, ALREADY_LATEST, INCOMPATIBLE)
    assert again.target_version == 3
    assert await kinds_of(store, again.id) == {
        an_id(4): UPGRADED,
        an_id(5): SKIPPED,
        an_id(6): UPGRADED,
        an_id(7): UPGRADED,
    }


async def test_a_retry_can_be_retried(store: Store) -> None:
    earlier = await a_mixed_upgrade(store)
    again = await retry(store, earlier, NOT_PENDING, INCOMPATIBLE)
    once_more = await retry(store, again, NOT_PENDING)
    assert (once_more.of, await selected_by(store, once_more)) == (again.id, [an_id(3), an_id(5)])


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_a_large_retry_is_queued_and_run_in_chunks(store: Store, size: int) -> None:
    earlier = await a_mixed_upgrade(store)
    worker = a_worker("small", size=size)
    again = await retry(store, earlier, *RETRIABLE_REASONS, worker=worker)
    assert (again.state, again.expected) == (UpgradeState.QUEUED, 5)
    crashed = await work_and_die(store, again.id, worker, chunks=1)
    assert crashed.total <= size
    assert not crashed.is_finished
    done = await work(store, again.id, a_worker("other", size=size, clock=a_clock(EVENING)))
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 0, 5)
    assert await selected_by(store, again) == [an_id(n) for n in range(3, 8)]


async def test_an_instance_registered_later_is_not_retried(store: Store) -> None:
    earlier = await a_mixed_upgrade(store)
    late = [an_instance(8, position=at("check"))]
    await register_instances(store, process=ORDERS, instances=late, caller=ADMIN)
    again = await retry(store, earlier, *RETRIABLE_REASONS)
    assert an_id(8) not in await selected_by(store, again)


@pytest.mark.parametrize(
    ("reasons", "got"),
    [
        ([], "none"),
        ([ReasonCode.INSTANCE_NOT_FOUND], "INSTANCE_NOT_FOUND"),
        ([NOT_PENDING, ReasonCode.INSTANCE_NOT_FOUND], "INSTANCE_NOT_FOUND, NOT_PENDING"),
    ],
    ids=str,
)
async def test_some_reasons_cannot_be_retried(store: Store, reasons: list[ReasonCode], got: str) -> None:
    earlier = await a_mixed_upgrade(store)
    message = (
        "Expected reasons to be some of ALREADY_LATEST, CANCELLED, ENGINE_REFUSED, INCOMPATIBLE, MOVED_ON, "
        f"NOT_PENDING, but got {got}."
    )
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("reasons",)):
        await retry(store, earlier, *reasons)


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING", "PAUSED"])
@pytest.mark.parametrize("what", ["retry", "undo"])
async def test_an_unfinished_upgrade_cannot_be_retried_or_undone(store: Store, what: str, state: str) -> None:
    await a_process(store, holding=instances(range(5)))
    earlier = await request(store)
    if state != "QUEUED":
        await work_and_die(store, earlier.id, chunks=1)
    if state == "PAUSED":
        await pause_upgrade(store, earlier.id, caller=ADMIN)
    message = (
        f"Expected to {what} upgrade {earlier.id} while it is COMPLETED or CANCELLED or FAILED, "
        f"but it is {state}."
    )
    async with refused(store, ErrorCode.WRONG_STATE, message, ("upgrade_id",)):
        if what == "retry":
            await retry(store, earlier, NOT_PENDING)
        else:
            await request_undo(store, UndoRequest(upgrade_id=earlier.id), caller=ADMIN, worker=LARGE)


@pytest.mark.parametrize("what", ["retry", "undo"])
async def test_an_undo_cannot_be_retried_or_undone(store: Store, what: str) -> None:
    await a_process(store, holding=instances(range(3)))
    earlier = await request(store, worker=LARGE)
    undo = await request_undo(store, UndoRequest(upgrade_id=earlier.id), caller=ADMIN, worker=LARGE)
    message = f"Expected to {what} an upgrade, but {undo.id} is an undo."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("upgrade_id",)):
        if what == "retry":
            await retry(store, undo, NOT_PENDING)
        else:
            await request_undo(store, UndoRequest(upgrade_id=undo.id), caller=ADMIN, worker=LARGE)


@pytest.mark.parametrize("what", ["retry", "undo"])
async def test_a_pruned_upgrade_cannot_be_retried_or_undone(store: Store, what: str) -> None:
    earlier = await a_mixed_upgrade(store)
    await prune_outcomes(store, before=EVENING, clock=a_clock(EVENING))
    message = f"Expected to {what} upgrade {earlier.id}, but its outcomes were pruned."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("upgrade_id",)):
        if what == "retry":
            await retry(store, earlier, NOT_PENDING)
        else:
            await request_undo(store, UndoRequest(upgrade_id=earlier.id), caller=ADMIN, worker=LARGE)


@pytest.mark.parametrize("what", ["retry", "undo"])
async def test_an_unknown_upgrade_cannot_be_retried_or_undone(store: Store, what: str) -> None:
    await a_process(store)
    unknown = an_upgrade_id(404)
    message = f"Expected to find upgrade {unknown}, but there is none."
    async with refused(store, ErrorCode.UPGRADE_NOT_FOUND, message, ("upgrade_id",)):
        if what == "retry":
            reasons = frozenset({NOT_PENDING})
            await request_retry(
                store, RetryRequest(upgrade_id=unknown, reasons=reasons), caller=ADMIN, worker=LARGE
            )
        else:
            await request_undo(store, UndoRequest(upgrade_id=unknown), caller=ADMIN, worker=LARGE)


@pytest.mark.parametrize("what", ["retry", "undo"])
async def test_a_reader_cannot_retry_or_undo(store: Store, what: str) -> None:
    earlier = await a_mixed_upgrade(store)
    async with refused(store, ErrorCode.FORBIDDEN):
        if what == "retry":
            reasons = frozenset({NOT_PENDING})
            await request_retry(
                store, RetryRequest(upgrade_id=earlier.id, reasons=reasons), caller=READER, worker=LARGE
            )
        else:
            await request_undo(store, UndoRequest(upgrade_id=earlier.id), caller=READER, worker=LARGE)


@pytest.mark.parametrize("end", ["CANCELLED", "FAILED"])
async def test_a_retry_of_a_stopped_upgrade_covers_its_outcomes_so_far(store: Store, end: str) -> None:
    held = [an_instance(n, status=Status.RUNNING if n % 2 else Status.PENDING) for n in range(6)]
    await a_process(store, holding=held)
    earlier = await request(store)
    crashed = await work_and_die(store, earlier.id, chunks=2)
    if end == "CANCELLED":
        earlier = await cancel_upgrade(store, earlier.id, caller=ADMIN)
    else:
        failed = await fail_upgrade(store, crashed, SMALL, "RuntimeError: on purpose")
        assert failed is not None
        earlier = failed
    await report_instances(store, reports=[a_report(n) for n in (1, 3, 5)], caller=ADMIN)
    again = await retry(store, earlier, NOT_PENDING)
    assert (again.expected, again.upgraded) == (2, 2)
    assert await kinds_of(store, again.id) == {an_id(1): UPGRADED, an_id(3): UPGRADED}
    assert [instance.version for instance in await instances_of(store, ORDERS)] == [2, 2, 2, 2, 1, 1]
    assert again.requested_at == NOON


async def test_a_retry_of_few_among_many_outcomes_is_queued(store: Store) -> None:
    """It has to read them all to find the few."""
    earlier = await a_mixed_upgrade(store)
    worker = a_worker("small", size=earlier.total - 1)
    again = await retry(store, earlier, ALREADY_LATEST, worker=worker)
    assert (again.state, again.expected) == (UpgradeState.QUEUED, 2)
    done = await work(store, again.id, worker)
    assert (done.state, done.total) == (UpgradeState.COMPLETED, 2)
