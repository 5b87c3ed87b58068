"""An undo moves every instance that still is where an upgrade put it back to where it came from."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.bpmn_builder import a_process as a_document
from uplift.domain import (
    ElementId,
    Instance,
    Outcome,
    ReasonCode,
    Status,
    Upgrade,
    UpgradeState,
    VersionNumber,
    Worker,
    cancel_upgrade,
    report_instances,
    request_undo,
)
from uplift.domain.model.cohort import Cohort, Origin
from uplift.domain.model.mapping import MappingInstruction, VersionMapping
from uplift.domain.model.request import UndoRequest
from uplift.domain.model.selection import SelectionKind, by_ids
from uplift.domain.ports import OutcomeFilter, Store
from uplift.domain.rules.eligibility import decide_undo
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    INVOICES,
    NOON,
    ORDERS,
    a_clock,
    a_modelled_process,
    a_process,
    a_report,
    a_worker,
    an_id,
    an_instance,
    at,
    instances,
)
from uplift.testing.chunk_work import lock
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
MOVED_ON, NOT_PENDING = ReasonCode.MOVED_ON, ReasonCode.NOT_PENDING

FIRST = a_document("orders").start().user_task("check").user_task("approve").end().xml()
SECOND = a_document("orders").start().user_task("check").user_task("confirm").end().xml()


async def undo(store: Store, of: Upgrade, worker: Worker = LARGE, **more: Any) -> Upgrade:
    return await request_undo(store, UndoRequest(upgrade_id=of.id, **more), caller=ADMIN, worker=worker)


async def an_upgrade_that_moved(store: Store, *held: Instance, published: int = 2) -> Upgrade:
    """A finished upgrade of all these instances."""
    await a_process(store, published=published, holding=held)
    return await request(store, worker=LARGE)


async def test_all_instances_go_back_to_the_version_they_came_from(store: Store) -> None:
    held = [an_instance(n, version=1 + n % 3, position=at("abc"[n % 2])) for n in range(9)]
    earlier = await an_upgrade_that_moved(store, *held, published=3)
    assert (earlier.upgraded, earlier.skipped) == (6, 3)
    back = await undo(store, earlier, reason="a mistake")
    assert (back.selection, back.of, back.target_version) == (SelectionKind.UNDO, earlier.id, None)
    assert (back.state, back.reason, back.started_at) == (UpgradeState.COMPLETED, "a mistake", NOON)
    assert (back.expected, back.upgraded, back.skipped) == (6, 6, 0)
    assert await store.upgrades.find(back.id) == back
    assert await instances_of(store, ORDERS) == held
    assert await kinds_of(store, back.id) == {
        instance.id: UPGRADED for instance in held if instance.version < 3
    }


async def test_mapped_positions_go_back_too(store: Store) -> None:
    held = [*instances([0, 1], position=at("approve")), *instances([2, 3], position=at("check"))]
    await a_modelled_process(store, FIRST, SECOND, holding=held)
    instruction = MappingInstruction(source=ElementId("approve"), target=ElementId("confirm"))
    earlier = await request(
        store,
        worker=LARGE,
        mappings=(VersionMapping(from_version=VersionNumber(1), instructions=(instruction,)),),
    )
    moved = await instances_of(store, ORDERS)
    places = ("confirm", "confirm", "check", "check")
    assert [instance.position for instance in moved] == [at(place) for place in places]
    back = await undo(store, earlier)
    assert (back.upgraded, back.skipped) == (4, 0)
    assert await instances_of(store, ORDERS) == held
    for outcome, before, after in zip(await outcomes_of(store, back.id), moved, held, strict=True):
        assert outcome == Outcome(
            instance=before.id,
            from_version=before.version,
            from_position=before.position,
            to_version=after.version,
            to_position=after.position,
        )


async def test_cohorts_that_were_merged_are_separated_again(store: Store) -> None:
    """Three cohorts, of two versions and two positions, are one after the upgrade."""
    third = a_document("orders").start().user_task("check").end().xml()
    held = [
        *instances([0, 3], position=at("approve")),
        *instances([1, 4], position=at("check")),
        *instances([2, 5], position=at("check"), version=2),
        an_instance(6, position=at("check"), version=3),
    ]
    await a_modelled_process(store, FIRST, FIRST, third, holding=held)
    instruction = MappingInstruction(source=ElementId("approve"), target=ElementId("check"))
    earlier = await request(
        store,
        worker=LARGE,
        mappings=(VersionMapping(from_version=VersionNumber(1), instructions=(instruction,)),),
    )
    assert (earlier.upgraded, earlier.skipped) == (6, 1)
    assert {(instance.version, instance.position) for instance in await instances_of(store, ORDERS)} == {
        (3, at("check"))
    }
    running = [a_report(n, position=at("check"), status=Status.RUNNING) for n in (0, 1)]
    await report_instances(store, reports=running, caller=ADMIN)
    back = await undo(store, earlier)
    assert (back.upgraded, back.skipped) == (4, 2)
    found = await by_id(store, ORDERS)
    for instance in held:
        if instance.id in (an_id(0), an_id(1)):
            assert found[instance.id].version == 3
        else:
            assert found[instance.id] == instance
    skips = (await store.upgrades.skip_decisions([back.id]))[back.id]
    origins = {(counted.decision.cohort.origin, counted.count) for counted in skips}
    assert origins == {
        (
            Origin(
                version=VersionNumber(1),
                position=at(place),
                put_version=VersionNumber(3),
                put_position=at("check"),
            ),
            1,
        )
        for place in ("approve", "check")
    }


async def test_an_instance_that_moved_on_is_skipped_with_every_reason(store: Store) -> None:
    earlier = await an_upgrade_that_moved(store, *instances(range(7)))
    await report_instances(
        store,
        reports=[
            a_report(1, position=at("ship")),
            a_report(2, status=Status.RUNNING),
            a_report(3, status=Status.COMPLETED, position=at()),
            a_report(4, status=Status.CANCELLED),
            a_report(5, status=Status.FAILED, position=at("ship")),
            a_report(6, position=at("approve")),
        ],
        caller=ADMIN,
    )
    before = await by_id(store, ORDERS)
    back = await undo(store, earlier)
    outcomes = {outcome.instance: outcome for outcome in await outcomes_of(store, back.id)}
    assert {
        instance_id: [reason.code for reason in outcome.reasons] for instance_id, outcome in outcomes.items()
    } == {
        an_id(0): [],
        an_id(1): [MOVED_ON],
        an_id(2): [NOT_PENDING],
        an_id(3): [NOT_PENDING, MOVED_ON],
        an_id(4): [NOT_PENDING],
        an_id(5): [NOT_PENDING, MOVED_ON],
        an_id(6): [],
    }
    assert [reason.message for reason in outcomes[an_id(3)].reasons] == [
        "Expected to move a PENDING instance to version 1, but it is COMPLETED.",
        (
            "Expected the instance to still be on version 2 at 'approve', "
            "but it is on version 2 at no known element."
        ),
    ]
    assert outcomes[an_id(1)] == Outcome(
        instance=an_id(1),
        reasons=outcomes[an_id(1)].reasons,
        from_version=VersionNumber(2),
        to_version=VersionNumber(2),
        from_position=at("ship"),
        to_position=at("ship"),
    )
    after = await by_id(store, ORDERS)
    assert {n for n in range(7) if after[an_id(n)] == before[an_id(n)]} == {1, 2, 3, 4, 5}
    assert (after[an_id(0)], after[an_id(6)]) == (an_instance(0), an_instance(6))
    found = await outcomes_of(store, back.id, OutcomeFilter(reasons=frozenset({MOVED_ON})))
    assert [outcome.instance for outcome in found] == [an_id(1), an_id(3), an_id(5)]


async def test_an_instance_that_a_later_upgrade_moved_stays(store: Store) -> None:
    earlier = await an_upgrade_that_moved(store, *instances(range(4)))
    async with store.transaction() as transaction:
        published = (await transaction.processes.lock_versions([ORDERS]))[ORDERS][1]
        await transaction.processes.put_version(ORDERS, replace(published, number=VersionNumber(3)), None)
    later = await request(store, by_ids([an_id(1), an_id(2)]), worker=LARGE)
    assert later.upgraded == 2
    back = await undo(store, earlier)
    assert await kinds_of(store, back.id) == {
        an_id(0): UPGRADED,
        an_id(1): SKIPPED,
        an_id(2): SKIPPED,
        an_id(3): UPGRADED,
    }
    assert [instance.version for instance in await instances_of(store, ORDERS)] == [1, 3, 3, 1]
    await undo(store, later)
    assert [instance.version for instance in await instances_of(store, ORDERS)] == [1, 2, 2, 1]
    rest = await undo(store, earlier)
    assert (rest.upgraded, rest.skipped) == (2, 2)
    assert await instances_of(store, ORDERS) == instances(range(4))


async def test_an_undo_does_not_select_skipped_instances(store: Store) -> None:
    held = [an_instance(0), an_instance(1, status=Status.RUNNING), an_instance(2, version=2)]
    await a_process(store, INVOICES, holding=[an_instance(20, process=INVOICES)])
    await a_process(store, holding=held)
    earlier = await request(store, by_ids(map(an_id, [0, 1, 2, 20, 30])), worker=LARGE)
    assert (earlier.upgraded, earlier.skipped) == (1, 4)
    back = await undo(store, earlier)
    assert (back.expected, back.upgraded, back.skipped) == (1, 1, 0)
    assert await kinds_of(store, back.id) == {an_id(0): UPGRADED}
    assert await instances_of(store, ORDERS) == held


async def test_a_second_undo_moves_nothing(store: Store) -> None:
    held = instances(range(3))
    earlier = await an_upgrade_that_moved(store, *held)
    await undo(store, earlier)
    again = await undo(store, earlier)
    assert (again.state, again.upgraded, again.skipped) == (UpgradeState.COMPLETED, 0, 3)
    assert {outcome.reasons[0].code for outcome in await outcomes_of(store, again.id)} == {MOVED_ON}
    assert await instances_of(store, ORDERS) == held


async def test_undone_instances_can_be_upgraded_again(store: Store) -> None:
    earlier = await an_upgrade_that_moved(store, *instances(range(3)))
    await undo(store, earlier)
    again = await request(store, worker=LARGE)
    assert (again.upgraded, again.skipped) == (3, 0)
    assert await instances_of(store, ORDERS) == instances(range(3), version=2)


async def test_an_undo_of_nothing_completes_inline(store: Store) -> None:
    earlier = await an_upgrade_that_moved(store, *instances(range(3), version=2))
    back = await undo(store, earlier)
    assert (back.state, back.expected, back.total) == (UpgradeState.COMPLETED, 0, 0)


async def test_a_cancelled_upgrade_can_be_undone(store: Store) -> None:
    await a_process(store, holding=instances(range(5)))
    earlier = await request(store)
    await work_and_die(store, earlier.id, chunks=1)
    cancelled = await cancel_upgrade(store, earlier.id, caller=ADMIN)
    back = await undo(store, cancelled)
    assert await kinds_of(store, back.id) == {an_id(0): UPGRADED, an_id(1): UPGRADED}
    assert await instances_of(store, ORDERS) == instances(range(5))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
async def test_a_large_undo_is_queued_and_survives_a_crash(store: Store, size: int) -> None:
    held = [an_instance(n, version=1 + n % 2, position=at("abc"[n % 3])) for n in range(16)]
    await a_process(store, published=3, holding=held)
    earlier = await request(store, worker=LARGE)
    running = [a_report(n, status=Status.RUNNING, position=held[n].position) for n in (3, 9)]
    await report_instances(store, reports=running, caller=ADMIN)
    worker = a_worker("small", size=size)
    back = await undo(store, earlier, worker)
    assert (back.state, back.expected) == (UpgradeState.QUEUED, 16)
    crashed = await work_and_die(store, back.id, worker, chunks=1)
    assert crashed.total == size
    done = await work(store, back.id, a_worker("other", size=size, clock=a_clock(EVENING)))
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 14, 2)
    assert await kinds_of(store, back.id) == {
        instance.id: SKIPPED if number in (3, 9) else UPGRADED for number, instance in enumerate(held)
    }
    found = await instances_of(store, ORDERS)
    assert [instance for n, instance in enumerate(found) if n not in (3, 9)] == [
        instance for n, instance in enumerate(held) if n not in (3, 9)
    ]
    assert [found[n].version for n in (3, 9)] == [3, 3]
    skips = (await store.upgrades.skip_decisions([back.id]))[back.id]
    assert sum(counted.count for counted in skips) == 2


async def test_instances_that_move_between_the_chunks_of_an_undo_stay(store: Store) -> None:
    earlier = await an_upgrade_that_moved(store, *instances(range(6)))
    back = await undo(store, earlier, SMALL)
    crashed = await work_and_die(store, back.id, chunks=1)
    await report_instances(
        store, reports=[a_report(0, position=at("ship")), a_report(4, position=at("ship"))], caller=ADMIN
    )
    done = await work(store, back.id, a_worker("other", size=2, clock=a_clock(EVENING)))
    assert (crashed.upgraded, done.upgraded, done.skipped) == (2, 5, 1)
    assert await instances_of(store, ORDERS) == [
        an_instance(0, position=at("ship")),
        *instances(range(1, 4)),
        an_instance(4, version=2, position=at("ship")),
        an_instance(5),
    ]


async def test_a_decision_of_an_undo_has_the_origin_of_its_cohort(store: Store) -> None:
    earlier = await an_upgrade_that_moved(store, an_instance(1, position=at("a", "b")))
    await report_instances(store, reports=[a_report(1, position=at("ship"))], caller=ADMIN)
    back = await undo(store, earlier)
    [skip] = (await store.upgrades.skip_decisions([back.id]))[back.id]
    assert skip.count == 1
    assert skip.decision.cohort == Cohort(
        version=VersionNumber(2),
        status=Status.PENDING,
        position=at("ship"),
        origin=Origin(
            version=VersionNumber(1),
            position=at("a", "b"),
            put_version=VersionNumber(2),
            put_position=at("a", "b"),
        ),
    )


async def test_an_instance_that_left_its_cohort_is_not_undone(store: Store) -> None:
    earlier = await an_upgrade_that_moved(store, *instances(range(4)))
    back = await undo(store, earlier, SMALL)
    reports = [a_report(1, status=Status.RUNNING), a_report(3, position=at("elsewhere"))]
    async with store.transaction() as transaction:
        _, partition = await lock(transaction, back.id)
        chunk = await partition.chunks.record_and_move(100, [])
        await transaction.instances.report(ORDERS, reports)
        [counted] = chunk.unmoved
        assert counted.cohort.origin is not None
        decision = decide_undo(counted.cohort, counted.cohort.origin)
        await partition.chunks.keep_decisions([decision])
        moved = await partition.chunks.move_rest(chunk, [decision])
    assert (chunk.recorded, chunk.is_last, counted.count, moved) == (4, True, 4, 2)
    assert await instances_of(store, ORDERS) == [
        an_instance(0),
        an_instance(1, version=2, status=Status.RUNNING),
        an_instance(2),
        an_instance(3, version=2, position=at("elsewhere")),
    ]
