"""Reads the state of a store in memory."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice

from uplift.domain.model.cohort import Cohort, CountedCohort, Origin
from uplift.domain.model.decision import INSTANCE_NOT_FOUND, Verdict
from uplift.domain.model.idempotency import KnownRequest
from uplift.domain.model.instance import ACTIVE, Instance, InstanceId, Status
from uplift.domain.model.paging import Item, Page, PageRequest, page_of
from uplift.domain.model.process import Process, ProcessKey, Version, VersionNumber, VersionState, folded
from uplift.domain.model.selection import LISTED, Selection, SelectionKind, UpgradeId
from uplift.domain.model.upgrade import SENDING, Outcome, Partition, Upgrade, UpgradeState
from uplift.domain.ports import OutcomeFilter, ProcessFilter, ProcessOrder
from uplift.storage.memory.state import State, cohort_of


def process_in(state: State, process_key: ProcessKey) -> Process | None:
    """The process with the number of its latest published version, or None."""
    process = state.processes.get(process_key)
    return None if process is None else with_latest_published(state, process)


def with_latest_published(state: State, process: Process) -> Process:
    """The process with the number of its latest published version and its link."""
    published = [
        version.number
        for version in versions_in(state, process.key)
        if version.state is VersionState.PUBLISHED
    ]
    linked = state.linked_processes.get(process.key)
    return replace(
        process,
        latest_published=max(published, default=None),
        link=None if linked is None else linked.link,
    )


def versions_in(state: State, process_key: ProcessKey) -> tuple[Version, ...]:
    """The versions of a process, ordered by number."""
    own = (version for (owner, _), version in state.versions.items() if owner == process_key)
    return tuple(sorted(own, key=lambda version: version.number))


def instances_in(state: State, process_key: ProcessKey) -> list[Instance]:
    """The instances of a process in the order of registration."""
    return [instance for instance in state.instances.values() if instance.process == process_key]


def active_in(state: State, process_key: ProcessKey) -> list[Instance]:
    """The instances of a process that have not ended, in the order of registration."""
    return [instance for instance in instances_in(state, process_key) if instance.status in ACTIVE]


def selected_in(state: State, process_key: ProcessKey, selection: Selection) -> list[Instance]:
    """The instances that a selection includes now."""
    if selection.kind is SelectionKind.BY_IDS:
        return listed_in(state, process_key, selection)
    excluded_ids, conditions = set(selection.named_ids), selection.conditions
    matching = (
        instance
        for instance in active_in(state, process_key)
        if instance.id not in excluded_ids
        and (conditions is None or conditions.are_met_by(cohort_of(instance)))
    )
    return list(islice(matching, None if conditions is None else conditions.limit))


def listed_in(state: State, process_key: ProcessKey, selection: Selection) -> list[Instance]:
    """The instances of the process whose ids the selection includes or excludes."""
    listed = (state.instances.get(instance_id) for instance_id in selection.named_ids)
    return [instance for instance in listed if instance is not None and instance.process == process_key]


def active_counts(state: State, process_key: ProcessKey) -> dict[Cohort, int]:
    """The counts of the cohorts of a process that have not ended."""
    kept = state.counts.of(process_key).items()
    return {cohort: count for cohort, count in kept if cohort.status in ACTIVE}


def claimable_in(
    state: State, now: datetime, only: UpgradeId | None, passing_over: Collection[UpgradeId] = ()
) -> tuple[Upgrade, Partition] | None:
    """The partition that a worker should claim now, of any upgrade or only of one."""
    busy = {
        upgrade.process: upgrade.id
        for upgrade in state.upgrades.values()
        if _is_worked_on(state, upgrade.id, now)
    }
    passed_over = {upgrade.process for upgrade in state.upgrades.values() if upgrade.id in passing_over}
    free = [
        (upgrade, partition)
        for upgrade in state.upgrades.values()
        if only in (None, upgrade.id) and upgrade.process not in passed_over
        if busy.get(upgrade.process, upgrade.id) == upgrade.id
        for partition in partitions_in(state, upgrade.id)
        if _is_free(upgrade, partition, now) and awaiting_in(state, upgrade.process) <= {upgrade.id}
    ]

    def rank(claimable: tuple[Upgrade, Partition]) -> int:
        upgrade, partition = claimable
        if upgrade.process in busy:
            return 2
        return 0 if upgrade.state is UpgradeState.QUEUED or partition.lease is not None else 1

    return min(free, key=rank, default=None)


def completable_in(
    state: State, only: UpgradeId | None, passing_over: Collection[UpgradeId] = ()
) -> Upgrade | None:
    """The first RUNNING upgrade of which no partition and no order is left."""
    passed_over = {upgrade.process for upgrade in state.upgrades.values() if upgrade.id in passing_over}
    ended = (
        upgrade
        for upgrade in state.upgrades.values()
        if only in (None, upgrade.id) and upgrade.process not in passed_over
        if upgrade.state is UpgradeState.RUNNING and not upgrade.unsettled
        if not partitions_in(state, upgrade.id)
    )
    return next(ended, None)


def is_busy(state: State, process_key: ProcessKey, now: datetime) -> bool:
    """Whether a worker runs an upgrade of a process."""
    own = (upgrade for upgrade in state.upgrades.values() if upgrade.process == process_key)
    return any(_is_worked_on(state, upgrade.id, now) for upgrade in own)


def awaiting_in(state: State, process_key: ProcessKey) -> set[UpgradeId]:
    """The upgrades of a process whose orders an engine will carry out, or may have."""
    return {
        upgrade.id
        for upgrade in state.upgrades.values()
        if upgrade.process == process_key and (upgrade.sent or (upgrade.ordered and upgrade.state in SENDING))
    }


def partitions_in(state: State, upgrade_id: UpgradeId) -> tuple[Partition, ...]:
    """The remaining partitions of an upgrade, in the order of its selection."""
    own = (partition for (owner, _), partition in state.partitions.items() if owner == upgrade_id)
    return tuple(sorted(own, key=lambda partition: partition.last))


def prunable_in(state: State, before: datetime, limit: int) -> tuple[Upgrade, ...]:
    """The oldest upgrades that finished before a time and still have outcomes to prune."""
    # A retry or undo that has not finished still reads the outcomes of its earlier upgrade.
    needed = {upgrade.of for upgrade in state.upgrades.values() if not upgrade.is_finished}
    old = (
        upgrade
        for upgrade in state.upgrades.values()
        if upgrade.finished_at is not None
        and upgrade.finished_at < before
        and upgrade.id not in needed
        and not upgrade.unsettled
    )
    prunable = (upgrade for upgrade in old if upgrade.pruned_at is None or outcomes_in(state, upgrade.id))
    return tuple(islice(prunable, limit))


def known_in(state: State, caller: str, idempotency_key: str, since: datetime) -> KnownRequest | None:
    """The request of a caller with this idempotency key, if it is not older than `since`."""
    known = state.requests.get((caller, idempotency_key))
    return known[0] if known is not None and known[1] >= since else None


def end_of_chunk(state: State, upgrade: Upgrade, partition: Partition, size: int) -> int:
    """The last place of the chunk that starts at the cursor of a partition and has `size` instances."""
    if upgrade.selection not in (SelectionKind.ALL_ACTIVE, SelectionKind.MATCHING):
        return min(partition.cursor + size, partition.last)
    behind = enumerate(
        state.selected[upgrade.id][partition.cursor : partition.last], start=partition.cursor + 1
    )
    active = (end for end, instance_id in behind if still_selected(upgrade, state.instances[instance_id]))
    return next(islice(active, size - 1, None), partition.last)


def still_selected(upgrade: Upgrade, instance: Instance) -> bool:
    """Whether an upgrade still selects an instance.

    One that has ended drops out of ALL_ACTIVE, and one that no longer meets the conditions out of MATCHING.
    """
    if upgrade.selection is SelectionKind.MATCHING and upgrade.conditions is not None:
        return upgrade.conditions.are_met_by(cohort_of(instance))
    return upgrade.selection is not SelectionKind.ALL_ACTIVE or instance.status in ACTIVE


def cohort_for(state: State, upgrade: Upgrade, instance: Instance) -> Cohort:
    """The cohort in which an upgrade finds an instance; that of an undo has its origin."""
    if upgrade.selection is not SelectionKind.UNDO:
        return cohort_of(instance)
    assert upgrade.of is not None, "an undo is of an upgrade"
    return replace(cohort_of(instance), origin=_origin(state, upgrade.of, instance.id))


def sorted_counts(counts: Mapping[Cohort, int]) -> tuple[CountedCohort, ...]:
    """Sort counts by version and status, then by size, the largest first."""
    largest_first = Counter(counts).most_common()
    in_order = sorted(largest_first, key=lambda cohort_and_count: order_of(cohort_and_count[0]))
    return tuple(CountedCohort(cohort=cohort, count=count) for cohort, count in in_order)


def order_of(cohort: Cohort) -> tuple[VersionNumber, int]:
    """The key by which lists of cohorts are sorted."""
    return cohort.version, list(Status).index(cohort.status)


def outcomes_in(state: State, upgrade_id: UpgradeId) -> list[Outcome]:
    """The outcomes of an upgrade so far, in the order of its selection."""
    if upgrade_id not in state.upgrades:
        return []
    if state.upgrades[upgrade_id].selection in LISTED:
        remaining = partitions_in(state, upgrade_id)
        processed_ids: Iterable[InstanceId] = [
            instance_id
            for place, instance_id in enumerate(state.selected[upgrade_id], start=1)
            if not any(partition.cursor < place <= partition.last for partition in remaining)
        ]
    else:
        places = {instance_id: place for place, instance_id in enumerate(state.selected[upgrade_id])}
        recorded_ids = (instance_id for owner, instance_id in state.recorded if owner == upgrade_id)
        processed_ids = sorted(recorded_ids, key=places.__getitem__)
    return [outcome_of(state, upgrade_id, instance_id) for instance_id in processed_ids]


def outcome_of(state: State, upgrade_id: UpgradeId, instance_id: InstanceId) -> Outcome:
    """The outcome of an upgrade for an instance, or for an id that no instance has."""
    cohort = state.recorded.get((upgrade_id, instance_id))
    if cohort is None:
        return Outcome(instance=instance_id, reasons=(INSTANCE_NOT_FOUND,))
    decision = state.decisions[upgrade_id, cohort].decision
    order = state.orders.get((upgrade_id, instance_id))
    refusal = None if order is None else order.refusal
    upgraded = decision.verdict is Verdict.UPGRADE and refusal is None
    return Outcome(
        instance=instance_id,
        reasons=decision.reasons if refusal is None else (refusal,),
        is_ordered=order is not None and order.is_unsettled,
        from_version=cohort.version,
        to_version=decision.to_version if upgraded else cohort.version,
        from_position=cohort.position,
        to_position=decision.to_position if upgraded else cohort.position,
    )


def shows_process(process_filter: ProcessFilter, process: Process) -> bool:
    """Whether a filter lets a process through."""
    search = folded(process_filter.search or "")
    is_found = search in folded(process.title) or search in folded(str(process.key))
    return is_found and process_filter.namespace in (None, process.key.namespace)


def rank_of_process(order: ProcessOrder, place: int, process: Process) -> tuple[str | int, ...]:
    """The key by which a list of processes is sorted. The place of a process is that in the order of age."""
    match order:
        case ProcessOrder.CREATED:
            return (place,)
        case ProcessOrder.NAME:
            return (process.key.namespace, process.key.code)
        case ProcessOrder.TITLE:
            return (folded(process.title), place)


def shows_outcome(
    state: State, upgrade_id: UpgradeId, outcome_filter: OutcomeFilter, outcome: Outcome
) -> bool:
    """Whether a filter lets an outcome of an upgrade through."""
    cohort = state.recorded.get((upgrade_id, outcome.instance))
    if cohort is None:
        return outcome_filter.shows_not_found
    codes = {reason.code for reason in outcome.reasons}
    decision = state.decisions[upgrade_id, cohort].decision
    return outcome_filter.shows_result(outcome.kind, codes) and outcome_filter.shows_decision(decision)


def page_along(
    items: Iterable[Item], page: PageRequest, shown: Callable[[Item], bool] | None = None
) -> Page[Item]:
    """A page of the items that `shown` lets through. The sort key of an item is its place among all items."""
    after = page.after or 0
    rows: Iterable[tuple[int, Item]] = enumerate(islice(items, after, None), start=after + 1)
    if shown is not None:
        rows = ((place, item) for place, item in rows if shown(item))
    return page_of(islice(rows, page.first + 1), page.first)


def _origin(state: State, of: UpgradeId, instance_id: InstanceId) -> Origin:
    outcome = outcome_of(state, of, instance_id)
    assert outcome.from_version is not None, "a moved instance has versions and positions"
    assert outcome.to_version is not None
    assert outcome.from_position is not None
    assert outcome.to_position is not None
    return Origin(
        version=outcome.from_version,
        position=outcome.from_position,
        put_version=outcome.to_version,
        put_position=outcome.to_position,
    )


def _is_worked_on(state: State, upgrade_id: UpgradeId, now: datetime) -> bool:
    return any(partition.is_worked_on(now) for partition in partitions_in(state, upgrade_id))


def _is_free(upgrade: Upgrade, partition: Partition, now: datetime) -> bool:
    return upgrade.state in (UpgradeState.QUEUED, UpgradeState.RUNNING) and not partition.is_worked_on(now)
