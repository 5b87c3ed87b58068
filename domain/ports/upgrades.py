"""Reads, adds and changes upgrades, their outcomes and idempotency keys."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from uplift.domain.compatibility import Code
from uplift.domain.errors import InvalidInput
from uplift.domain.model.access import Namespaces
from uplift.domain.model.decision import CountedDecision, Decision, ReasonCode, Verdict
from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.instance import ElementId
from uplift.domain.model.link import LinkId
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import SelectionKind, UpgradeId, UpgradeSelection
from uplift.domain.model.upgrade import (
    Outcome,
    OutcomeKind,
    Partition,
    Upgrade,
    UpgradeProgress,
    UpgradeState,
)
from uplift.domain.model.upgrade_event import UpgradeEvent
from uplift.domain.ports.instances import MAX_LISTED
from uplift.domain.ports.partitions import LockedPartition


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFilter:
    """Restricts a list of outcomes to those that meet all conditions; None means any.

    `reasons` lets an outcome through that has one of them, alone or among others. `elements` are those at
    which the instance waited before, and `findings` the codes of the errors and warnings of its decision;
    one of them is enough. An id that was not found has one reason, but no element and no finding.
    """

    kinds: frozenset[OutcomeKind] | None = None
    reasons: frozenset[ReasonCode] | None = None
    elements: frozenset[ElementId] | None = None
    findings: frozenset[Code] | None = None

    def __post_init__(self) -> None:
        """Raises InvalidInput if there are too many elements."""
        if self.elements is not None and len(self.elements) > MAX_LISTED:
            raise InvalidInput(
                f"Expected elements to have at most {MAX_LISTED:,} values, but got {len(self.elements):,}.",
                field=("filter", "elements"),
            )

    def shows(self, decision: Decision) -> bool:
        """Whether the filter lets the outcomes through that follow from a decision alone."""
        kind = OutcomeKind.SKIPPED if decision.verdict is Verdict.SKIP else OutcomeKind.UPGRADED
        codes = {reason.code for reason in decision.reasons}
        return self.shows_result(kind, codes) and self.shows_decision(decision)

    def shows_result(self, kind: OutcomeKind, codes: Collection[ReasonCode] = ()) -> bool:
        """Whether the filter lets outcomes of a kind with these reasons through, as far as these decide."""
        return (self.kinds is None or kind in self.kinds) and (
            self.reasons is None or not self.reasons.isdisjoint(codes)
        )

    def shows_decision(self, decision: Decision) -> bool:
        """Whether the filter lets outcomes of a decision through, as far as elements and findings decide."""
        position, findings = decision.cohort.position, decision.findings
        return (self.elements is None or not self.elements.isdisjoint(position)) and (
            self.findings is None or any(finding.code in self.findings for finding in findings)
        )

    @property
    def shows_not_found(self) -> bool:
        """Whether the filter lets ids through that no instance of the process has."""
        is_shown = self.shows_result(OutcomeKind.SKIPPED, {ReasonCode.INSTANCE_NOT_FOUND})
        return is_shown and self.shows_any_decision

    @property
    def shows_any_decision(self) -> bool:
        """Whether the filter has no condition on elements and findings."""
        return self.elements is None and self.findings is None

    def count(self, upgrade: Upgrade, skips: Sequence[CountedDecision]) -> int | None:
        """How many outcomes so far the filter lets through, from the upgrade's SKIP decisions.

        None if it tells apart instances that were upgraded or ordered, whose decisions have no counts.
        """
        skipped = sum(counted.count for counted in skips if self.shows(counted.decision))
        if self.shows_not_found:
            skipped += upgrade.not_found(skips)
        others = sum(
            count
            for code, count in upgrade.refusals.items()
            if self.shows_result(OutcomeKind.SKIPPED, {code})
        )
        if self.shows_result(OutcomeKind.UPGRADED):
            others += upgrade.upgraded
        if self.shows_result(OutcomeKind.ORDERED):
            others += upgrade.unsettled
        if self.shows_any_decision or not others:
            return skipped + others
        return None


ANY_OUTCOME = OutcomeFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeFilter:
    """Restricts a list of upgrades; None means any. `since` is the earliest time of the request."""

    states: frozenset[UpgradeState] | None = None
    kinds: frozenset[SelectionKind] | None = None
    requested_by: str | None = None
    since: datetime | None = None

    def shows(self, upgrade: Upgrade) -> bool:
        """Whether the filter lets an upgrade through."""
        return (
            (self.states is None or upgrade.state in self.states)
            and (self.kinds is None or upgrade.selection in self.kinds)
            and self.requested_by in (None, upgrade.requested_by)
            and (self.since is None or upgrade.requested_at >= self.since)
        )


ANY_UPGRADE = UpgradeFilter()


class UpgradeQueries(Protocol):
    """Reads committed upgrades and their outcomes. Each statement reads its own snapshot."""

    async def find(self, upgrade_id: UpgradeId) -> Upgrade | None: ...

    async def find_many(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, Upgrade]:
        """Return the upgrades that exist, by id."""
        ...

    async def page(
        self,
        process_key: ProcessKey | None,
        page: PageRequest,
        upgrade_filter: UpgradeFilter = ANY_UPGRADE,
        *,
        namespaces: Namespaces | None = None,
    ) -> Page[Upgrade]:
        """Return a page of the upgrades of one process, or of all (None), the newest first.

        With `namespaces`, only of processes in these namespaces. A page of a filtered list may end early,
        with `Page.end`: how many upgrades it looks at is bounded.
        """
        ...

    async def count(
        self,
        process_key: ProcessKey | None,
        upgrade_filter: UpgradeFilter = ANY_UPGRADE,
        *,
        namespaces: Namespaces | None = None,
    ) -> int | None:
        """Count the upgrades on all pages together; None if a store would have to look at too many."""
        ...

    async def latest(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, Upgrade]:
        """Return the newest upgrade of each process that has one."""
        ...

    async def unfinished(
        self, limit: int, *, namespaces: Namespaces | None = None
    ) -> tuple[UpgradeProgress, ...]:
        """Return the newest `limit` unfinished upgrades, the newest first.

        With `namespaces`, only of processes in these namespaces, among a bounded number of unfinished ones.
        Keep this fast, however many finished upgrades there are: it is called every second.
        """
        ...

    async def following_pages(
        self, ids: Sequence[UpgradeId], kind: SelectionKind, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Upgrade]]:
        """Return the same page of the retries, or the undos (`kind`), of each upgrade, the newest first."""
        ...

    async def claimable(
        self, now: datetime, *, only: UpgradeId | None = None, passing_over: Collection[UpgradeId] = ()
    ) -> Upgrade | None:
        """Return the upgrade of which a worker should claim a partition at `now`.

        See uplift.domain.use_cases.worker.claim for the order. If there is none, returns a RUNNING upgrade
        without partitions and unsettled orders, which is to be completed, or None. With `only`, considers
        this upgrade alone.
        Passes over the upgrades `passing_over`, and all others of their processes.
        """
        ...

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        """Return the request that came with this key, unless it is older than `since`."""
        ...

    async def measured_rate(self, link: LinkId | None = None) -> float | None:
        """Return outcomes per second of work in the latest large upgrades; None when there was none.

        With a link, only in those that its engine carried out; without one, only in those of no link.
        """
        ...

    async def outcome_pages(
        self, ids: Sequence[UpgradeId], outcome_filter: OutcomeFilter, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Outcome]]:
        """Return the same page of the outcomes of each upgrade.

        Outcomes of a selection by ids keep the order of the request, all others that of registration.
        A page of a filtered list may end early, with `Page.end`: how many outcomes it looks at is bounded.
        """
        ...

    async def skip_decisions(
        self, ids: Sequence[UpgradeId]
    ) -> Mapping[UpgradeId, tuple[CountedDecision, ...]]:
        """Return the SKIP decisions that each upgrade has applied, with the number of instances."""
        ...

    async def operator_events(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[UpgradeEvent, ...]]:
        """Return the events that were added to each upgrade, the oldest first, at most the latest MAX_EVENTS.

        See uplift.domain.model.upgrade_event.events_of for those that the upgrade itself tells.
        """
        ...


class LockedUpgrade(Protocol):
    """An upgrade that no other transaction changes until this one ends."""

    @property
    def upgrade(self) -> Upgrade:
        """The upgrade as it was when it was locked or added."""
        ...

    async def remaining(self) -> tuple[Partition, ...]:
        """Return the remaining partitions, along the selection. Workers may hold locks on them."""
        ...

    async def stop(self) -> Upgrade:
        """Take away the leases of all its partitions, and return the upgrade with all that they did.

        Waits for the chunks that are running. Those that begin later find no lease, and do nothing. The
        upgrade takes over the tallies.
        """
        ...

    async def save(self, upgrade: Upgrade) -> None:
        """Store what can change of the upgrade: state, times, counts and error.

        The counts change by the difference to what this transaction has last read or saved: chunks change
        those of partitions at the same time.
        """
        ...

    async def add_event(self, event: UpgradeEvent) -> None:
        """Store what an operator did to the upgrade."""
        ...

    async def remember_request(self, idempotency_key: IdempotencyKey, at: datetime) -> None:
        """Store that this key led to this upgrade, replacing what the key led to before."""
        ...

    async def prune_outcomes(self, limit: int) -> int:
        """Delete about `limit` outcomes of a finished upgrade, the first ones, and return their number.

        With the last one it deletes the events PAUSED and RESUMED.
        """
        ...


class UpgradeRepository(Protocol):
    """Adds and locks upgrades within a transaction.

    Who locks an upgrade and its partitions locks the upgrade first. Chunks lock their partition alone.
    """

    async def find(self, upgrade_id: UpgradeId) -> Upgrade | None:
        """Return an upgrade without locking it."""
        ...

    async def lock(self, upgrade_id: UpgradeId) -> LockedUpgrade | None:
        """Lock an upgrade and return it as it is then; None when it does not exist.

        Waits for the transaction that holds the lock, and sees what that one committed.
        """
        ...

    async def add(
        self, upgrade: Upgrade, selection: UpgradeSelection
    ) -> tuple[LockedUpgrade, Sequence[LockedPartition]]:
        """Add an upgrade with its selection. The returned upgrade has the number of excluded instances.

        The partitions, at least one, cover the whole selection: most stores return one, and a store that
        divides instances among servers one for each part. They are not stored, because most upgrades finish
        in the same transaction: store each, or what remains of it, with `LockedPartition.add`.
        """
        ...

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        """Return the request that came with this key, unless it is older than `since`.

        Waits until other transactions that look up the same key end. If several carry out the same request,
        the first stores the upgrade and the others find it.
        """
        ...

    async def lock_claimable(
        self, upgrade_id: UpgradeId, now: datetime
    ) -> tuple[LockedUpgrade, LockedPartition] | None:
        """Lock an upgrade, and the partition of it that a worker should claim at `now`; None if none is free.

        Skips partitions that another transaction has locked. No other transaction claims a partition of
        the same process until this one ends.
        """
        ...

    async def lock_ordering(self, process_key: ProcessKey, now: datetime) -> bool:
        """Return whether a new upgrade of a linked process may order its instances in this transaction.

        It may not while a worker runs another upgrade of the process, or one has unsettled orders: their
        instances could be the same. No other transaction claims a partition of the process, or calls this for
        it, until this one ends.
        """
        ...

    async def lock_prunable(self, before: datetime, limit: int) -> tuple[LockedUpgrade, ...]:
        """Lock the oldest `limit` upgrades that finished before a time and are not fully pruned.

        Skips upgrades that another transaction has locked, those that an unfinished retry or undo
        refers to, which needs their outcomes, and those with unsettled orders.
        """
        ...
