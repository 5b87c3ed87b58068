"""Reading the states of processes, and watching them."""

from asyncio import Event, create_task, ensure_future, gather, sleep, timeout
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest

from uplift.domain import (
    Caller,
    CountedCohort,
    Process,
    ProcessKey,
    ProcessNotFound,
    Role,
    Status,
    WatchedProcess,
    publish_version,
    register_instances,
    report_instances,
    save_draft,
    watch_process,
)
from uplift.domain.model.process import ProcessState, VersionState
from uplift.domain.ports import Store
from uplift.domain.scope import visible_to
from uplift.domain.use_cases import watch_process as watching
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    INVOICES,
    ORDERS,
    a_clock,
    a_key,
    a_process,
    a_report,
    a_worker,
    an_instance,
    at,
    instances,
)
from uplift.testing.stores import Around
from uplift.testing.upgrade_work import request, work

pytestmark = pytest.mark.anyio

SOON = 0.01
INSIDE = Caller(name="inside", role=Role.READER, namespaces=frozenset({ORDERS.namespace}))
OUTSIDE = replace(INSIDE, namespaces=frozenset({"elsewhere"}))


async def state_of(store: Store, process_key: ProcessKey = ORDERS) -> ProcessState:
    return (await store.processes.states([process_key]))[process_key]


async def test_a_state_has_the_process_and_its_newest_version(store: Store) -> None:
    await a_process(store)
    await a_process(store, INVOICES)
    await save_draft(store, process=INVOICES, model=None, caller=ADMIN)
    unknown = a_key("unknown")
    states = await store.processes.states([INVOICES, unknown, ORDERS])
    assert states.keys() == {ORDERS, INVOICES}
    assert {key: state.process for key, state in states.items()} == await store.processes.find_many(
        [ORDERS, INVOICES]
    )
    versions = await store.processes.versions([ORDERS, INVOICES])
    assert {key: state.newest_version for key, state in states.items()} == {
        key: several[-1] for key, several in versions.items()
    }
    newest = states[INVOICES].newest_version
    assert newest is not None
    assert newest.state is VersionState.DRAFT
    assert await store.processes.states([]) == {}


