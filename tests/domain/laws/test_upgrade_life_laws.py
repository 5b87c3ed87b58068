"""Laws of upgrades, retries, undos and prunes, for every population, store and interruption."""

from collections import Counter
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.laws.test_plan_laws import World, in_a_store, planned_or_refused, worlds
from tests.support.stores import STORES, Stores
from uplift.domain import (
    Instance,
    OutcomeKind,
    ReasonCode,
    Status,
    Upgrade,
    pause_upgrade,
    report_instances,
    request_retry,
    request_undo,
    request_upgrade,
    resume_upgrade,
)
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.ports import Store
from uplift.domain.use_cases.prune import prune_outcomes
from uplift.domain.use_cases.request import RETRIABLE_REASONS
from uplift.domain.use_cases.run import run_chunk
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.testing.builders import ADMIN, EVENING, ORDERS, MovableClock, a_report, a_worker, an_id, at
from uplift.testing.stores import a_transaction_that_fails, everything_in, instances_of, outcomes_of
from uplift.testing.upgrade_work import taken, work_and_die, work_and_stop

pytestmark = pytest.mark.anyio

ON_EVERY_STORE = pytest.mark.parametrize("kind", STORES)
SOME = settings(max_examples=12)


class Interruption(Enum):
    """The events that may interrupt an upgrade."""

    DIES = "The worker dies after a chunk."
    DIES_WITHIN = "The worker dies within a chunk."
    STOPS = "The worker gives the upgrade back after a chunk."
    PAUSES = "The upgrade is paused after a chunk, and resumed."
    LOSES = "The worker dies before its first chunk."


WORLDS = worlds(mapped=False) | worlds()
"""Mapping instructions are refused more often than not."""

Step = tuple[Interruption, int]
"""An interruption, and the size of the chunk before it."""

STEPS = st.lists(st.tuples(st.sampled_from(Interruption), st.integers(1, 4)), max_size=6)


async def interrupted(store: Store, upgrade: Upgrade, steps: list[Step]) -> Upgrade:
    """Run an upgrade through these interruptions, each survived by another worker."""
    clock = MovableClock()
    for number, (interruption, size) in enumerate(steps):
        stored = await store.upgrades.find(upgrade.id)
        assert stored is not None
        if stored.is_finished:
            return stored
        worker = a_worker(f"worker {number}", size=size, clock=clock)
        match interruption:
            case Interruption.DIES:
                await work_and_die(store, upgrade.id, worker, chunks=1)
            case Interruption.STOPS:
                await work_and_stop(store, upgrade.id, worker, chunks=1)
            case Interruption.LOSES:
                await taken(store, upgrade.id, worker)
            case Interruption.DIES_WITHIN:
                await taken(store, upgrade.id, worker)
                async with a_transaction_that_fails(store) as transaction:
                    held = await transaction.partitions.lock_held(upgrade.id, worker.name, clock())
                    assert held is not None
                    await run_chunk(transaction, held, size, worker, {}, {})
            case Interruption.PAUSES:
                if not (await work_and_die(store, upgrade.id, worker, chunks=1)).is_finished:
                    await pause_upgrade(store, upgrade.id, caller=ADMIN)
                    await resume_upgrade(store, upgrade.id, caller=ADMIN)
        clock.advance(seconds=11)
    return await finish_upgrade(store, upgrade, a_worker("the last worker", size=3, clock=clock))


async def upgraded(store: Store, world: World, steps: list[Step]) -> Upgrade:
    requested = await request_upgrade(
        store,
        UpgradeRequest(process=ORDERS, selection=world.selection, mappings=world.mappings),
        caller=ADMIN,
        worker=a_worker(size=1),
    )
    return await interrupted(store, requested, steps)


async def retried(store: Store, earlier: Upgrade, steps: list[Step]) -> Upgrade:
    worker = a_worker(size=1)
    requested = await request_retry(
        store, RetryRequest(upgrade_id=earlier.id, reasons=RETRIABLE_REASONS), caller=ADMIN, worker=worker
    )
    return await interrupted(store, requested, steps)


