"""The law of kept counts: on every store they are the numbers of instances, after any operations."""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.laws.test_plan_laws import POSITIONS, World, populated, worlds
from tests.support.long_mode import IS_LONG
from tests.support.stores import DIVIDED, STORES, Stores
from uplift.domain import (
    Cohort,
    Instance,
    InstanceReport,
    Status,
    Upgrade,
    all_active,
    by_ids,
    cancel_upgrade,
    register_instances,
    report_instances,
    request_retry,
    request_undo,
    request_upgrade,
)
from uplift.domain.errors import UpliftError
from uplift.domain.model.instance import ACTIVE
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.ports import Store
from uplift.domain.use_cases.request import RETRIABLE_REASONS
from uplift.domain.use_cases.run import run_chunk
from uplift.storage.statements.instances import cohort_counts
from uplift.testing.builders import ADMIN, ORDERS, MovableClock, a_report, a_worker, an_id, an_instance, at
from uplift.testing.stores import (
    a_transaction_that_fails,
    instances_of,
    require_right_counts,
    upgrades_of,
)
from uplift.testing.upgrade_work import taken, work_and_die

pytestmark = pytest.mark.anyio

LAST_NUMBER = 19


class Fact(NamedTuple):
    """What an engine says of an instance."""

    number: int
    version: int
    status: Status
    position: tuple[str, ...]

    @property
    def instance(self) -> Instance:
        return an_instance(self.number, version=self.version, status=self.status, position=at(*self.position))

    @property
    def report(self) -> InstanceReport:
        return a_report(self.number, status=self.status, position=at(*self.position))


FACTS = st.lists(
    st.builds(Fact, st.integers(0, LAST_NUMBER), st.integers(1, 2), st.sampled_from(Status), POSITIONS),
    min_size=1,
    max_size=8,
    unique_by=lambda fact: fact.number,
)
NUMBERS = st.lists(st.integers(0, LAST_NUMBER), min_size=1, max_size=8)


class Operations:
    """What can happen to a store. Operations that the store refuses change nothing."""

    def __init__(self, store: Store, world: World) -> None:
        self.store = store
        self.world = world
        self.clock = MovableClock()
        self.worker = a_worker(size=2, clock=self.clock)

    async def register(self, facts: list[Fact]) -> None:
        registered = [fact.instance for fact in facts]
        await register_instances(self.store, process=ORDERS, instances=registered, caller=ADMIN)

    async def report(self, facts: list[Fact]) -> None:
        known = await self.store.instances.find_many([an_id(fact.number) for fact in facts])
        reports = [fact.report for fact in facts if an_id(fact.number) in known]
        await report_instances(self.store, reports=reports, caller=ADMIN)

    async def fail_after_a_registration(self, facts: list[Fact]) -> None:
        async with a_transaction_that_fails(self.store) as transaction:
            await transaction.instances.register(ORDERS, [fact.instance for fact in facts])
            await transaction.instances.report(ORDERS, [fact.report for fact in reversed(facts)])

    async def register_and_report_at_once(self, facts: list[Fact]) -> None:
        async with self.store.transaction() as transaction:
            await transaction.instances.register(ORDERS, [fact.instance for fact in facts])
            reports = [a_report(fact.number, status=Status.PENDING) for fact in facts]
            await transaction.instances.report(ORDERS, reports)
            await transaction.instances.report(ORDERS, reports[:1])

    async def upgrade_all(self, numbers: list[int]) -> None:
        await self._upgrade(UpgradeRequest(process=ORDERS, selection=all_active(map(an_id, numbers))))

    async def upgrade_some(self, numbers: list[int]) -> None:
        await self._upgrade(UpgradeRequest(process=ORDERS, selection=by_ids(map(an_id, numbers))))

    async def upgrade_with_mappings(self, numbers: list[int]) -> None:
        selection = all_active(map(an_id, numbers))
        await self._upgrade(UpgradeRequest(process=ORDERS, selection=selection, mappings=self.world.mappings))

    async def retry(self, numbers: list[int]) -> None:
        for earlier in await self._some_upgrade(numbers):
            request = RetryRequest(upgrade_id=earlier.id, reasons=RETRIABLE_REASONS)
            await request_retry(self.store, request, caller=ADMIN, worker=self.worker)

    async def undo(self, numbers: list[int]) -> None:
        for earlier in await self._some_upgrade(numbers):
            request = UndoRequest(upgrade_id=earlier.id)
            await request_undo(self.store, request, caller=ADMIN, worker=self.worker)

    async def run_some_chunks(self, numbers: list[int]) -> None:
        for upgrade in await self._some_upgrade(numbers):
            if not upgrade.is_finished:
                await work_and_die(self.store, upgrade.id, self.worker, chunks=len(numbers))
        self.clock.advance(seconds=11)

    async def fail_in_a_chunk(self, numbers: list[int]) -> None:
        for upgrade in await self._some_upgrade(numbers):
            if not upgrade.is_finished:
                claimed = await taken(self.store, upgrade.id, self.worker)
                async with a_transaction_that_fails(self.store) as transaction:
                    held = await transaction.partitions.lock_held(claimed.id, self.worker.name, self.clock())
                    assert held is not None
                    await run_chunk(transaction, held, 2, self.worker, {}, {})
        self.clock.advance(seconds=11)

    async def cancel(self, numbers: list[int]) -> None:
        for upgrade in await self._some_upgrade(numbers):
            await cancel_upgrade(self.store, upgrade.id, caller=ADMIN)

    async def _upgrade(self, request: UpgradeRequest) -> None:
        await request_upgrade(self.store, request, caller=ADMIN, worker=self.worker)

    async def _some_upgrade(self, numbers: list[int]) -> list[Upgrade]:
        upgrades = await upgrades_of(self.store)
        return [upgrades[sum(numbers) % len(upgrades)]] if upgrades else []


