"""The data of a store in memory, and functions that read it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from uplift.domain.model.cohort import Cohort, CountedCohort, Origin
from uplift.domain.model.decision import INSTANCE_NOT_FOUND, CountedDecision, Verdict
from uplift.domain.model.idempotency import KnownRequest
from uplift.domain.model.instance import ACTIVE, Instance, InstanceId, Status
from uplift.domain.model.paging import Item, Page, PageRequest, page_of
from uplift.domain.model.process import Process, ProcessKey, Version, VersionNumber, VersionState
from uplift.domain.model.selection import Selection, SelectionKind, UpgradeId
from uplift.domain.model.upgrade import Outcome, Partition, Upgrade, UpgradeState
from uplift.domain.ports import InstanceFilter, OutcomeFilter


@dataclass(slots=True)
class State:
    """Everything the store holds. Its dictionaries keep the order of their lists."""

    processes: dict[ProcessKey, Process] = field(default_factory=dict)
    versions: dict[tuple[ProcessKey, VersionNumber], Version] = field(default_factory=dict)
    models: dict[tuple[ProcessKey, VersionNumber], bytes] = field(default_factory=dict)
    instances: dict[InstanceId, Instance] = field(default_factory=dict)
    upgrades: dict[UpgradeId, Upgrade] = field(default_factory=dict)
    partitions: dict[tuple[UpgradeId, int], Partition] = field(default_factory=dict)
    """What is left of each upgrade, by where it ends. Its keys are places among the selected ids."""
    selected: dict[UpgradeId, tuple[InstanceId, ...]] = field(default_factory=dict)
    """The ids that each upgrade walks along: those asked for, of an earlier upgrade, or all but some."""
    missing: dict[UpgradeId, frozenset[InstanceId]] = field(default_factory=dict)
    """The ids asked for that no instance of the process had when the upgrade was added."""
    recorded: dict[tuple[UpgradeId, InstanceId], Cohort] = field(default_factory=dict)
    decisions: dict[tuple[UpgradeId, Cohort], CountedDecision] = field(default_factory=dict)
    requests: dict[tuple[str, str], tuple[KnownRequest, datetime]] = field(default_factory=dict)

    def snapshot(self) -> "State":
        """The same values in dictionaries of their own."""
        return State(**{name: copy(getattr(self, name)) for name in self.__slots__})


@dataclass(slots=True)
class Committed:
    """The state that the last committed transaction left."""

    state: State = field(default_factory=State)


def process_in(state: State, key: ProcessKey) -> Process | None:
    """The process, with the latest published version it has now."""
    held = state.processes.get(key)
    return None if held is None else as_it_stands(state, held)


def as_it_stands(state: State, process: Process) -> Process:
    """The process with the latest published version it has now."""
    published = [
        version.number
        for version in versions_in(state, process.key)
        if version.state is VersionState.PUBLISHED
    ]
    return replace(process, latest_published=max(published, default=None))


def versions_in(state: State, key: ProcessKey) -> tuple[Version, ...]:
    """The versions of a process by number."""
    own = (version for (owner, _), version in state.versions.items() if owner == key)
    return tuple(sorted(own, key=lambda version: version.number))


def instances_in(state: State, key: ProcessKey) -> list[Instance]:
    """The instances of a process by registration."""
    return [instance for instance in state.instances.values() if instance.process == key]


def active_in(state: State, key: ProcessKey) -> list[Instance]:
    """Those that have not ended."""
    return [instance for instance in instances_in(state, key) if instance.status in ACTIVE]


def selected_in(state: State, key: ProcessKey, selection: Selection) -> list[Instance]:
    """The instances that a selection means now."""
    if selection.kind is SelectionKind.BY_IDS:
        named = (state.instances.get(instance_id) for instance_id in selection.named_ids)
        return [instance for instance in named if instance is not None and instance.process == key]
    left_out = set(selection.named_ids)
    return [instance for instance in active_in(state, key) if instance.id not in left_out]


def claimable_in(state: State, now: datetime, only: UpgradeId | None) -> tuple[Upgrade, Partition] | None:
    """The partition that a worker should take now, of any upgrade or of this one."""
    busy = {
        upgrade.process: upgrade.id
        for upgrade in state.upgrades.values()
        if _is_worked_on(state, upgrade, now)
    }
    free = [
        (upgrade, partition)
        for upgrade in state.upgrades.values()
        if only in (None, upgrade.id) and busy.get(upgrade.process, upgrade.id) == upgrade.id
        for partition in partitions_in(state, upgrade.id)
        if _is_free(upgrade, partition, now)
    ]

    def turn(one: tuple[Upgrade, Partition]) -> int:
        upgrade, partition = one
        if upgrade.process in busy:
            return 2
        return 0 if upgrade.state is UpgradeState.QUEUED or partition.lease is not None else 1

    return min(free, key=turn, default=None)


def partitions_in(state: State, upgrade: UpgradeId) -> tuple[Partition, ...]:
    """What is left of an upgrade, along its selection."""
    own = (partition for (owner, _), partition in state.partitions.items() if owner == upgrade)
    return tuple(sorted(own, key=lambda partition: partition.last))


def prunable_in(state: State, before: datetime, limit: int) -> tuple[Upgrade, ...]:
    """The oldest upgrades that finished before a time and still have outcomes to prune."""
    needed = {upgrade.of for upgrade in state.upgrades.values() if not upgrade.is_finished}
    old = (
        upgrade
        for upgrade in state.upgrades.values()
        if upgrade.finished_at is not None and upgrade.finished_at < before and upgrade.id not in needed
    )
    full = (upgrade for upgrade in old if upgrade.pruned_at is None or outcomes_in(state, upgrade.id))
    return tuple(islice(full, limit))


def known_in(state: State, caller: str, key: str, since: datetime) -> KnownRequest | None:
    """What was asked under this key of this caller since a time."""
    known = state.requests.get((caller, key))
    return known[0] if known is not None and known[1] >= since else None


def end_of_chunk(state: State, upgrade: Upgrade, partition: Partition, size: int) -> int:
    """Where the chunk of so many instances behind the cursor of a partition ends."""
    if upgrade.selection is not SelectionKind.ALL_ACTIVE:
        return min(partition.cursor + size, partition.last)
    behind = enumerate(
        state.selected[upgrade.id][partition.cursor : partition.last], start=partition.cursor + 1
    )
    active = (end for end, instance_id in behind if still_selected(upgrade, state.instances[instance_id]))
    return next(islice(active, size - 1, None), partition.last)


def still_selected(upgrade: Upgrade, instance: Instance) -> bool:
    """Whether an instance that was selected when the upgrade was added still is: it may have ended."""
    return upgrade.selection is not SelectionKind.ALL_ACTIVE or instance.status in ACTIVE


def cohort_for(state: State, upgrade: Upgrade, instance: Instance) -> Cohort:
    """The cohort in which an upgrade finds an instance; for an undo, with where it came from."""
    if upgrade.selection is not SelectionKind.UNDO:
        return cohort_of(instance)
    assert upgrade.of is not None, "an undo is of an upgrade"
    return replace(cohort_of(instance), origin=_origin(state, upgrade.of, instance.id))


def cohort_of(instance: Instance) -> Cohort:
    """What the rules of an upgrade may know of an instance."""
    return Cohort(version=instance.version, status=instance.status, position=instance.position)


def counted(cohorts: Iterable[Cohort]) -> tuple[CountedCohort, ...]:
    """The cohorts by version and status, the largest first."""
    largest_first = Counter(cohorts).most_common()
    in_order = sorted(largest_first, key=lambda one: order_of(one[0]))
    return tuple(CountedCohort(cohort=cohort, count=count) for cohort, count in in_order)


def order_of(cohort: Cohort) -> tuple[VersionNumber, int]:
    """How cohorts are listed."""
    return cohort.version, list(Status).index(cohort.status)


def outcomes_in(state: State, upgrade: UpgradeId) -> list[Outcome]:
    """What an upgrade did so far, in the order in which it walks."""
    if upgrade not in state.upgrades:
        return []
    if state.upgrades[upgrade].selection is SelectionKind.BY_IDS:
        remaining = partitions_in(state, upgrade)
        instance_ids: Iterable[InstanceId] = [
            instance_id
            for place, instance_id in enumerate(state.selected[upgrade], start=1)
            if not any(partition.cursor < place <= partition.last for partition in remaining)
        ]
    else:
        places = {instance_id: place for place, instance_id in enumerate(state.selected[upgrade])}
        done = (instance_id for owner, instance_id in state.recorded if owner == upgrade)
        instance_ids = sorted(done, key=places.__getitem__)
    return [outcome_of(state, upgrade, instance_id) for instance_id in instance_ids]


def outcome_of(state: State, upgrade: UpgradeId, instance_id: InstanceId) -> Outcome:
    """What an upgrade did to an instance, or to an id that none has."""
    cohort = state.recorded.get((upgrade, instance_id))
    if cohort is None:
        return Outcome(instance=instance_id, reasons=(INSTANCE_NOT_FOUND,))
    decision = state.decisions[upgrade, cohort].decision
    upgraded = decision.verdict is Verdict.UPGRADE
    return Outcome(
        instance=instance_id,
        reasons=decision.reasons,
        from_version=cohort.version,
        to_version=decision.to_version if upgraded else cohort.version,
        from_position=cohort.position,
        to_position=decision.to_position if upgraded else cohort.position,
    )


def shows(which: InstanceFilter, instance: Instance) -> bool:
    """Whether a list shows an instance."""
    return which.status in (None, instance.status) and which.version in (None, instance.version)


def shows_outcome(which: OutcomeFilter, outcome: Outcome) -> bool:
    """Whether a list shows an outcome."""
    has_reason = which.reason is None or any(reason.code is which.reason for reason in outcome.reasons)
    return which.kind in (None, outcome.kind) and has_reason


def page_along(
    items: Iterable[Item], page: PageRequest, shown: Callable[[Item], bool] = lambda _: True
) -> Page[Item]:
    """A page of those items that are shown; the key of an item is its place among all."""
    rows: Sequence[tuple[int, Item]] = [
        (place, item)
        for place, item in enumerate(items, start=1)
        if place > (page.after or 0) and shown(item)
    ]
    return page_of(rows, page.first)


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


def _is_worked_on(state: State, upgrade: Upgrade, now: datetime) -> bool:
    return upgrade.state is UpgradeState.RUNNING and any(
        partition.is_worked_on(now) for partition in partitions_in(state, upgrade.id)
    )


def _is_free(upgrade: Upgrade, partition: Partition, now: datetime) -> bool:
    # A lease counts only while its upgrade is RUNNING.
    return upgrade.state is UpgradeState.QUEUED or (
        upgrade.state is UpgradeState.RUNNING and not partition.is_worked_on(now)
    )
