"""Implements the ports of upgrades in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from uplift.domain.model.access import Namespaces
from uplift.domain.model.conditions import Conditions
from uplift.domain.model.decision import CountedDecision, Verdict
from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.link import LinkId
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import SelectionKind, UpgradeId, UpgradeSelection
from uplift.domain.model.upgrade import (
    RATED_FROM,
    RATED_UPGRADES,
    UNFINISHED,
    Outcome,
    OutcomeKind,
    Partition,
    Tally,
    Upgrade,
    UpgradeProgress,
)
from uplift.domain.model.upgrade_event import MAX_EVENTS, UpgradeEvent, UpgradeEventKind
from uplift.domain.ports import (
    ANY_OUTCOME,
    ANY_UPGRADE,
    LockedPartition,
    LockedUpgrade,
    OutcomeFilter,
    UpgradeFilter,
)
from uplift.storage.memory import queries
from uplift.storage.memory.partitions import LockedPartitionInMemory
from uplift.storage.memory.state import Committed, State, cohort_of

PAUSES = (UpgradeEventKind.PAUSED, UpgradeEventKind.RESUMED)


class LockedUpgradeInMemory:
    """Implements uplift.domain.ports.LockedUpgrade."""

    def __init__(self, state: State, upgrade: Upgrade) -> None:
        self._state = state
        self._latest = upgrade
        self.upgrade = upgrade

    async def remaining(self) -> tuple[Partition, ...]:
        return queries.partitions_in(self._state, self.upgrade.id)

    async def stop(self) -> Upgrade:
        for partition in queries.partitions_in(self._state, self.upgrade.id):
            stopped = replace(partition, lease=None, tally=Tally())
            self._state.partitions[partition.upgrade, partition.last] = stopped
        self._latest = self._state.upgrades[self.upgrade.id]
        return self._latest

    async def save(self, upgrade: Upgrade) -> None:
        by_chunks = self._state.upgrades[upgrade.id].tally - self._latest.tally
        self._latest = upgrade.with_tally(by_chunks)
        self._state.upgrades[upgrade.id] = self._latest

    async def add_event(self, event: UpgradeEvent) -> None:
        self._state.events[self.upgrade.id] = (*self._state.events.get(self.upgrade.id, ()), event)

    async def remember_request(self, idempotency_key: IdempotencyKey, at: datetime) -> None:
        known = KnownRequest(digest=idempotency_key.digest, upgrade_id=self.upgrade.id)
        self._state.requests[idempotency_key.caller, idempotency_key.key] = (known, at)

    async def prune_outcomes(self, limit: int) -> int:
        upgrade_id = self.upgrade.id
        outcomes = queries.outcomes_in(self._state, upgrade_id)
        pruned, kept = outcomes[:limit], outcomes[limit:]
        for outcome in pruned:
            self._state.recorded.pop((upgrade_id, outcome.instance), None)
            self._state.orders.pop((upgrade_id, outcome.instance), None)
        self._state.selected[upgrade_id] = tuple(outcome.instance for outcome in kept)
        for partition in queries.partitions_in(self._state, upgrade_id):
            del self._state.partitions[upgrade_id, partition.last]
        if not kept and upgrade_id in self._state.events:
            self._state.events[upgrade_id] = tuple(
                event for event in self._state.events[upgrade_id] if event.kind not in PAUSES
            )
        return len(pruned)


class UpgradeQueriesInMemory:
    """Implements uplift.domain.ports.UpgradeQueries."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed

    @property
    def _state(self) -> State:
        return self._committed.state

    async def find(self, upgrade_id: UpgradeId) -> Upgrade | None:
        return self._state.upgrades.get(upgrade_id)

    async def find_many(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, Upgrade]:
        known = self._state.upgrades
        return {upgrade_id: known[upgrade_id] for upgrade_id in ids if upgrade_id in known}

    async def page(
        self,
        process_key: ProcessKey | None,
        page: PageRequest,
        upgrade_filter: UpgradeFilter = ANY_UPGRADE,
        *,
        namespaces: Namespaces | None = None,
    ) -> Page[Upgrade]:
        shown = self._shown(process_key, upgrade_filter, namespaces)
        rows = [row for row in reversed(shown) if page.after is None or row[0] < page.after]
        return page_of(rows, page.first)

    async def count(
        self,
        process_key: ProcessKey | None,
        upgrade_filter: UpgradeFilter = ANY_UPGRADE,
        *,
        namespaces: Namespaces | None = None,
    ) -> int | None:
        return len(self._shown(process_key, upgrade_filter, namespaces))

    def _shown(
        self, process_key: ProcessKey | None, upgrade_filter: UpgradeFilter, namespaces: Namespaces | None
    ) -> list[tuple[int, Upgrade]]:
        """The upgrades that a filter lets through, with their places in the order of their requests."""
        return [
            (place, upgrade)
            for place, upgrade in enumerate(self._state.upgrades.values(), start=1)
            if process_key in (None, upgrade.process)
            and (namespaces is None or upgrade.process.namespace in namespaces)
            and upgrade_filter.shows(upgrade)
        ]

    async def latest(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, Upgrade]:
        newest = {upgrade.process: upgrade for upgrade in self._state.upgrades.values()}
        return {process_key: newest[process_key] for process_key in process_keys if process_key in newest}

    async def unfinished(
        self, limit: int, *, namespaces: Namespaces | None = None
    ) -> tuple[UpgradeProgress, ...]:
        shown = self._shown(None, UpgradeFilter(states=UNFINISHED), namespaces)
        return tuple(UpgradeProgress.of(upgrade) for _, upgrade in list(reversed(shown))[:limit])

    async def following_pages(
        self, ids: Sequence[UpgradeId], kind: SelectionKind, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Upgrade]]:
        numbered = list(enumerate(self._state.upgrades.values(), start=1))
        return {
            upgrade_id: page_of(
                (
                    (number, upgrade)
                    for number, upgrade in reversed(numbered)
                    if upgrade.of == upgrade_id
                    and upgrade.selection is kind
                    and (page.after is None or number < page.after)
                ),
                page.first,
            )
            for upgrade_id in ids
        }

    async def claimable(
        self, now: datetime, *, only: UpgradeId | None = None, passing_over: Collection[UpgradeId] = ()
    ) -> Upgrade | None:
        found = queries.claimable_in(self._state, now, only, passing_over)
        return queries.completable_in(self._state, only, passing_over) if found is None else found[0]

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        return queries.known_in(self._state, idempotency_key.caller, idempotency_key.key, since)

    async def measured_rate(self, link: LinkId | None = None) -> float | None:
        upgrades = (upgrade for upgrade in self._state.upgrades.values() if upgrade.link == link)
        large = [upgrade for upgrade in upgrades if upgrade.total >= RATED_FROM]
        latest = large[-RATED_UPGRADES:]
        seconds = sum(upgrade.worked.total_seconds() for upgrade in latest)
        return sum(upgrade.total for upgrade in latest) / seconds if seconds else None

    async def outcome_pages(
        self, ids: Sequence[UpgradeId], outcome_filter: OutcomeFilter, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Outcome]]:
        return {
            upgrade_id: queries.page_along(
                queries.outcomes_in(self._state, upgrade_id),
                page,
                None
                if outcome_filter == ANY_OUTCOME
                else partial(queries.shows_outcome, self._state, upgrade_id, outcome_filter),
            )
            for upgrade_id in ids
        }

    async def skip_decisions(
        self, ids: Sequence[UpgradeId]
    ) -> Mapping[UpgradeId, tuple[CountedDecision, ...]]:
        kept = self._state.decisions
        return {
            upgrade_id: tuple(
                kept[owner, cohort]
                for owner, cohort in sorted(kept, key=lambda place: queries.order_of(place[1]))
                if owner == upgrade_id and kept[owner, cohort].decision.verdict is Verdict.SKIP
            )
            for upgrade_id in ids
        }

    async def operator_events(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[UpgradeEvent, ...]]:
        return {upgrade_id: self._state.events.get(upgrade_id, ())[-MAX_EVENTS:] for upgrade_id in ids}