OF_FACTS: tuple[Callable[..., Awaitable[None]], ...] = (
    Operations.register,
    Operations.report,
    Operations.fail_after_a_registration,
    Operations.register_and_report_at_once,
)
OF_NUMBERS: tuple[Callable[..., Awaitable[None]], ...] = (
    Operations.upgrade_all,
    Operations.upgrade_some,
    Operations.upgrade_with_mappings,
    Operations.retry,
    Operations.undo,
    Operations.run_some_chunks,
    Operations.run_some_chunks,
    Operations.fail_in_a_chunk,
    Operations.cancel,
)
STEPS = st.lists(
    st.tuples(st.sampled_from(OF_FACTS), FACTS) | st.tuples(st.sampled_from(OF_NUMBERS), NUMBERS),
    min_size=3,
    max_size=14,
)


async def require_right_plans(store: Store) -> None:
    """Compare the cohorts of all active instances but some with the instances."""
    excluded = all_active(map(an_id, range(0, LAST_NUMBER + 5, 3)))
    selected = await store.instances.selected_cohorts(ORDERS, excluded)
    active = [found for found in await instances_of(store, ORDERS) if found.status in ACTIVE]
    remaining = [found for found in active if found.id not in excluded.named_ids]
    counted = Counter(
        Cohort(version=found.version, status=found.status, position=found.position) for found in remaining
    )
    assert {cohort.cohort: cohort.count for cohort in selected.cohorts} == counted
    assert (selected.not_found, selected.excluded) == (0, len(active) - len(remaining))


@pytest.mark.parametrize("kind", [*STORES, *(DIVIDED if IS_LONG else ())])
@settings(max_examples=12)
@given(world=worlds(mapped=False) | worlds(), steps=STEPS, limit=st.sampled_from([0, 3, 256]))
async def test_kept_counts_are_the_counts_of_instances_after_every_step(
    stores: Stores,
    kind: str,
    world: World,
    steps: list[tuple[Callable[..., Awaitable[None]], object]],
    limit: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # Smaller limits, so that PostgreSQL saves and folds changes within a few steps.
        patch.setattr(cohort_counts, "FOLDED_AFTER", limit)
        async with stores.empty(kind) as store:
            await populated(store, world)
            await require_right_counts(store)
            operations = Operations(store, world)
            for step, argument in steps:
                with suppress(UpliftError):
                    await step(operations, argument)
                await require_right_counts(store)
                await require_right_plans(store)
