"""A sweep brings versions, instances and positions of an engine into Uplift, and leaves orders alone."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from tests.support.linked_world import LINK, ORDER, LinkedWorld, a_linked_world, run_until_idle
from uplift.domain.model.instance import ElementId
from uplift.domain.model.link import EngineInstanceId, EngineVersionId, LinkId
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.linked_process import instance_id_of
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.ports.process_engine import (
    EngineCursor,
    EngineDescription,
    EngineFault,
    EngineFaultKind,
    EnginePage,
)
from uplift.domain.rules.engine_health import Backoff
from uplift.domain.use_cases.links import sweep as sweeping
from uplift.domain.use_cases.links import versions
from uplift.domain.use_cases.links.problems import MAX_PROBLEMS
from uplift.domain.use_cases.links.sweep import sweep
from uplift.domain.use_cases.links.sweeper import Sweeper, is_due
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import NOON, a_process, an_id
from uplift.testing.engine.documents import parallel, tasks
from uplift.testing.engine.fake import LIKE_CAMUNDA_8, FakeEngine
from uplift.testing.engine.faults import overloaded, unreachable

pytestmark = pytest.mark.anyio

CHECK, APPROVE = ElementId("check"), ElementId("approve")


class WatchedEngine(FakeEngine):
    """Calls a function once, before it lists who waits at an element; its model may fail."""

    before_waiting: Callable[[], Awaitable[None]] | None = None
    hidden: frozenset[EngineInstanceId] = frozenset()
    failing: frozenset[EngineVersionId] = frozenset()
    problems: tuple[str, ...] = ()

    async def describe(self) -> EngineDescription:
        return replace(await super().describe(), problems=self.problems)

    async def instances(
        self, version: EngineVersionId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        page = await super().instances(version, after)
        return replace(page, items=tuple(item for item in page.items if item not in self.hidden))

    async def waiting(
        self, version: EngineVersionId, element: ElementId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        before, self.before_waiting = self.before_waiting, None
        if before is not None:
            await before()
        page = await super().waiting(version, element, after)
        return replace(page, items=tuple(item for item in page.items if item not in self.hidden))

    async def model(self, version: EngineVersionId) -> bytes:
        if version in self.failing:
            raise EngineFault(EngineFaultKind.FAILED, "The resource is gone.")
        return await super().model(version)


async def status_of(world: LinkedWorld, link: LinkId = LINK) -> LinkStatus:
    return (await world.store.links.statuses([link]))[link]


def row(world: LinkedWorld, engine_id: EngineInstanceId) -> object:
    return instance_id_of(LINK, engine_id)


async def test_brings_versions_with_their_models_and_instances_with_their_positions() -> None:
    world, _ = await a_linked_world(InMemoryStore(), count=3, engine=FakeEngine(page_size=2))

    process = await world.store.processes.find(ORDER)
    assert process is not None
    assert (process.link, process.latest_published, process.title) == (LINK, 2, "Contract")
    model = await world.store.processes.model(ORDER, VersionNumber(1))
    assert model is not None
    assert (model.process_id, model.document) == ("order", tasks("order", "check", "approve"))
    known = await world.store.links.versions([ORDER])
    assert list(known[ORDER].values()) == world.versions
    assert await world.rows() == {
        row(world, engine_id): (1, frozenset({"check"}), "PENDING") for engine_id in world.ids
    }
    status = await status_of(world)
    assert (status.sweep_error, status.clock_difference is not None) == (None, True)
    assert status.swept_at is not None


async def test_an_instance_may_wait_at_several_elements_and_have_any_id() -> None:
    numbers = count(2_251_799_813_685_249)
    world = LinkedWorld(store=InMemoryStore(), engine=FakeEngine(new_id=lambda: str(next(numbers))))
    await world.link()
    world.versions.append(world.engine.deploy("order", parallel("order", "west", "east")))
    first, second = world.start(2)
    world.engine.complete(second, ElementId("west"))
    await world.sweep(await world.hold())

    assert await world.rows() == {
        row(world, first): (1, frozenset({"west", "east"}), "PENDING"),
        row(world, second): (1, frozenset({"join", "east"}), "PENDING"),
    }


@pytest.mark.parametrize("held_ids", [0, 3, 200_000])
async def test_the_next_sweep_stores_what_changed(monkeypatch: pytest.MonkeyPatch, held_ids: int) -> None:
    """However many ids it may hold in memory; the engine lists two on a page."""
    monkeypatch.setattr(sweeping, "MAX_HELD", held_ids)
    world, held = await a_linked_world(InMemoryStore(), count=3, engine=FakeEngine(page_size=2))
    went_on, ended, stays = world.ids
    world.engine.complete(went_on, CHECK)
    world.engine.cancel(ended)
    world.deploy("check")
    (started,) = world.start(1)
    await world.sweep(held)

    assert await world.rows() == {
        row(world, went_on): (1, frozenset({"approve"}), "PENDING"),
        row(world, ended): (1, frozenset({"check"}), "COMPLETED"),
        row(world, stays): (1, frozenset({"check"}), "PENDING"),
        row(world, started): (3, frozenset({"check"}), "PENDING"),
    }


async def test_an_instance_that_a_page_missed_is_not_completed() -> None:
    engine = WatchedEngine()
    world, held = await a_linked_world(InMemoryStore(), count=3, engine=engine)
    engine.hidden = frozenset(world.ids[:1])

    await world.sweep(held)

    assert {status for _, _, status in (await world.rows()).values()} == {"PENDING"}


async def test_what_moved_while_a_sweep_read_is_not_moved_back() -> None:
    engine = WatchedEngine()
    world, held = await a_linked_world(InMemoryStore(), count=4, engine=engine)
    upgrade = await world.order()
    sender = world.sender(held)
    engine.before_waiting = lambda: run_until_idle(sender)

    await world.sweep(held)

    await world.require_true_audit(upgrade)
    await world.sweep(held)
    await world.require_true_audit(upgrade)


class LaggingEngine(FakeEngine):
    """Its lists have all instances on the first version until it has settled."""

    has_settled = True

    async def instances(
        self, version: EngineVersionId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        if self.has_settled:
            return await super().instances(version, after)
        is_first = ":1:" in version
        return EnginePage(items=tuple(sorted(self._instances)) if is_first else ())


async def test_a_sweep_waits_until_lists_show_what_was_settled_before() -> None:
    traits = replace(LIKE_CAMUNDA_8, settles_after=timedelta(milliseconds=50))
    engine = LaggingEngine(traits)
    world, held = await a_linked_world(InMemoryStore(), count=2, engine=engine)
    upgrade = await world.order()
    await run_until_idle(world.sender(held))
    engine.has_settled = False
    asyncio.get_running_loop().call_later(0.001, setattr, engine, "has_settled", True)

    await world.sweep(held)

    await world.require_true_audit(upgrade)


async def test_instances_with_unsettled_orders_are_left_to_the_answer() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=2)
    upgrade = await world.order()
    before = await world.rows()
    for engine_id in world.ids:
        world.engine.cancel(engine_id)

    await world.sweep(held)

    assert await world.rows() == before
    await run_until_idle(world.sender(held))
    assert (await world.require_true_audit(upgrade)).skipped == 2


async def test_an_engine_that_lacks_a_right_completes_no_instance() -> None:
    """Camunda 7 lists no instances to a user who may not read them."""
    engine = WatchedEngine()
    world, held = await a_linked_world(InMemoryStore(), count=3, engine=engine)
    for engine_id in world.ids:
        engine.cancel(engine_id)
    engine.problems = ("It lacks the right READ_INSTANCE.",)
    await world.sweep(held)

    assert {status for _, _, status in (await world.rows()).values()} == {"PENDING"}
    assert (await status_of(world)).sweep_error == "It lacks the right READ_INSTANCE."
    engine.problems = ()
    await world.sweep(held)
    assert {status for _, _, status in (await world.rows()).values()} == {"COMPLETED"}


async def test_an_instance_that_waits_nowhere_has_an_empty_position() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=2)
    (nowhere,) = world.engine.start(world.versions[0], at=frozenset({ElementId("unknown")}))
    await world.sweep(held)

    assert (await world.rows())[instance_id_of(LINK, nowhere)] == (1, frozenset(), "PENDING")


async def test_a_model_that_cannot_be_read_does_not_stop_the_rest() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=1)
    other = world.engine.deploy("other", tasks("other", "check"))
    broken = world.engine._versions[other]
    world.engine._versions[other] = replace(broken, document=b"<definitions/>")
    world.engine.start(other)
    await world.sweep(held)

    key = ProcessKey(namespace="engine", code="other")
    assert await world.store.processes.model(key, VersionNumber(1)) is None
    assert len((await world.store.links.versions([key]))[key]) == 1
    status = await status_of(world)
    assert status.swept_at is not None
    assert "Could not read the model of version 1 of 'engine/other'" in str(status.sweep_error)


async def test_a_version_that_the_engine_fails_at_is_left_to_the_next_sweep() -> None:
    engine = WatchedEngine()
    world, held = await a_linked_world(InMemoryStore(), count=1, engine=engine)
    third = world.deploy("check")
    (started,) = world.start(1)
    engine.failing = frozenset({third})
    await world.sweep(held)

    assert (await status_of(world)).sweep_error == (
        "Could not read version 3 of 'engine/order': The resource is gone."
    )
    assert row(world, started) not in await world.rows()
    engine.failing = frozenset()
    await world.sweep(held)
    assert (await status_of(world)).sweep_error is None
    assert (await world.rows())[instance_id_of(LINK, started)] == (3, frozenset({"check"}), "PENDING")


async def test_a_sweep_that_the_engine_interrupts_completes_no_instance() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=3)
    world.engine.cancel(world.ids[0])
    answered = 0
    while True:
        world.engine.faults.upcoming.extend([*[None] * answered, unreachable()])
        with suppress(EngineFault):
            await world.sweep(held)
            break
        assert (await status_of(world)).sweep_error == unreachable().message
        assert {status for _, _, status in (await world.rows()).values()} == {"PENDING"}
        answered += 1
    assert answered > 5
    assert [status for _, _, status in (await world.rows()).values()].count("COMPLETED") == 1


async def test_processes_that_cannot_be_linked_are_named() -> None:
    store = InMemoryStore()
    own = await a_process(store, ProcessKey(namespace="engine", code="own"), published=1)
    world, held = await a_linked_world(store, count=1)
    world.engine.deploy("own", tasks("own", "check"))
    odd = world.engine.deploy("odd", tasks("odd", "check"))
    world.engine._versions[odd] = replace(world.engine._versions[odd], key="a/b")
    world.engine.deploy("tenanted", tasks("tenanted", "check"), tenant="others")
    await world.sweep(held)

    assert sorted(str((await status_of(world)).sweep_error).splitlines()) == [
        "Expected a key that is a segment of a URL path, but got 'a/b'.",
        "Expected to link process 'engine/own', but it exists in Uplift with versions of its own.",
    ]
    process = await store.processes.find(own)
    assert process is not None
    assert process.link is None
    assert await store.processes.find(ProcessKey(namespace="engine", code="tenanted")) is None


async def test_two_links_to_one_engine_do_not_share_a_process() -> None:
    world, _ = await a_linked_world(InMemoryStore(), count=1)
    second = LinkId(an_id(7_001))
    await world.link(link=second, name="second")
    held = await world.hold()
    assert held.link.id == second
    await sweep(held, world.engine)

    assert (await status_of(world, second)).sweep_error == (
        "Expected to link process 'engine/order', but it exists in Uplift with versions of another link."
    )
    assert (await world.store.processes.find(ORDER)).link == LINK  # type: ignore[union-attr]


async def test_an_engine_that_was_set_up_anew_replaces_its_versions() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=2)
    ids = list(world.ids)
    world.engine = FakeEngine()
    world.versions, world.ids = [], []
    world.engine.deploy("another", tasks("another", "task"))
    world.deploy("inspect")
    (started,) = world.start(1)
    await world.sweep(held)

    assert (await world.store.links.versions([ORDER]))[ORDER][VersionNumber(1)] == world.versions[0]
    model = await world.store.processes.model(ORDER, VersionNumber(1))
    assert model is not None
    assert model.document == tasks("order", "inspect")
    rows = await world.rows()
    assert rows[instance_id_of(LINK, started)] == (1, frozenset({"inspect"}), "PENDING")
    assert [rows[instance_id_of(LINK, engine_id)][2] for engine_id in ids] == ["COMPLETED"] * 2


async def test_tells_how_far_the_clock_of_the_engine_is_ahead() -> None:
    world = LinkedWorld(store=InMemoryStore(), engine=FakeEngine(clock=lambda: NOON))
    world.engine.faults.clock_error = timedelta(hours=2)
    await world.link()
    await world.sweep(await world.hold())

    difference = (await status_of(world)).clock_difference
    assert difference is not None
    assert abs(difference - timedelta(hours=2)) < timedelta(seconds=1)


async def test_a_sweep_is_due_at_first_at_the_interval_and_when_it_is_requested() -> None:
    _, held = await a_linked_world(InMemoryStore(), count=0)
    done = LinkStatus(sweep_started_at=NOON, swept_at=NOON + timedelta(seconds=9))
    soon, later = NOON + timedelta(minutes=1), NOON + held.link.sweep_interval

    assert is_due(LinkStatus(), held, NOON)
    assert not is_due(done, held, soon)
    assert is_due(done, held, later)
    assert is_due(replace(done, sweep_requested_at=soon), held, soon)
    assert not is_due(replace(done, sweep_requested_at=NOON - timedelta(hours=1)), held, soon)
    assert is_due(replace(done, sweep_started_at=NOON + timedelta(seconds=30)), held, soon)


async def test_a_sweeper_sweeps_until_it_is_stopped_and_repeats_what_failed() -> None:
    world = LinkedWorld(store=InMemoryStore(), engine=FakeEngine())
    await world.link()
    world.deploy("check")
    held, stopping = await world.hold(), asyncio.Event()
    faults: list[EngineFault] = []
    world.engine.faults.upcoming.append(unreachable())
    sweeper = Sweeper(held, world.engine, stopping, sleep=world.clock.sleep, on_fault=faults.append)
    async with asyncio.timeout(60):
        running = asyncio.create_task(sweeper.run())
        while (await status_of(world)).swept_at is None:  # noqa: ASYNC110  a sweep has no event at its end
            await asyncio.sleep(0)
        stopping.set()
        await running
    assert [fault.kind for fault in faults] == [EngineFaultKind.UNREACHABLE]


@pytest.mark.parametrize(
    ("fault", "least", "most"),
    [(unreachable(), 0, 60), (overloaded(timedelta(minutes=5)), 300, 400)],
)
async def test_a_request_of_an_operator_ends_the_delay_but_not_the_time_that_the_engine_asks_for(
    fault: EngineFault, least: float, most: float
) -> None:
    world = LinkedWorld(store=InMemoryStore(), engine=FakeEngine())
    await world.link()
    held, stopping = await world.hold(), asyncio.Event()
    world.engine.faults.upcoming.append(fault)
    hour = timedelta(hours=1)
    backoff = Backoff(first=hour, limit=hour) if fault.retry_after is None else Backoff()
    sleeper = Sweeper(held, world.engine, stopping, backoff=backoff, sleep=world.clock.sleep)
    async with asyncio.timeout(60):
        running = asyncio.create_task(sleeper.run())
        while (await status_of(world)).sweep_error is None:  # noqa: ASYNC110  a sweep has no event at its end
            await asyncio.sleep(0)
        await held.renew(lambda status: replace(status, sweep_requested_at=world.clock()))
        while (await status_of(world)).swept_at is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        stopping.set()
        await running
    assert least <= world.clock.monotonic() < most


async def test_a_problem_is_named_once() -> None:
    engine = WatchedEngine()
    world, held = await a_linked_world(InMemoryStore(), count=1, engine=engine)
    engine.problems = ("It lacks a right.", "It lacks a right.", "It is old.")
    await world.sweep(held)
    assert (await status_of(world)).sweep_error == "It lacks a right.\nIt is old."


async def test_a_sweep_lists_some_problems_and_counts_the_others() -> None:
    engine = WatchedEngine()
    world, held = await a_linked_world(InMemoryStore(), count=1, engine=engine)
    engine.problems = tuple(f"It lacks right {number}." for number in (1, *range(1, 25), *range(1, 25)))
    await world.sweep(held)
    *listed, last = str((await status_of(world)).sweep_error).split("\n")
    assert listed == [f"It lacks right {number}." for number in range(1, MAX_PROBLEMS + 1)]
    assert last == "… and 4 more problems."


async def test_an_engine_with_too_many_versions_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world, held = await a_linked_world(InMemoryStore(), count=1)
    monkeypatch.setattr(versions, "MAX_ENGINE_VERSIONS", 0)
    with pytest.raises(EngineFault, match="at most 0 versions of processes"):
        await world.sweep(held)
    assert "but it lists more" in str((await status_of(world)).sweep_error)
