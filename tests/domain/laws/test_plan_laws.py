"""Laws of plans, for real documents and mappings on every store: an upgrade does what its plan said."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from tests.support.bpmn_builder import a_process
from tests.support.process_shapes import around
from tests.support.stores import STORES, Stores, an_open_database
from uplift import gateway
from uplift.domain import (
    Cohort,
    Instance,
    Selection,
    Status,
    Upgrade,
    Verdict,
    VersionNumber,
    all_active,
    by_ids,
    matching,
    report_instances,
    upgrade_instances,
)
from uplift.domain.bpmn import read_model
from uplift.domain.errors import UpliftError
from uplift.domain.model.instance import ACTIVE
from uplift.domain.model.mapping import InvalidMapping, MappingInstruction, VersionMapping
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.ports import Store
from uplift.domain.use_cases.plan import Plan, PlanChanged, plan_upgrade
from uplift.storage.store import SqlStore
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    ORDERS,
    a_report,
    a_stored_process,
    a_version,
    an_id,
    an_instance,
    an_instruction,
    at,
)
from uplift.testing.stores import everything_in, outcomes_of

pytestmark = pytest.mark.anyio

T = TypeVar("T")

ON_EVERY_STORE = pytest.mark.parametrize("kind", STORES)
SOME = settings(max_examples=25)

DEMO = Path(gateway.__file__).parent / "demo"

REVISIONS = [
    a_process("orders").start().user_task("check").user_task("approve").user_task("pay").end(),
    a_process("orders").start().user_task("check", name="Look").user_task("approve").user_task("pay").end(),
    a_process("orders").start().user_task("check").sub("work", around("approve")).user_task("pay").end(),
    a_process("orders").start().user_task("check").user_task("sign").service_task("pay").end(),
    a_process("orders")
    .start()
    .parallel("fork")
    .user_task("check")
    .parallel("join")
    .after("fork")
    .user_task("approve")
    .join("approve", "join")
    .after("join")
    .user_task("pay")
    .end(),
    a_process("orders")
    .start()
    .user_task("check")
    .user_task("approve")
    .boundary("late", on="approve", timer="PT1H")
    .user_task("remind")
    .after("approve")
    .receive_task("pay", message="Paid")
    .end(),
]
"""Versions of one process: two tasks renamed, wrapped, replaced, forked, watched by a timer."""

DOCUMENTS = [*(revision.xml() for revision in REVISIONS), None]
ELEMENTS = ["check", "approve", "pay", "sign", "join", "remind", "start", "never drawn"]
POSITIONS = st.frozensets(st.sampled_from(ELEMENTS), max_size=2)


class World(NamedTuple):
    """The documents of all versions, instances on them, and the request to upgrade."""

    documents: list[bytes | None]
    held: list[Instance]
    selection: Selection
    mappings: tuple[VersionMapping, ...]


def some(values: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
    return st.lists(values, min_size=1, max_size=3)


@st.composite
def worlds(draw: st.DrawFn, *, mapped: bool = True) -> World:
    documents = draw(st.lists(st.sampled_from(DOCUMENTS), min_size=2, max_size=4))
    numbers = st.integers(1, len(documents))
    kinds = st.tuples(numbers, st.sampled_from(Status), POSITIONS)
    held = [
        an_instance(number, version=version, status=status, position=at(*position))
        for number, (version, status, position) in enumerate(draw(st.lists(kinds, max_size=14)))
    ]
    known_and_unknown = st.integers(0, len(held) + 1).map(an_id)
    # Each model has these elements, so that they are known wherever the instances are.
    known_elements = st.none() if None in documents else st.none() | some(st.sampled_from(["check", "pay"]))
    selection = draw(
        st.lists(known_and_unknown, min_size=1, max_size=16).map(by_ids)
        | st.lists(known_and_unknown, max_size=8).map(all_active)
        | st.builds(
            matching,
            versions=st.none() | some(numbers),
            elements=known_elements,
            statuses=st.none() | some(st.sampled_from(sorted(ACTIVE))),
            limit=st.none() | st.integers(1, 15),
            excluded=st.lists(known_and_unknown, max_size=8),
        )
    )
    elements = st.sampled_from(ELEMENTS[:5])
    instructions = st.lists(st.builds(MappingInstruction, source=elements, target=elements), max_size=2)
    mappings = st.dictionaries(st.integers(1, len(documents) - 1), instructions, max_size=2)
    return World(
        documents=documents,
        held=held,
        selection=selection,
        mappings=tuple(
            VersionMapping(from_version=VersionNumber(version), instructions=tuple(several))
            for version, several in sorted(draw(mappings).items() if mapped else ())
        ),
    )


async def populated(store: Store, world: World) -> None:
    """Fill a new store with the world, and with another process beside it."""
    async with store.transaction() as transaction:
        for process_key in (INVOICES, ORDERS):
            await transaction.processes.add(a_stored_process(process_key))
            for number, document in enumerate(world.documents, start=1):
                process_id = None if document is None else read_model(document).id
                version = replace(a_version(number), model_process_id=process_id)
                await transaction.processes.put_version(process_key, version, document)
        await transaction.instances.register(INVOICES, [an_instance(10_000, process=INVOICES)])
        await transaction.instances.register(ORDERS, world.held)


async def in_a_store(
    stores: Stores, kind: str, world: World, law: Callable[[Store], Awaitable[None]]
) -> None:
    """Check a law on a new store that contains the world."""
    async with stores.empty(kind) as store:
        await populated(store, world)
        await law(store)


async def planned(store: Store, world: World) -> Plan:
    return await plan_upgrade(
        store, UpgradeRequest(process=ORDERS, selection=world.selection, mappings=world.mappings)
    )


async def planned_or_refused(store: Store, world: World) -> tuple[Plan | None, UpliftError | None]:
    """The plan, or the error of a refused request."""
    try:
        return await planned(store, world), None
    except UpliftError as refusal:
        return None, refusal


async def upgraded(store: Store, world: World, fingerprint: str | None = None) -> Upgrade:
    return await upgrade_instances(
        store,
        UpgradeRequest(
            process=ORDERS, selection=world.selection, mappings=world.mappings, fingerprint=fingerprint
        ),
        caller=ADMIN,
    )


async def must_do_as_planned(store: Store, plan: Plan, done: Upgrade) -> None:
    """The upgrade did what the plan said, in total, by reason and by cohort."""
    assert done.target_version == plan.target_version
    assert (done.upgraded, done.skipped, done.excluded) == (plan.upgraded, plan.skipped, plan.excluded)
    outcomes = await outcomes_of(store, done.id)
    reasons = Counter(reason.code for outcome in outcomes for reason in outcome.reasons)
    assert reasons == plan.counts_by_reason
    skipped = {counted for counted in plan.decisions if counted.decision.verdict is Verdict.SKIP}
    assert set((await store.upgrades.skip_decisions([done.id]))[done.id]) == skipped
    moved = Counter(
        (outcome.from_version, outcome.from_position, outcome.to_position)
        for outcome in outcomes
        if not outcome.reasons
    )
    assert moved == {
        (
            counted.decision.cohort.version,
            counted.decision.cohort.position,
            counted.decision.to_position,
        ): counted.count
        for counted in plan.decisions
        if counted.decision.verdict is Verdict.UPGRADE
    }


@ON_EVERY_STORE
@SOME
@given(world=worlds())
async def test_a_plan_writes_nothing_and_the_upgrade_does_what_it_said_or_is_refused_as_it_was(
    stores: Stores, kind: str, world: World
) -> None:
    async def law(store: Store) -> None:
        before = await everything_in(store)
        plan, refusal = await planned_or_refused(store, world)
        assert await everything_in(store) == before
        if plan is not None:
            await must_do_as_planned(store, plan, await upgraded(store, world, str(plan.fingerprint)))
            return
        assert refusal is not None
        with pytest.raises(type(refusal)) as refused:
            await upgraded(store, world)
        assert (refused.value.message, refused.value.field) == (refusal.message, refusal.field)
        assert await everything_in(store) == before

    await in_a_store(stores, kind, world, law)


@ON_EVERY_STORE
async def test_an_upgrade_of_the_demo_does_what_its_plan_said(stores: Stores, kind: str) -> None:
    documents = [file.read_bytes() for file in sorted(DEMO.glob("consumer-loan-v*.bpmn"))]
    models = [read_model(document) for document in documents]
    places = [(n, element) for n, model in enumerate(models, start=1) for element in model.elements]
    held = [
        an_instance(number, version=version, position=at(element))
        for number, (version, element) in enumerate(places * 2)
    ]
    instructions = (an_instruction("Task_PrepareContract", "Task_DraftContract"),)
    mapped = tuple(
        VersionMapping(from_version=VersionNumber(number), instructions=instructions)
        for number, model in enumerate(models[:-1], start=1)
        if "Task_PrepareContract" in model.elements and "Task_DraftContract" in models[-1].elements
    )
    world = World(documents=list(documents), held=held, selection=all_active(), mappings=mapped)

    async def law(store: Store) -> None:
        plan = await planned(store, world)
        assert len(mapped) > 1
        assert min(plan.upgraded, plan.skipped) > len(documents)
        await must_do_as_planned(store, plan, await upgraded(store, world, str(plan.fingerprint)))

    await in_a_store(stores, kind, world, law)


@SOME
@given(world=worlds(mapped=False))
async def test_all_stores_make_the_same_plan(stores: Stores, world: World) -> None:
    seen: list[tuple[object, ...]] = []

    async def law(store: Store) -> None:
        plan = await planned(store, world)
        seen.append((str(plan.fingerprint), set(plan.decisions), plan.not_found, plan.excluded))

    for kind in STORES:
        await in_a_store(stores, kind, world, law)
    assert all(result == seen[0] for result in seen)


@ON_EVERY_STORE
@SOME
@given(world=worlds(mapped=False))
async def test_a_plan_accounts_for_every_instance_of_its_selection_once(
    stores: Stores, kind: str, world: World
) -> None:
    async def law(store: Store) -> None:
        plan = await planned(store, world)
        held = Counter(cohort_of(instance) for instance in world.held)
        counts = {counted.decision.cohort: counted.count for counted in plan.decisions}
        assert len(counts) == len(plan.decisions)
        assert all(0 < count <= held[cohort] for cohort, count in counts.items())
        assert plan.total == sum(counts.values()) + plan.not_found

    await in_a_store(stores, kind, world, law)


class Change(NamedTuple):
    """What happens to an instance after the plan was made."""

    number: int
    status: Status
    position: frozenset[str]


CHANGES = st.builds(Change, st.integers(0, 13), st.sampled_from(Status), POSITIONS)


@ON_EVERY_STORE
@SOME
@given(world=worlds(mapped=False), changes=st.lists(CHANGES, max_size=3))
async def test_a_changed_plan_is_refused_with_the_difference_and_an_unchanged_one_is_carried_out(
    stores: Stores, kind: str, world: World, changes: list[Change]
) -> None:
    async def law(store: Store) -> None:
        plan = await planned(store, world)
        assert (await planned(store, world)).fingerprint == plan.fingerprint
        existing = [change for change in changes if change.number < len(world.held)]
        for change in existing:
            report = a_report(change.number, status=change.status, position=at(*change.position))
            await report_instances(store, reports=[report], caller=ADMIN)
        now = await planned(store, world)
        assert (now.fingerprint == plan.fingerprint) == (set(now.decisions) == set(plan.decisions))
        if now.fingerprint == plan.fingerprint:
            # An excluded instance may have become active, and counts as such from then on.
            await must_do_as_planned(store, now, await upgraded(store, world, str(plan.fingerprint)))
            return
        before = await everything_in(store)
        with pytest.raises(PlanChanged) as refused:
            await upgraded(store, world, str(plan.fingerprint))
        assert (refused.value.planned, refused.value.now) == (plan.fingerprint, now.fingerprint)
        assert await everything_in(store) == before

    await in_a_store(stores, kind, world, law)


@ON_EVERY_STORE
async def test_a_version_published_since_then_changes_the_plan(stores: Stores, kind: str) -> None:
    first, second, third, *_ = DOCUMENTS
    world = World([first, second], [an_instance(1)], all_active(), ())

    async def law(store: Store) -> None:
        plan = await planned(store, world)
        async with store.transaction() as transaction:
            await transaction.processes.put_version(ORDERS, a_version(3, has_model=True), third)
        before = await everything_in(store)
        with pytest.raises(PlanChanged, match="it would go to version 3 instead of 2"):
            await upgraded(store, world, str(plan.fingerprint))
        assert await everything_in(store) == before

    await in_a_store(stores, kind, world, law)


@ON_EVERY_STORE
async def test_other_instructions_make_another_plan_where_they_change_what_happens(
    stores: Stores, kind: str
) -> None:
    first, *_, replaced, _, _, _ = DOCUMENTS
    instructed = VersionMapping(
        from_version=VersionNumber(1), instructions=(an_instruction("approve", "sign"),)
    )
    world = World([first, replaced], [an_instance(1), an_instance(2, position=at("check"))], all_active(), ())

    async def law(store: Store) -> None:
        plan = await planned(store, world)
        otherwise = replace_mappings(world, instructed)
        assert (await planned(store, otherwise)).upgraded == plan.upgraded + 1
        with pytest.raises(PlanChanged):
            await upgraded(store, otherwise, str(plan.fingerprint))
        before = await everything_in(store)
        wrong = replace(instructed, instructions=(an_instruction("approve", "pay"),))
        with pytest.raises(InvalidMapping):
            await planned(store, replace_mappings(world, wrong))
        assert await everything_in(store) == before

    await in_a_store(stores, kind, world, law)


def replace_mappings(world: World, *mappings: VersionMapping) -> World:
    return world._replace(mappings=mappings)


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL statements of the block on all connections."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("selection", [all_active(), all_active([an_id(1)]), by_ids(map(an_id, range(9)))])
async def test_a_plan_costs_as_many_statements_whatever_the_number_of_instances(
    tmp_path: Path, selection: Selection
) -> None:
    queries = []
    for count in (12, 60, 6_000):
        held = [
            an_instance(number, version=1 + number % 3, position=at(ELEMENTS[number % 2]))
            for number in range(count)
        ]
        file = tmp_path / f"{count}.db"
        async with an_open_database(file) as filled:
            await populated(filled, World(DOCUMENTS[:3], held, selection, ()))
        store = await SqlStore.open(file)
        with statements() as seen:
            plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=selection))
        await store.close()
        assert len(plan.decisions) == 6
        queries.append(seen)
    assert queries[0] == queries[1] == queries[2]
    assert len(queries[0]) < 10


def cohort_of(instance: Instance) -> Cohort:
    return Cohort(version=instance.version, status=instance.status, position=instance.position)
