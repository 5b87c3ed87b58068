"""A caller with a scope sees the processes of its namespaces, and nothing of any other exists for it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from uplift.domain import (
    Caller,
    Instance,
    InstanceId,
    ProcessKey,
    ReasonCode,
    Role,
    Status,
    Upgrade,
    UpgradeId,
    VersionNumber,
    all_active,
    by_ids,
    cancel_upgrade,
    claim,
    compare_versions,
    create_process,
    finish_upgrade,
    get_process,
    get_upgrade,
    pause_upgrade,
    plan_upgrade,
    prune_outcomes,
    publish_version,
    register_instances,
    report_instances,
    request_retry,
    request_undo,
    request_upgrade,
    resume_upgrade,
    save_draft,
    upgrade_instances,
    visible_to,
    watch,
)
from uplift.domain.errors import ErrorCode, UpliftError
from uplift.domain.model.idempotency import idempotency_key
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.selection import SelectionKind
from uplift.domain.ports import (
    InstanceFilter,
    InstanceQueries,
    InstanceRepository,
    OutcomeFilter,
    PartitionQueries,
    PartitionRepository,
    ProcessQueries,
    ProcessRepository,
    Store,
    UpgradeQueries,
    UpgradeRepository,
)
from uplift.domain.use_cases.versions import adopt_version
from uplift.testing.builders import (
    NOON,
    ORDERS,
    a_cohort,
    a_key,
    a_process,
    a_report,
    a_stored_process,
    a_version,
    a_worker,
    an_id,
    an_instance,
    an_upgrade,
    an_upgrade_id,
    instances,
)
from uplift.testing.refusals import refused
from uplift.testing.stores import Everything, everything_in, walk

pytestmark = pytest.mark.anyio

CLERK = Caller(name="clerk", role=Role.SYSTEM_ADMIN, namespaces=frozenset({"crm", "empty"}))
SMALL = a_worker("small", size=1)
DRAFT = VersionNumber(3)
MODEL = b"""<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL">
  <process id="orders"><userTask id="approve"/></process>
