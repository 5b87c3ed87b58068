"""The data of a store in memory."""

from copy import copy
from dataclasses import dataclass, field
from datetime import datetime

from uplift.domain.model.cohort import Cohort
from uplift.domain.model.decision import CountedDecision, SkipReason
from uplift.domain.model.idempotency import KnownRequest
from uplift.domain.model.instance import Instance, InstanceId
from uplift.domain.model.link import EngineInstanceId, EngineVersionId, Link, LinkId
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.linked_process import LinkedProcess
from uplift.domain.model.order import OrderNumber, OrderState
from uplift.domain.model.process import Process, ProcessKey, Version, VersionModel, VersionNumber
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.domain.model.upgrade_event import UpgradeEvent
from uplift.domain.ports import Sighting


class KeptCounts:
    """The number of instances in each cohort of each process. No count is 0."""

    def __init__(self) -> None:
        self._by_process: dict[ProcessKey, dict[Cohort, int]] = {}

    def __copy__(self) -> "KeptCounts":
        copied = KeptCounts()
        copied._by_process = {process: dict(counts) for process, counts in self._by_process.items()}
        return copied

    def of(self, process_key: ProcessKey) -> dict[Cohort, int]:
        """A copy of the counts of a process."""
        return dict(self._by_process.get(process_key, {}))

    def add(self, instance: Instance, number: int) -> None:
        """Add a number to the count of the instance's cohort."""
        counts = self._by_process.setdefault(instance.process, {})
        cohort = cohort_of(instance)
        counts[cohort] = counts.get(cohort, 0) + number
        if not counts[cohort]:
            del counts[cohort]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An order of an instance; see uplift.domain.model.order.Order. It has no number until it is sent."""

    link: LinkId
    upgrade: UpgradeId
    instance: InstanceId
    state: OrderState = OrderState.ORDERED
    number: OrderNumber | None = None
    attempt: int = 0
    sent_at: datetime | None = None
    refusal: SkipReason | None = None

    @property
    def is_unsettled(self) -> bool:
        """Whether the engine may still carry it out."""
        return self.state in (OrderState.ORDERED, OrderState.SENT)


@dataclass(slots=True)
class State:
    """All data of the store. The order of each dictionary is the order in which its items are listed."""

    processes: dict[ProcessKey, Process] = field(default_factory=dict)
    versions: dict[tuple[ProcessKey, VersionNumber], Version] = field(default_factory=dict)
    models: dict[tuple[ProcessKey, VersionNumber], VersionModel] = field(default_factory=dict)
    instances: dict[InstanceId, Instance] = field(default_factory=dict)
    """Change it only by `put_instance`."""
    counts: KeptCounts = field(default_factory=KeptCounts)
    upgrades: dict[UpgradeId, Upgrade] = field(default_factory=dict)
    partitions: dict[tuple[UpgradeId, int], Partition] = field(default_factory=dict)
    """The remaining partitions of each upgrade, by their last place. Places count the selected ids from 1."""
    selected: dict[UpgradeId, tuple[InstanceId, ...]] = field(default_factory=dict)
    """The ids that each upgrade processes, in order: the ids of its request, those of an earlier upgrade,
    or all of the process but the excluded ones."""
    missing: dict[UpgradeId, frozenset[InstanceId]] = field(default_factory=dict)
    """The requested ids that no instance of the process had when the upgrade was added."""
    recorded: dict[tuple[UpgradeId, InstanceId], Cohort] = field(default_factory=dict)
    """The cohort in which each upgrade found each instance that it has processed."""
    decisions: dict[tuple[UpgradeId, Cohort], CountedDecision] = field(default_factory=dict)
    events: dict[UpgradeId, tuple[UpgradeEvent, ...]] = field(default_factory=dict)
    """What operators did to each upgrade."""
    requests: dict[tuple[str, str], tuple[KnownRequest, datetime]] = field(default_factory=dict)
    links: dict[LinkId, tuple[Link, LinkStatus]] = field(default_factory=dict)
    linked_processes: dict[ProcessKey, LinkedProcess] = field(default_factory=dict)
    linked_versions: dict[tuple[ProcessKey, VersionNumber], EngineVersionId] = field(default_factory=dict)
    engine_ids: dict[InstanceId, EngineInstanceId] = field(default_factory=dict)
    """Only those that are not the text of the id itself."""
    orders: dict[tuple[UpgradeId, InstanceId], StoredOrder] = field(default_factory=dict)
    numbered: dict[tuple[LinkId, OrderNumber], tuple[UpgradeId, InstanceId]] = field(default_factory=dict)
    """The orders that have a number, by number."""
    next_numbers: dict[LinkId, int] = field(default_factory=dict)
    sightings: dict[tuple[LinkId, InstanceId], tuple[Sighting, ...]] = field(default_factory=dict)

    def snapshot(self) -> "State":
        """Copy the dictionaries, but not their immutable values."""
        return State(**{name: copy(getattr(self, name)) for name in self.__slots__})


@dataclass(slots=True)
class Committed:
    """Holds the state after the last committed transaction."""

    state: State = field(default_factory=State)


def put_instance(state: State, instance: Instance) -> None:
    """Add or replace an instance, and keep the counts of cohorts."""
    if (known := state.instances.get(instance.id)) is not None:
        state.counts.add(known, -1)
    state.counts.add(instance, 1)
    state.instances[instance.id] = instance


def cohort_of(instance: Instance) -> Cohort:
    """The version, status and position of an instance."""
    return Cohort(version=instance.version, status=instance.status, position=instance.position)
