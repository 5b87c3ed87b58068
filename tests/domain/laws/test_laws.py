"""Laws that hold for every population and selection, on every store."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stores import STORES, Stores
from uplift.domain import (
    ByIds,
    Cohort,
    Decision,
    Instance,
    InstanceId,
    OutcomeKind,
    Selection,
    Status,
    Upgrade,
    Verdict,
    VersionNumber,
    all_active,
    by_ids,
    decide,
    upgrade_instances,
)
from uplift.domain.model.instance import ACTIVE
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.ports import Store
from uplift.domain.rules.migration_path import MigrationPath
from uplift.domain.use_cases.plan import plan_upgrade
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    ORDERS,
    a_stored_process,
    a_version,
    a_worker,
    an_id,
    an_instance,
    at,
)
from uplift.testing.stores import by_id, instances_of, outcomes_of

pytestmark = pytest.mark.anyio

ON_EVERY_STORE = pytest.mark.parametrize("kind", STORES)
SOME = settings(max_examples=20)

PUBLISHED = VersionNumber(3)
POSITIONS = st.frozensets(st.sampled_from(["approve", "check", "ship", "订单 'x'"]), max_size=2)


class World(NamedTuple):
    """Instances of two processes, a selection of them, and the size of chunks."""

    orders: list[Instance]
    invoices: list[Instance]
    selection: Selection
    chunk_size: int


@st.composite
def worlds(draw: st.DrawFn) -> World:
    kinds = st.tuples(st.integers(1, PUBLISHED), st.sampled_from(Status), POSITIONS, st.booleans())
    held = [
        an_instance(
            number,
            version=version,
            status=status,
            position=at(*position),
            process=INVOICES if is_invoice else ORDERS,
        )
        for number, (version, status, position, is_invoice) in enumerate(draw(st.lists(kinds, max_size=12)))
    ]
    known_and_unknown = st.integers(0, len(held) + 1).map(an_id)
    selection = draw(
        st.lists(known_and_unknown, min_size=1, max_size=16).map(by_ids)
        | st.lists(known_and_unknown, max_size=8).map(all_active)
    )
    return World(
        orders=[instance for instance in held if instance.process == ORDERS],
        invoices=[instance for instance in held if instance.process == INVOICES],
        selection=selection,
        chunk_size=draw(st.integers(1, 14)),
    )


def decided(instance: Instance) -> Decision:
    """The decision of the rules on a single instance."""
    cohort = Cohort(version=instance.version, status=instance.status, position=instance.position)
    return decide(cohort, MigrationPath(target=PUBLISHED))


def selected(world: World) -> list[InstanceId]:
    """The ids that must have an outcome, in their order."""
    if isinstance(world.selection, ByIds):
        return list(world.selection.ids)
    return [
        instance.id
        for instance in world.orders
        if instance.status in ACTIVE and instance.id not in world.selection.excluded
    ]


async def upgraded(store: Store, world: World, *, chunk_size: int | None = None) -> Upgrade:
    return await upgrade_instances(
        store,
        UpgradeRequest(process=ORDERS, selection=world.selection),
        caller=ADMIN,
        worker=a_worker(size=chunk_size or world.chunk_size),
    )


async def in_a_store(
    stores: Stores, kind: str, world: World, law: Callable[[Store], Awaitable[None]]
) -> None:
    """Check a law on a new store that contains the world."""
    async with stores.empty(kind) as store:
        async with store.transaction() as transaction:
            for process_key, held in ((INVOICES, world.invoices), (ORDERS, world.orders)):
                await transaction.processes.add(a_stored_process(process_key))
                for number in range(1, PUBLISHED + 1):
                    await transaction.processes.put_version(process_key, a_version(number), None)
                await transaction.instances.register(process_key, held)
        await law(store)


@ON_EVERY_STORE
@SOME
@given(world=worlds())
async def test_every_instance_of_a_selection_gets_exactly_one_outcome(
    stores: Stores, kind: str, world: World
) -> None:
    async def law(store: Store) -> None:
        done = await upgraded(store, world)
        outcomes = await outcomes_of(store, done.id, first=5)
        assert [outcome.instance for outcome in outcomes] == selected(world)

    await in_a_store(stores, kind, world, law)


@ON_EVERY_STORE
@SOME
@given(world=worlds())
async def test_the_counts_add_up_to_the_selection(stores: Stores, kind: str, world: World) -> None:
    async def law(store: Store) -> None:
        done = await upgraded(store, world)
        assert done.total == len(selected(world))
        outcomes = Counter(outcome.kind for outcome in await outcomes_of(store, done.id))
        assert outcomes == Counter({OutcomeKind.UPGRADED: done.upgraded, OutcomeKind.SKIPPED: done.skipped})
        skips = (await store.upgrades.skip_decisions([done.id]))[done.id]
        known = {instance.id for instance in world.orders}
        assert sum(counted.count for counted in skips) == done.skipped - len(set(selected(world)) - known)
        active = sum(instance.status in ACTIVE for instance in world.orders)
        if not isinstance(world.selection, ByIds):
            assert done.total + done.excluded == active
        assert await store.upgrades.find(done.id) == done

    await in_a_store(stores, kind, world, law)


@ON_EVERY_STORE
@SOME
@given(world=worlds())
async def test_a_second_upgrade_moves_nothing(stores: Stores, kind: str, world: World) -> None:
    async def law(store: Store) -> None:
        first = await upgraded(store, world)
        before = await instances_of(store, ORDERS)
        second = await upgraded(store, world)
        assert (second.upgraded, second.skipped) == (0, first.total)
        assert await instances_of(store, ORDERS) == before

    await in_a_store(stores, kind, world, law)


@ON_EVERY_STORE
@SOME
@given(world=worlds())
async def test_a_set_is_moved_as_its_instances_one_by_one(stores: Stores, kind: str, world: World) -> None:
    async def law(store: Store) -> None:
        done = await upgraded(store, world)
        after = await by_id(store, ORDERS)
        outcomes = {outcome.instance: outcome for outcome in await outcomes_of(store, done.id)}
        for instance in world.orders:
            if instance.id not in outcomes:
                continue
            decision = decided(instance)
            expected = instance
            if decision.verdict is Verdict.UPGRADE:
                assert decision.to_position is not None
                expected = replace(instance, version=PUBLISHED, position=decision.to_position)
            assert after[instance.id] == expected
            outcome = outcomes[instance.id]
            assert outcome.reasons == decision.reasons
            assert (outcome.from_version, outcome.from_position) == (instance.version, instance.position)
            assert (outcome.to_version, outcome.to_position) == (expected.version, expected.position)

    await in_a_store(stores, kind, world, law)


@ON_EVERY_STORE
@SOME
@given(world=worlds())
async def test_nothing_outside_the_selection_changes(stores: Stores, kind: str, world: World) -> None:
    async def law(store: Store) -> None:
        await upgraded(store, world)
        chosen = set(selected(world))
        after = await instances_of(store, ORDERS)
        assert [instance.id for instance in after] == [instance.id for instance in world.orders]
        assert [instance for instance in after if instance.id not in chosen] == [
            instance for instance in world.orders if instance.id not in chosen
        ]
        assert await instances_of(store, INVOICES) == world.invoices

    await in_a_store(stores, kind, world, law)


@ON_EVERY_STORE
@SOME
@given(world=worlds())
async def test_the_size_of_chunks_does_not_matter(stores: Stores, kind: str, world: World) -> None:
    seen: list[tuple[object, ...]] = []

    async def law(store: Store) -> None:
        size = (world.chunk_size, 10_000)[len(seen)]
        done = await upgraded(store, world, chunk_size=size)
        seen.append(
            (
                done.upgraded,
                done.skipped,
                done.excluded,
                await outcomes_of(store, done.id),
                set((await store.upgrades.skip_decisions([done.id]))[done.id]),
                await instances_of(store, ORDERS),
            )
        )

    await in_a_store(stores, kind, world, law)
    await in_a_store(stores, kind, world, law)
    assert seen[0] == seen[1]


@ON_EVERY_STORE
@SOME
@given(world=worlds())
async def test_an_upgrade_does_what_its_plan_said(stores: Stores, kind: str, world: World) -> None:
    async def law(store: Store) -> None:
        plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=world.selection))
        done = await upgraded(store, world)
        assert (plan.upgraded, plan.skipped, plan.excluded) == (done.upgraded, done.skipped, done.excluded)
        skips = {counted for counted in plan.decisions if counted.decision.verdict is Verdict.SKIP}
        assert {(counted.decision.cohort, counted.decision.reasons, counted.count) for counted in skips} == {
            (counted.decision.cohort, counted.decision.reasons, counted.count)
            for counted in (await store.upgrades.skip_decisions([done.id]))[done.id]
        }

    await in_a_store(stores, kind, world, law)


@SOME
@given(world=worlds())
async def test_all_stores_agree(stores: Stores, world: World) -> None:
    seen: list[tuple[object, ...]] = []

    async def law(store: Store) -> None:
        done = await upgraded(store, world)
        seen.append(
            (
                (done.upgraded, done.skipped, done.excluded),
                await outcomes_of(store, done.id),
                set((await store.upgrades.skip_decisions([done.id]))[done.id]),
                [await instances_of(store, process) for process in (ORDERS, INVOICES)],
                {
                    key: set(several)
                    for key, several in (await store.instances.cohorts([ORDERS, INVOICES])).items()
                },
            )
        )

    for kind in STORES:
        await in_a_store(stores, kind, world, law)
    assert all(result == seen[0] for result in seen)