async def undone(store: Store, earlier: Upgrade, steps: list[Step]) -> Upgrade:
    requested = await request_undo(
        store, UndoRequest(upgrade_id=earlier.id), caller=ADMIN, worker=a_worker(size=1)
    )
    return await interrupted(store, requested, steps)


async def is_refused(store: Store, world: World) -> bool:
    """Whether the mappings of the world are refused, so that there is no upgrade to test."""
    return (await planned_or_refused(store, world))[1] is not None


async def result_of(store: Store, upgrade: Upgrade) -> tuple[Any, ...]:
    """The result of an upgrade without its id and times."""
    return (
        (upgrade.state, upgrade.expected, upgrade.upgraded, upgrade.skipped, upgrade.excluded),
        await outcomes_of(store, upgrade.id),
        set((await store.upgrades.skip_decisions([upgrade.id]))[upgrade.id]),
        await instances_of(store, ORDERS),
    )


def put_to_wait(world: World, numbers: list[int]) -> list[Any]:
    """Reports that these instances wait at 'check' now."""
    return [a_report(number, position=at("check")) for number in numbers if number < len(world.held)]


@ON_EVERY_STORE
@SOME
@given(world=WORLDS, steps=STEPS)
async def test_interruptions_do_not_change_the_result_of_an_upgrade(
    stores: Stores, kind: str, world: World, steps: list[Step]
) -> None:
    seen: list[tuple[Any, ...]] = []

    async def law(store: Store) -> None:
        if await is_refused(store, world):
            return
        seen.append(await result_of(store, await upgraded(store, world, [] if seen else steps)))

    await in_a_store(stores, kind, world, law)
    await in_a_store(stores, kind, world, law)
    assert len(seen) in (0, 2)
    assert all(result == seen[0] for result in seen)


@ON_EVERY_STORE
@SOME
@given(world=WORLDS, steps=STEPS, steps_back=STEPS)
async def test_an_upgrade_and_its_undo_restore_the_world(
    stores: Stores, kind: str, world: World, steps: list[Step], steps_back: list[Step]
) -> None:
    async def law(store: Store) -> None:
        if await is_refused(store, world):
            return
        before = await everything_in(store)
        done = await upgraded(store, world, steps)
        back = await undone(store, done, steps_back)
        assert (back.upgraded, back.skipped) == (done.upgraded, 0)
        assert (await everything_in(store)).instances == before.instances

    await in_a_store(stores, kind, world, law)


@ON_EVERY_STORE
@SOME
@given(world=WORLDS, steps=STEPS, numbers=st.lists(st.integers(0, 13), max_size=6, unique=True))
async def test_an_undo_leaves_what_moved_on_and_undoes_the_rest(
    stores: Stores, kind: str, world: World, steps: list[Step], numbers: list[int]
) -> None:
    async def law(store: Store) -> None:
        if await is_refused(store, world):
            return
        before = {instance.id: instance for instance in world.held}
        done = await upgraded(store, world, steps)
        moved = {outcome.instance for outcome in await outcomes_of(store, done.id) if not outcome.reasons}
        on = [a_report(number, status=Status.RUNNING) for number in numbers if an_id(number) in before]
        await report_instances(store, reports=on, caller=ADMIN)
        reported = {instance.id: instance for instance in await instances_of(store, ORDERS)}
        back = await undone(store, done, steps)
        assert back.upgraded == len(moved - {report.id for report in on})
        for instance in await instances_of(store, ORDERS):
            went_back = instance.id in moved and instance.id not in {report.id for report in on}
            assert instance == (before if went_back else reported)[instance.id]

    await in_a_store(stores, kind, world, law)