class UpgradeRepositoryInMemory:
    """Implements uplift.domain.ports.UpgradeRepository."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def find(self, upgrade_id: UpgradeId) -> Upgrade | None:
        return self._state.upgrades.get(upgrade_id)

    async def lock(self, upgrade_id: UpgradeId) -> LockedUpgradeInMemory | None:
        found = self._state.upgrades.get(upgrade_id)
        return None if found is None else LockedUpgradeInMemory(self._state, found)

    async def add(
        self, upgrade: Upgrade, selection: UpgradeSelection
    ) -> tuple[LockedUpgrade, Sequence[LockedPartition]]:
        present = {instance.id: instance for instance in queries.instances_in(self._state, upgrade.process)}
        added = upgrade
        if selection.kind is SelectionKind.BY_IDS:
            self._state.selected[upgrade.id] = selection.named_ids
            self._state.missing[upgrade.id] = frozenset(selection.named_ids).difference(present)
        elif selection.of is None:
            excluded_ids = present.keys() & set(selection.named_ids)
            conditions = selection.conditions or Conditions()
            self._state.selected[upgrade.id] = tuple(
                instance_id for instance_id in present if instance_id not in excluded_ids
            )
            excluded = sum(
                conditions.are_met_by(cohort_of(present[instance_id])) for instance_id in excluded_ids
            )
            added = replace(upgrade, excluded=excluded)
            if conditions.limit is not None:
                first = queries.selected_in(self._state, upgrade.process, selection)
                self._state.selected[upgrade.id] = tuple(instance.id for instance in first)
                added = replace(added, expected=len(first))
            elif selection.conditions is None:
                added = replace(added, expected=max(0, upgrade.expected - excluded))
        else:
            earlier_ids = [
                outcome.instance
                for outcome in queries.outcomes_in(self._state, selection.of)
                if outcome.instance in present
                and (
                    any(reason.code in selection.reasons for reason in outcome.reasons)
                    if selection.kind is SelectionKind.RETRY
                    else outcome.kind is OutcomeKind.UPGRADED
                )
            ]
            places = {instance_id: place for place, instance_id in enumerate(present)}
            self._state.selected[upgrade.id] = tuple(sorted(earlier_ids, key=places.__getitem__))
        self._state.upgrades[upgrade.id] = added
        whole = Partition(upgrade=upgrade.id, cursor=0, last=len(self._state.selected[upgrade.id]))
        locked = LockedPartitionInMemory(self._state, added, whole)
        return LockedUpgradeInMemory(self._state, added), (locked,)

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        return queries.known_in(self._state, idempotency_key.caller, idempotency_key.key, since)

    async def lock_claimable(
        self, upgrade_id: UpgradeId, now: datetime
    ) -> tuple[LockedUpgradeInMemory, LockedPartitionInMemory] | None:
        found = queries.claimable_in(self._state, now, upgrade_id)
        if found is None:
            return None
        upgrade, partition = found
        return (
            LockedUpgradeInMemory(self._state, upgrade),
            LockedPartitionInMemory(self._state, upgrade, partition),
        )

    async def lock_ordering(self, process_key: ProcessKey, now: datetime) -> bool:
        return not queries.is_busy(self._state, process_key, now) and not queries.awaiting_in(
            self._state, process_key
        )

    async def lock_prunable(self, before: datetime, limit: int) -> tuple[LockedUpgradeInMemory, ...]:
        prunable = queries.prunable_in(self._state, before, limit)
        return tuple(LockedUpgradeInMemory(self._state, upgrade) for upgrade in prunable)
