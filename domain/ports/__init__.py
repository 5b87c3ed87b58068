"""What the use cases ask of a store, whichever it is: questions that read, and transactions that write.

Every question is answered for many keys at once where a list may ask it for each of its rows. A store is
safe to use from many tasks of one event loop. Sequences keep the order of their list: processes and upgrades
by age, versions by number, instances by registration, outcomes of a selection by ids as asked for.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.decision import CountedDecision, Decision, ReasonCode
from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.instance import Instance, InstanceId, InstanceReport, Status
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import Process, ProcessKey, Version, VersionNumber
from uplift.domain.model.selection import Selection, UpgradeId, WorkedSelection
from uplift.domain.model.upgrade import HistoryEntry, Outcome, OutcomeKind, Partition, Upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFilter:
    """Which instances of a process a list shows; None means any."""

    status: Status | None = None
    version: VersionNumber | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFilter:
    """Which outcomes of an upgrade a list shows; None means any."""

    kind: OutcomeKind | None = None
    reason: ReasonCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedCohorts:
    """A selection as it is now, grouped.

    `not_found` counts ids that no instance of the process has, `excluded` active instances that are left out.
    """

    cohorts: tuple[CountedCohort, ...]
    not_found: int
    excluded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedChunk:
    """What a chunk covers: `recorded` instances, each with its outcome.

    `moved` of them were in cohorts that the decisions made before move; `unmoved` are the others, by cohort.
    `not_found` counts ids of the selection that no instance of the process has. `cursor` is where the
    chunk ends; `is_last` says that nothing of the partition is left behind it.
    """

    recorded: int
    moved: int
    unmoved: tuple[CountedCohort, ...]
    not_found: int
    cursor: int
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPartition:
    """A partition that a worker holds, its upgrade, and how many workers work on that, this one included."""

    upgrade: Upgrade
    partition: Partition
    workers: int


class ProcessQuestions(Protocol):
    """What is asked about processes and their versions."""

    async def process(self, key: ProcessKey) -> Process | None: ...

    async def processes(self, page: PageRequest) -> Page[Process]: ...

    async def processes_named(self, keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, Process]: ...

    async def versions(self, keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[Version, ...]]: ...

    async def model(self, key: ProcessKey, number: VersionNumber) -> bytes | None:
        """The BPMN document of a version; None when the version has none or does not exist."""
        ...


class InstanceQuestions(Protocol):
    """What is asked about instances."""

    async def instances(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]: ...

    async def instance_pages(
        self, keys: Sequence[ProcessKey], which: InstanceFilter, page: PageRequest
    ) -> Mapping[ProcessKey, Page[Instance]]: ...

    async def cohorts(self, keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[CountedCohort, ...]]:
        """All instances of each process, counted: by version, then status, the largest cohort first."""
        ...

    async def count_active(self, key: ProcessKey) -> int:
        """How many instances of a process have not ended."""
        ...

    async def selected_cohorts(self, key: ProcessKey, selection: Selection) -> SelectedCohorts:
        """The instances of a selection, counted by version, status and position."""
        ...

    async def cohort_pages(
        self, key: ProcessKey, selection: Selection, cohorts: Sequence[Cohort], page: PageRequest
    ) -> Mapping[Cohort, Page[Instance]]:
        """The instances of a selection that are in each of these cohorts."""
        ...


class UpgradeQuestions(Protocol):
    """What is asked about upgrades and what they did."""

    async def upgrade(self, upgrade: UpgradeId) -> Upgrade | None: ...

    async def upgrades_named(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, Upgrade]: ...

    async def upgrades(self, process: ProcessKey | None, page: PageRequest) -> Page[Upgrade]:
        """Upgrades, the newest first; of one process, or of all."""
        ...

    async def claimable(self, now: datetime, *, only: UpgradeId | None = None) -> Upgrade | None:
        """The upgrade of which a worker should take a partition now, or this one (see
        use_cases.run.claim)."""
        ...

    async def partitions(self, upgrades: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[Partition, ...]]:
        """What is left of each upgrade, along its selection; nothing of an unknown one."""
        ...

    async def known_request(self, key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        """What was asked under this key of this caller, unless that was before `since`."""
        ...

    async def histories(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, tuple[HistoryEntry, ...]]:
        """What upgrades did to each of these instances, the oldest first."""
        ...

    async def measured_rate(self) -> float | None:
        """Outcomes a second of work in the latest large upgrades; None when there was none."""
        ...

    async def outcome_pages(
        self, upgrades: Sequence[UpgradeId], which: OutcomeFilter, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Outcome]]: ...

    async def decisions(
        self, upgrades: Sequence[UpgradeId]
    ) -> Mapping[UpgradeId, tuple[CountedDecision, ...]]:
        """The SKIP decisions an upgrade has carried out so far, each with how many instances it concerned."""
        ...


class Transaction(Protocol):
    """Writes that happen together or not at all.

    What a transaction has asked for, nobody else changes until it ends: the versions of a process, the
    instances of ids, an upgrade, what a key led to, the partition that a worker holds (but not its upgrade).
    A recorded chunk stays as it was recorded. Whoever holds a partition asks for its upgrade after it.
    """

    async def process(self, key: ProcessKey) -> Process | None: ...

    async def add_process(self, process: Process) -> None:
        """Add a process. Raises ProcessExists when another program has added it meanwhile."""
        ...

    async def versions(self, keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[Version, ...]]: ...

    async def model(self, key: ProcessKey, number: VersionNumber) -> bytes | None: ...

    async def put_version(self, key: ProcessKey, version: Version, model: bytes | None) -> None:
        """Add a version, or replace the one that has its number."""
        ...

    async def publish(self, key: ProcessKey, number: VersionNumber, at: datetime) -> None: ...

    async def processes_of(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, ProcessKey]:
        """The process of each instance that exists."""
        ...

    async def register(self, key: ProcessKey, instances: Sequence[Instance], /) -> None:
        """Add instances; of one that exists, only status and position change."""
        ...

    async def report(self, key: ProcessKey, reports: Sequence[InstanceReport], /) -> None:
        """Change status and position of existing instances of the process."""
        ...

    async def upgrade(self, upgrade: UpgradeId) -> Upgrade | None: ...

    async def claimable(
        self, now: datetime, *, only: UpgradeId | None = None
    ) -> tuple[Upgrade, Partition] | None:
        """The partition that a worker should take now, and its upgrade; nobody else takes one of it
        meanwhile."""
        ...

    async def known_request(self, key: IdempotencyKey, *, since: datetime) -> KnownRequest | None: ...

    async def remember_request(self, key: IdempotencyKey, upgrade: UpgradeId, at: datetime) -> None:
        """Keep that this key led to this upgrade, in place of what the key led to before."""
        ...

    async def add_upgrade(self, upgrade: Upgrade, selection: WorkedSelection) -> tuple[Upgrade, Partition]:
        """Keep a new upgrade and its selection; returns it with the number of active instances left out.

        The partition is all of it, and is not kept: most upgrades are done as soon as they are added.
        """
        ...

    async def add_partition(self, partition: Partition) -> None:
        """Keep a partition of an upgrade that nobody else changes."""
        ...

    async def save_partition(self, partition: Partition) -> None:
        """Keep what has changed of the partition that ends there: cursor and lease."""
        ...

    async def end_partition(self, partition: Partition) -> None:
        """Forget a partition of which nothing is left."""
        ...

    async def held_partition(self, upgrade: UpgradeId, worker: str, now: datetime) -> HeldPartition | None:
        """The first partition of an upgrade that is leased to this worker, even if its lease has run out.

        Others may change the upgrade; those whose leases have run out do not work on it.
        """
        ...

    async def partitions(self, upgrade: Upgrade) -> tuple[Partition, ...]:
        """What is left of an upgrade, along its selection."""
        ...

    async def end_of_chunk(self, upgrade: Upgrade, partition: Partition, size: int) -> int:
        """Where a chunk of so many instances behind the cursor of a partition ends, at most at its last
        key."""
        ...

    async def record_chunk(
        self, upgrade: Upgrade, partition: Partition, size: int, decisions: Collection[Decision]
    ) -> RecordedChunk:
        """Record the next `size` instances of the partition, as they are now.

        Of these it moves those that the given decisions move: all UPGRADE decisions that are kept so far.
        Active instances that the selection leaves out may count as part of the `size`.
        Only instances that existed when the upgrade was added belong to it: of all active, those among them
        that are active now; of a selection by ids, an id that had no instance then is not found.
        """
        ...

    async def move(
        self, upgrade: Upgrade, partition: Partition, chunk: RecordedChunk, decisions: Collection[Decision]
    ) -> int:
        """Move the unmoved instances of the chunk that these UPGRADE decisions are about; returns how many.

        The decisions are kept already, and are all that move any of these instances: a store may carry out
        all that are kept. Repeats every condition: an instance is moved only if it still is in the cohort it
        was recorded in.
        """
        ...

    async def decisions(self, upgrade: Upgrade) -> tuple[Decision, ...]:
        """All decisions that are kept."""
        ...

    async def keep_decisions(self, upgrade: Upgrade, decisions: Sequence[CountedDecision]) -> None:
        """Keep decisions on cohorts of a chunk; those that skip add their count to what is kept."""
        ...

    async def prunable(self, before: datetime, most: int) -> tuple[Upgrade, ...]:
        """The oldest upgrades that were finished before a time and still have outcomes, or are not marked.

        Not those that an unfinished retry or undo is about: it needs the outcomes.
        """
        ...

    async def prune_outcomes(self, upgrade: Upgrade, most: int) -> int:
        """Forget the first outcomes of a finished upgrade, about so many; returns how many."""
        ...

    async def save_upgrade(self, upgrade: Upgrade) -> None:
        """Keep what has changed of an existing upgrade: state, times, counts and error."""
        ...


class Store(ProcessQuestions, InstanceQuestions, UpgradeQuestions, Protocol):
    """Where processes, versions, instances and upgrades are kept."""

    async def wait_for_change(self, seconds: float) -> None:
        """Return when an upgrade may have changed, at the latest after so many seconds.

        A change by this program is told at once; one by another only shows when one looks.
        """
        ...

    def transaction(self, *, in_background: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction; it is committed when the block ends, and rolled back when the block raises.

        One in the background lets all others go first where they compete for the machine.
        """
        ...