</definitions>"""
NOT_FOUND: tuple[object, ...] = (None, {}, {ProcessKey(namespace="hr", code="orders"): ()})
OUTSIDE = "Expected a namespace in the scope of the key 'clerk', but 'hr' is outside of it."
HIDDEN = ProcessKey(namespace="hr", code="orders")
UNKNOWN = ProcessKey(namespace="crm", code="unknown")
WORKER = a_worker("large", size=1_000)
ANY_PAGE = PageRequest(first=10)


@dataclass(frozen=True, kw_only=True)
class Names:
    """A process, one of its instances, and two of its upgrades: hidden ones, or ones that do not exist."""

    process: ProcessKey
    instance: InstanceId
    upgrade: UpgradeId
    queued: UpgradeId


async def two_namespaces(store: Store) -> Names:
    """Fill a store with a visible and a hidden process, each with instances and an upgrade."""
    ids: list[UpgradeId] = []
    for process, first in ((ORDERS, 0), (HIDDEN, 10)):
        numbers = range(first, first + 4)
        await a_process(store, process, holding=instances(numbers, process=process))
        await save_draft(store, process=process, model=MODEL, caller=EVERYBODY)
        await register_instances(
            store,
            process=process,
            instances=[an_instance(first + 4, process=process, status=Status.RUNNING)],
            caller=EVERYBODY,
        )
        request = UpgradeRequest(process=process, selection=by_ids(map(an_id, (first, first + 4))))
        ids.append((await upgrade_instances(store, request, caller=EVERYBODY, worker=WORKER)).id)
        rest = UpgradeRequest(process=process, selection=all_active())
        ids.append((await request_upgrade(store, rest, caller=EVERYBODY, worker=SMALL)).id)
        await pause_upgrade(store, ids[-1], caller=EVERYBODY)
        await resume_upgrade(store, ids[-1], caller=EVERYBODY)
        retry = RetryRequest(upgrade_id=ids[-2], reasons=frozenset({ReasonCode.NOT_PENDING}))
        await request_retry(store, retry, caller=EVERYBODY, worker=WORKER)
    return Names(process=HIDDEN, instance=an_id(10), upgrade=ids[2], queued=ids[3])


EVERYBODY = replace(CLERK, namespaces=None)
NOTHING = Names(process=UNKNOWN, instance=an_id(99), upgrade=an_upgrade_id(99), queued=an_upgrade_id(98))


def of_crm(whole: Everything) -> Everything:
    """The part of a store that CLERK may see."""

    def is_visible(process: ProcessKey) -> bool:
        return process.namespace == "crm"

    upgrades = [upgrade for upgrade in whole.upgrades if is_visible(upgrade.process)]
    ids = {upgrade.id for upgrade in upgrades}
    return Everything(
        processes=[process for process in whole.processes if is_visible(process.key)],
        versions={key: found for key, found in whole.versions.items() if is_visible(key)},
        models={key: model for key, model in whole.models.items() if is_visible(key[0])},
        instances={key: found for key, found in whole.instances.items() if is_visible(key)},
        upgrades=upgrades,
        outcomes={key: found for key, found in whole.outcomes.items() if key in ids},
        decisions={key: found for key, found in whole.decisions.items() if key in ids},
        events={key: found for key, found in whole.events.items() if key in ids},
    )


async def test_a_scope_shows_all_of_its_namespaces_and_nothing_else(store: Store) -> None:
    await two_namespaces(store)
    whole = await everything_in(store)
    assert {process.key for process in whole.processes} == {ORDERS, HIDDEN}
    assert await everything_in(visible_to(store, CLERK)) == of_crm(whole)
    nowhere = replace(CLERK, namespaces=frozenset({"empty"}))
    assert (await everything_in(visible_to(store, nowhere))).processes == []
    assert visible_to(store, EVERYBODY) is store


async def test_scopes_within_scopes_show_what_is_in_both(store: Store) -> None:
    await two_namespaces(store)
    inner = visible_to(store, replace(CLERK, namespaces=frozenset({"hr", "crm"})))
    assert await everything_in(inner) == await everything_in(store)
    assert await everything_in(visible_to(inner, CLERK)) == await everything_in(visible_to(store, CLERK))
    nothing = visible_to(inner, replace(CLERK, namespaces=frozenset({"empty"})))
    assert (await nothing.upgrades.page(None, ANY_PAGE)).items == ()


async def test_pages_of_some_namespaces_are_full_and_in_order(store: Store) -> None:
    keys = [a_key(f"p{number}", f"n{number % 3}") for number in range(7)]
    upgrades = []
    for key in keys:
        await a_process(store, key)
        request = UpgradeRequest(process=key, selection=all_active())
        upgrades.append(await upgrade_instances(store, request, caller=EVERYBODY, worker=WORKER))
    for namespaces in (frozenset({"n0"}), frozenset({"n1", "n2"}), frozenset({"n9"}), frozenset[str]()):

        async def processes(page: PageRequest, within: frozenset[str] = namespaces) -> Any:
            return await store.processes.page(page, namespaces=within)

        assert await store.processes.count(namespaces=namespaces) == len(await walk(processes))

        async def all_upgrades(page: PageRequest, within: frozenset[str] = namespaces) -> Any:
            return await store.upgrades.page(None, page, namespaces=within)

        shown = [key for key in keys if key.namespace in namespaces]
        for size in (1, 2, 3):
            assert [process.key for process in await walk(processes, first=size)] == shown
            assert [upgrade.process for upgrade in await walk(all_upgrades, first=size)] == shown[::-1]
    assert (await store.upgrades.page(keys[0], ANY_PAGE, namespaces=frozenset({"n1"}))).items == ()
    [of_first] = (await store.upgrades.page(keys[0], ANY_PAGE, namespaces=frozenset({"n0"}))).items
    assert of_first == upgrades[0]


def unnamed(answer: object) -> object:
    """An answer without its keys, so that answers about different names compare equal."""
    return list(answer.values()) if isinstance(answer, Mapping) else answer


QUERIES: dict[str, Callable[[Store, Names], Awaitable[object]]] = {
    "processes.find": lambda store, names: store.processes.find(names.process),
    "processes.find_many": lambda store, names: store.processes.find_many([names.process]),
    "processes.states": lambda store, names: store.processes.states([names.process]),
    "processes.versions": lambda store, names: store.processes.versions([names.process]),
    "processes.model": lambda store, names: store.processes.model(names.process, DRAFT),
    "instances.find_many": lambda store, names: store.instances.find_many([names.instance]),
    "instances.pages": lambda store, names: store.instances.pages(
        [names.process], InstanceFilter(), ANY_PAGE
    ),
    "instances.cohorts": lambda store, names: store.instances.cohorts([names.process]),
    "instances.count_active": lambda store, names: store.instances.count_active(names.process),
    "instances.selected_cohorts by ids": lambda store, names: store.instances.selected_cohorts(
        names.process, by_ids([names.instance])
    ),
    "instances.selected_cohorts all": lambda store, names: store.instances.selected_cohorts(
        names.process, all_active()
    ),
    "instances.cohort_pages": lambda store, names: store.instances.cohort_pages(
        names.process, all_active(), [a_cohort()], ANY_PAGE
    ),
    "instances.histories": lambda store, names: store.instances.histories([names.instance]),
    "upgrades.find": lambda store, names: store.upgrades.find(names.upgrade),
    "upgrades.find_many": lambda store, names: store.upgrades.find_many([names.upgrade]),
    "upgrades.page": lambda store, names: store.upgrades.page(names.process, ANY_PAGE),
    "upgrades.count": lambda store, names: store.upgrades.count(names.process),
    "upgrades.latest": lambda store, names: store.upgrades.latest([names.process]),
    "upgrades.following_pages": lambda store, names: store.upgrades.following_pages(
        [names.upgrade], SelectionKind.RETRY, ANY_PAGE
    ),
    "upgrades.claimable": lambda store, names: store.upgrades.claimable(NOON, only=names.queued),
    "upgrades.outcome_pages": lambda store, names: store.upgrades.outcome_pages(
        [names.upgrade], OutcomeFilter(), ANY_PAGE
    ),
    "upgrades.operator_events": lambda store, names: store.upgrades.operator_events([names.queued]),
    "upgrades.skip_decisions": lambda store, names: store.upgrades.skip_decisions([names.upgrade]),
    "partitions.remaining": lambda store, names: store.partitions.remaining([names.queued]),
}
"""The queries of a store that name a process, an instance or an upgrade."""


async def test_a_query_answers_for_what_is_hidden_as_for_what_does_not_exist(store: Store) -> None:
    hidden = await two_namespaces(store)
    scoped = visible_to(store, CLERK)
    for query, ask in QUERIES.items():
        unknown = unnamed(await ask(scoped, NOTHING))
        assert unnamed(await ask(scoped, hidden)) == unknown, query
        assert unnamed(await ask(store, hidden)) != unknown, query


TRANSACTION_QUERIES: dict[str, Callable[[Any, Names], Awaitable[object]]] = {
    "processes.find": lambda transaction, names: transaction.processes.find(names.process),
    "processes.lock_versions": lambda transaction, names: transaction.processes.lock_versions(
        [names.process]
    ),
    "processes.model": lambda transaction, names: transaction.processes.model(names.process, DRAFT),
    "instances.lock": lambda transaction, names: transaction.instances.lock([names.instance]),
    "upgrades.find": lambda transaction, names: transaction.upgrades.find(names.upgrade),
    "upgrades.lock": lambda transaction, names: transaction.upgrades.lock(names.upgrade),
    "upgrades.lock_claimable": lambda transaction, names: transaction.upgrades.lock_claimable(
        names.queued, NOON
    ),
    "partitions.lock_held": lambda transaction, names: transaction.partitions.lock_held(
        names.queued, SMALL.name, NOON
    ),
}


async def test_a_transaction_finds_nothing_of_what_is_hidden(store: Store) -> None:
    hidden = await two_namespaces(store)
    scoped = visible_to(store, CLERK)
    for query, ask in TRANSACTION_QUERIES.items():
        if query == "partitions.lock_held":
            await claim(store, SMALL, only=hidden.queued)
        async with scoped.transaction() as transaction:
            assert await ask(transaction, hidden) in NOT_FOUND, query
        async with store.transaction() as transaction:
            assert await ask(transaction, hidden) not in NOT_FOUND, query


WRITES: dict[str, Callable[[Any], Awaitable[object]]] = {
    "processes.add": lambda transaction: transaction.processes.add(a_stored_process(HIDDEN)),
    "processes.put_version": lambda transaction: transaction.processes.put_version(
        HIDDEN, a_version(7), None
    ),
    "processes.publish": lambda transaction: transaction.processes.publish(HIDDEN, DRAFT, NOON),
    "instances.register": lambda transaction: transaction.instances.register(
        HIDDEN, [an_instance(50, process=HIDDEN)]
    ),
    "instances.report": lambda transaction: transaction.instances.report(
        HIDDEN, [a_report(10, status=Status.COMPLETED)]
    ),
    "upgrades.add": lambda transaction: transaction.upgrades.add(an_upgrade(5, process=HIDDEN), all_active()),
    "upgrades.lock_ordering": lambda transaction: transaction.upgrades.lock_ordering(HIDDEN, NOON),
}


async def test_a_transaction_writes_nothing_to_a_hidden_process(store: Store) -> None:
    await two_namespaces(store)
    scoped = visible_to(store, CLERK)
    for write in WRITES.values():
        async with refused(store, ErrorCode.FORBIDDEN, OUTSIDE), scoped.transaction() as transaction:
            await write(transaction)


def test_every_query_and_write_of_a_store_has_a_row() -> None:
    of_no_name = {
        "processes.page",
        "processes.count",
        "upgrades.page",
        "upgrades.known_request",
        "upgrades.measured_rate",
        "upgrades.unfinished",
        "partitions.end_of_chunk",
    }
    assert _named(QUERIES) | of_no_name == _methods(
        processes=ProcessQueries,
        instances=InstanceQueries,
        upgrades=UpgradeQueries,
        partitions=PartitionQueries,
    )
    of_no_name = {"upgrades.known_request", "upgrades.lock_prunable", "instances.prune_positions"}
    assert _named(TRANSACTION_QUERIES) | _named(WRITES) | of_no_name == _methods(
        processes=ProcessRepository,
        instances=InstanceRepository,
        upgrades=UpgradeRepository,
        partitions=PartitionRepository,
    )


def _named(rows: Mapping[str, object]) -> set[str]:
    return {row.partition(" ")[0] for row in rows}


def _methods(**ports: type) -> set[str]:
    return {f"{port}.{name}" for port, protocol in ports.items() for name in vars(protocol) if name[0] != "_"}


async def test_workers_and_pruning_need_the_whole_store(store: Store) -> None:
    scoped = visible_to(store, CLERK)
    needs_all = "^Expected workers and pruning to use the whole store, but this one has a scope.$"
    with pytest.raises(ValueError, match=needs_all):
        await scoped.upgrades.claimable(NOON)
    with pytest.raises(ValueError, match=needs_all):
        await prune_outcomes(scoped, before=NOON)


async def first_of_watch(store: Store, upgrade_id: UpgradeId) -> Upgrade:
    return await anext(aiter(watch(store, upgrade_id)))


def an_upgrade_request(names: Names, **more: Any) -> UpgradeRequest:
    return UpgradeRequest(process=names.process, selection=by_ids([names.instance]), **more)


USE_CASES: dict[str, Callable[[Store, Names], Awaitable[object]]] = {
    "get_process": lambda store, names: get_process(store, names.process),
    "get_upgrade": lambda store, names: get_upgrade(store, names.upgrade),
    "watch": lambda store, names: first_of_watch(store, names.upgrade),
    "compare_versions": lambda store, names: compare_versions(
        store, process=names.process, from_version=VersionNumber(1)
    ),
    "plan_upgrade": lambda store, names: plan_upgrade(store, an_upgrade_request(names)),
    "request_upgrade": lambda store, names: request_upgrade(
        store, an_upgrade_request(names), caller=CLERK, worker=WORKER
    ),
    "request_retry": lambda store, names: request_retry(
        store,
        RetryRequest(upgrade_id=names.upgrade, reasons=frozenset({ReasonCode.NOT_PENDING})),
        caller=CLERK,
        worker=WORKER,
    ),
    "request_undo": lambda store, names: request_undo(
        store, UndoRequest(upgrade_id=names.upgrade), caller=CLERK, worker=WORKER
    ),
    "pause_upgrade": lambda store, names: pause_upgrade(store, names.upgrade, caller=CLERK),
    "resume_upgrade": lambda store, names: resume_upgrade(store, names.upgrade, caller=CLERK),
    "cancel_upgrade": lambda store, names: cancel_upgrade(store, names.upgrade, caller=CLERK),
    "save_draft": lambda store, names: save_draft(store, process=names.process, model=None, caller=CLERK),
    "publish_version": lambda store, names: publish_version(store, process=names.process, caller=CLERK),
    "adopt_version": lambda store, names: adopt_version(
        store,
        process=names.process,
        number=VersionNumber(1),
        state=a_version().state,
        model=None,
        caller=CLERK,
    ),
    "register_instances": lambda store, names: register_instances(
        store,
        process=names.process,
        instances=[an_instance(50, process=names.process)],
        caller=CLERK,
    ),
    "report_instances": lambda store, names: report_instances(
        store, reports=[replace(a_report(0), id=names.instance)], caller=CLERK
    ),
}


REFUSALS = (ErrorCode.PROCESS_NOT_FOUND, ErrorCode.UPGRADE_NOT_FOUND, ErrorCode.INVALID_INPUT)


def renamed(message: str, names: Names) -> str:
    for number, name in enumerate((names.process, names.instance, names.upgrade)):
        message = message.replace(str(name), f"<{number}>")
    return message


async def test_a_use_case_refuses_what_is_hidden_as_what_does_not_exist(store: Store) -> None:
    hidden = await two_namespaces(store)
    scoped, before = visible_to(store, CLERK), await everything_in(store)
    for name, use_case in USE_CASES.items():
        refusals = []
        for names in (hidden, NOTHING):
            with pytest.raises(UpliftError) as caught:
                await use_case(scoped, names)
            refusals.append((caught.value.code, caught.value.field, renamed(caught.value.message, names)))
        assert refusals[0] == refusals[1], name
        assert refusals[0][0] in REFUSALS, name
    assert await everything_in(store) == before


async def test_an_id_of_a_hidden_instance_is_not_found_by_an_upgrade(store: Store) -> None:
    hidden = await two_namespaces(store)
    before = (await store.instances.find_many([hidden.instance]))[hidden.instance]
    scoped = visible_to(store, CLERK)
    request = UpgradeRequest(process=ORDERS, selection=by_ids([hidden.instance, an_id(1)]))
    assert (await plan_upgrade(scoped, request)).not_found == 1
    done = await request_upgrade(scoped, request, caller=CLERK, worker=WORKER)
    assert (done.upgraded, done.counts_by_reason(())) == (1, {ReasonCode.INSTANCE_NOT_FOUND: 1})
    assert (await store.instances.find_many([hidden.instance]))[hidden.instance] == before


async def test_a_hidden_instance_is_not_registered_anew(store: Store) -> None:
    hidden = await two_namespaces(store)
    ids: Sequence[InstanceId] = (an_id(60), hidden.instance)
    message = (
        "Expected instances[1].id to be new or of process 'crm/orders', "
        f"but {hidden.instance} belongs to another process."
    )
    for seen in (visible_to(store, CLERK), store):  # the same words as for any other process
        registered: list[Instance] = [replace(an_instance(60), id=instance_id) for instance_id in ids]
        async with refused(store, ErrorCode.INVALID_INPUT, message, ("instances", "1", "id")):
            await register_instances(seen, process=ORDERS, instances=registered, caller=CLERK)


async def test_a_process_is_created_only_in_the_scope(store: Store) -> None:
    await two_namespaces(store)
    scoped = visible_to(store, CLERK)
    for code in ("orders", "unknown"):  # whether it exists already or not
        async with refused(store, ErrorCode.FORBIDDEN, OUTSIDE):
            await create_process(scoped, namespace="hr", code=code, title=None, caller=CLERK)
    created = await create_process(scoped, namespace="empty", code="first", title=None, caller=CLERK)
    assert await scoped.processes.find(created.key) == created


async def test_an_idempotency_key_reveals_no_hidden_upgrade(store: Store) -> None:
    hidden = await two_namespaces(store)
    first = await request_upgrade(
        store, an_upgrade_request(hidden, idempotency_key="one"), caller=EVERYBODY, worker=WORKER
    )
    scoped = visible_to(store, CLERK)
    key = idempotency_key("one", caller=CLERK, digest=b"")
    assert await store.upgrades.known_request(key, since=NOON) is not None
    assert await scoped.upgrades.known_request(key, since=NOON) is None
    request = UpgradeRequest(process=ORDERS, selection=by_ids([an_id(1)]), idempotency_key="one")
    own = await request_upgrade(scoped, request, caller=CLERK, worker=WORKER)
    assert (own.process, own.upgraded) == (ORDERS, 1)
    assert own.id != first.id
    assert await request_upgrade(scoped, request, caller=CLERK, worker=WORKER) == own


async def test_within_its_scope_a_caller_does_everything(store: Store) -> None:
    await two_namespaces(store)
    scoped = visible_to(store, CLERK)
    small = a_worker(size=1)
    await publish_version(scoped, process=ORDERS, caller=CLERK)
    await save_draft(scoped, process=ORDERS, model=None, caller=CLERK)
    await register_instances(scoped, process=ORDERS, instances=[an_instance(70)], caller=CLERK)
    await report_instances(scoped, reports=[a_report(4)], caller=CLERK)
    request = UpgradeRequest(process=ORDERS, selection=all_active())
    queued = await request_upgrade(scoped, request, caller=CLERK, worker=small)
    await pause_upgrade(scoped, queued.id, caller=CLERK)
    await resume_upgrade(scoped, queued.id, caller=CLERK)
    assert len((await scoped.partitions.remaining([queued.id]))[queued.id]) == 1
    done = await finish_upgrade(scoped, queued, small)
    assert (done.upgraded, done.skipped) == (6, 0)
    undone = await request_undo(scoped, UndoRequest(upgrade_id=done.id), caller=CLERK, worker=WORKER)
    assert undone.upgraded == 6
    assert await scoped.upgrades.measured_rate() == await store.upgrades.measured_rate()
    await scoped.wait_for_change(0)