@ON_EVERY_STORE
@SOME
@given(world=WORLDS, steps=STEPS, numbers=st.lists(st.integers(0, 13), max_size=6, unique=True))
async def test_an_upgrade_and_its_retry_have_each_instance_once_among_the_upgraded(
    stores: Stores, kind: str, world: World, steps: list[Step], numbers: list[int]
) -> None:
    async def law(store: Store) -> None:
        if await is_refused(store, world):
            return
        done = await upgraded(store, world, steps)
        first = {outcome.instance: outcome for outcome in await outcomes_of(store, done.id)}
        await report_instances(store, reports=put_to_wait(world, numbers), caller=ADMIN)
        again = await retried(store, done, steps)
        second = {outcome.instance: outcome for outcome in await outcomes_of(store, again.id)}
        assert again.expected == again.total == len(second)
        known = {instance.id for instance in world.held}
        assert set(second) == {
            instance_id for instance_id, outcome in first.items() if outcome.reasons and instance_id in known
        }
        moved = Counter(
            outcome.instance
            for outcome in (*first.values(), *second.values())
            if outcome.kind is OutcomeKind.UPGRADED
        )
        assert set(moved.values()) <= {1}
        assert sum(moved.values()) == done.upgraded + again.upgraded
        last: dict[Any, Instance] = {instance.id: instance for instance in await instances_of(store, ORDERS)}
        assert {last[instance_id].version for instance_id in moved} <= {done.target_version}

    await in_a_store(stores, kind, world, law)


@ON_EVERY_STORE
@SOME
@given(world=WORLDS, steps=STEPS)
async def test_a_retry_of_an_unchanged_world_repeats_every_reason(
    stores: Stores, kind: str, world: World, steps: list[Step]
) -> None:
    async def law(store: Store) -> None:
        if world.mappings or await is_refused(store, world):
            return
        done = await upgraded(store, world, steps)
        before = await instances_of(store, ORDERS)
        again = await retried(store, done, steps)
        assert again.upgraded == 0
        assert {outcome.instance: outcome.reasons for outcome in await outcomes_of(store, again.id)} == {
            outcome.instance: outcome.reasons
            for outcome in await outcomes_of(store, done.id)
            if outcome.reasons and outcome.reasons[0].code is not ReasonCode.INSTANCE_NOT_FOUND
        }
        assert await instances_of(store, ORDERS) == before

    await in_a_store(stores, kind, world, law)


@ON_EVERY_STORE
@SOME
@given(world=WORLDS, steps=STEPS)
async def test_histories_are_the_outcomes_of_all_upgrades_in_order(
    stores: Stores, kind: str, world: World, steps: list[Step]
) -> None:
    async def law(store: Store) -> None:
        if await is_refused(store, world):
            return
        done = await upgraded(store, world, steps)
        lives = [
            done,
            await retried(store, done, steps),
            await undone(store, done, steps),
            await upgraded(store, world, []),
        ]
        outcomes = [
            {outcome.instance: outcome for outcome in await outcomes_of(store, life.id)} for life in lives
        ]
        histories = await store.instances.histories([instance.id for instance in world.held])
        assert {
            instance_id: [(entry.upgrade, entry.outcome) for entry in histories[instance_id]]
            for instance_id in histories
        } == {
            instance.id: [
                (life, several[instance.id])
                for life, several in zip(lives, outcomes, strict=True)
                if instance.id in several
            ]
            for instance in world.held
        }
        total = sum(len(several) for several in outcomes)
        assert await prune_outcomes(store, before=EVENING.replace(year=2030)) == total
        assert set((await store.instances.histories([instance.id for instance in world.held])).values()) <= {
            ()
        }

    await in_a_store(stores, kind, world, law)


@SOME
@given(world=WORLDS, steps=STEPS, numbers=st.lists(st.integers(0, 13), max_size=6, unique=True))
async def test_all_stores_agree_on_a_whole_life(
    stores: Stores, world: World, steps: list[Step], numbers: list[int]
) -> None:
    seen: list[list[tuple[Any, ...]]] = []

    async def law(store: Store) -> None:
        if await is_refused(store, world):
            return
        done = await upgraded(store, world, steps)
        life = [await result_of(store, done)]
        await report_instances(store, reports=put_to_wait(world, numbers), caller=ADMIN)
        again = await retried(store, done, steps)
        life.append(await result_of(store, again))
        life += [await result_of(store, await undone(store, upgrade, steps)) for upgrade in (done, again)]
        seen.append(life)

    for kind in STORES:
        await in_a_store(stores, kind, world, law)
    assert len(seen) in (0, len(STORES))
    assert all(result == seen[0] for result in seen)