async def test_a_process_without_versions_has_a_state(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.processes.add(Process(key=ORDERS, title="Orders", created_at=EVENING))
    state = await state_of(store)
    assert (state.process.title, state.newest_version) == ("Orders", None)


async def test_the_checksum_changes_with_the_count_of_each_cohort(store: Store) -> None:
    await a_process(store)
    places = [(version, status, at(place)) for version in (1, 2) for status in Status for place in "ab"]
    seen = {(await state_of(store)).checksum}
    for number, (version, status, position) in enumerate(places):
        instance = an_instance(number, version=version, status=status, position=position)
        await register_instances(store, process=ORDERS, instances=[instance], caller=ADMIN)
        seen.add((await state_of(store)).checksum)
    assert len(seen) == 1 + len(places)


async def test_the_checksum_shows_that_instances_have_changed_places(store: Store) -> None:
    """The sums by version, status and position stay the same."""
    pending, running = Status.PENDING, Status.RUNNING
    held = [
        an_instance(1, version=1, status=pending, position=at("a")),
        an_instance(2, version=2, status=running, position=at("a")),
        an_instance(3, version=1, status=pending, position=at("b")),
        an_instance(4, version=2, status=pending, position=at("c")),
    ]
    await a_process(store, holding=held)
    before = (await state_of(store)).checksum
    reports = [a_report(1, status=running, position=at("a")), a_report(2, status=pending, position=at("a"))]
    await report_instances(store, reports=reports, caller=ADMIN)
    between = (await state_of(store)).checksum
    assert between != before
    reports = [a_report(3, status=pending, position=at("c")), a_report(4, status=pending, position=at("b"))]
    await report_instances(store, reports=reports, caller=ADMIN)
    assert (await state_of(store)).checksum not in (before, between)


async def test_the_checksum_depends_on_counts_only(store: Store) -> None:
    await a_process(store, holding=[an_instance(1, position=at("a")), an_instance(2, position=at("b"))])
    before = await state_of(store)
    for first, second in ("ba", "ab", "ba"):
        reports = [a_report(1, position=at(first)), a_report(2, position=at(second))]
        await report_instances(store, reports=reports, caller=ADMIN)
        assert await state_of(store) == before


async def cohorts_of(store: Store) -> tuple[CountedCohort, ...]:
    return (await store.instances.cohorts([ORDERS]))[ORDERS]


async def until(events: AsyncIterator[WatchedProcess], is_met: Callable[[WatchedProcess], bool]) -> None:
    """Return when an event meets a condition."""
    while not is_met(await anext(events)):
        pass


async def test_who_watches_gets_the_process_then_each_change(store: Store) -> None:
    await a_process(store, holding=instances(range(4)))
    async with timeout(60), aclosing(watch_process(store, ORDERS, interval=SOON)) as events:
        process = await store.processes.find(ORDERS)
        assert process is not None
        assert await anext(events) == WatchedProcess(process=process, cohorts=await cohorts_of(store))
        following = ensure_future(anext(events))
        await sleep(5 * SOON)
        assert not following.done(), "nothing has changed"
        new = an_instance(7, status=Status.RUNNING)
        await register_instances(store, process=ORDERS, instances=[new], caller=ADMIN)
        assert await following == WatchedProcess(process=process, cohorts=await cohorts_of(store))
        await report_instances(store, reports=[a_report(7, status=Status.COMPLETED)], caller=ADMIN)
        assert (await anext(events)).cohorts == await cohorts_of(store)
        await save_draft(store, process=ORDERS, model=None, caller=ADMIN)
        assert (await anext(events)).process == process
        await save_draft(store, process=ORDERS, model=None, caller=ADMIN, clock=a_clock(EVENING))
        assert (await anext(events)).process == process, "the draft is another one"
        published = await publish_version(store, process=ORDERS, caller=ADMIN)
        assert (await anext(events)).process.latest_published == published.number
        queued = await request(store, worker=a_worker(size=2))
        await work(store, queued.id)
        moved = await cohorts_of(store)
        await until(events, lambda watched: watched.cohorts == moved)


async def test_an_unknown_process_cannot_be_watched(store: Store) -> None:
    async with timeout(60):
        with pytest.raises(ProcessNotFound, match="Expected to find process 'crm/orders', but there is none"):
            await anext(watch_process(store, ORDERS))


async def test_a_process_is_watched_only_in_its_scope(store: Store) -> None:
    await a_process(store)
    async with timeout(60), aclosing(watch_process(visible_to(store, INSIDE), ORDERS)) as events:
        assert (await anext(events)).process.key == ORDERS
        with pytest.raises(ProcessNotFound):
            await anext(watch_process(visible_to(store, OUTSIDE), ORDERS))


class CountingReads(Around):
    """Counts the queries for processes and cohorts."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.reads = 0
        self.has_read = Event()
        self.cohort_reads = 0

    @property
    def processes(self) -> "CountingReads":
        return self

    @property
    def instances(self) -> "CountingReads":
        return self

    async def states(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, ProcessState]:
        self.reads += 1
        self.has_read.set()
        return await self._store.processes.states(process_keys)

    async def cohorts(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[CountedCohort, ...]]:
        self.cohort_reads += 1
        return await self._store.instances.cohorts(process_keys)


async def test_cohorts_are_read_once_for_each_change_and_all_who_watch(store: Store) -> None:
    await a_process(store, holding=instances(range(4)))
    counting = CountingReads(store)

    async def second_event() -> WatchedProcess:
        async with aclosing(watch_process(counting, ORDERS, interval=SOON)) as events:
            await anext(events)
            return await anext(events)

    async with timeout(60):
        watching = [create_task(second_event()) for _ in range(100)]
        await sleep(0.2)
        assert counting.cohort_reads == 1
        await register_instances(store, process=ORDERS, instances=[an_instance(9)], caller=ADMIN)
        events = await gather(*watching)
    assert {watched.cohorts for watched in events} == {await cohorts_of(store)}
    assert counting.cohort_reads == 2
    assert counting.reads < 100


async def test_cohorts_that_are_too_many_to_keep_are_not_read_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "KEPT_COHORTS", 1)
    await a_process(store, holding=[an_instance(1), an_instance(2, status=Status.RUNNING)])
    counting = CountingReads(store)
    async with timeout(60), aclosing(watch_process(counting, ORDERS, interval=SOON)) as events:
        assert (await anext(events)).cohorts is None
        for _ in range(3):
            counting.has_read.clear()
            await counting.has_read.wait()
        assert counting.cohort_reads == 1
