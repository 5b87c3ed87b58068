"""The writes of a transaction in memory; see uplift.domain.ports.Transaction."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.decision import CountedDecision, Decision
from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.instance import ACTIVE, Instance, InstanceId, InstanceReport
from uplift.domain.model.process import Process, ProcessKey, Version, VersionNumber, VersionState
from uplift.domain.model.selection import SelectionKind, UpgradeId, WorkedSelection
from uplift.domain.model.upgrade import OutcomeKind, Partition, Upgrade
from uplift.domain.ports import RecordedChunk
from uplift.storage.memory import state as held
from uplift.storage.memory.state import State


class InMemoryTransaction:
    """Writes to a draft of the state that becomes the state when the transaction ends well."""

    def __init__(self, state: State) -> None:
        self.processes = ProcessRepositoryInMemory(state)
        self.instances = InstanceRepositoryInMemory(state)
        self.upgrades = UpgradeRepositoryInMemory(state)
        self.partitions = PartitionRepositoryInMemory(state)


class ProcessRepositoryInMemory:
    """Implements uplift.domain.ports.ProcessRepository."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def find(self, process_key: ProcessKey) -> Process | None:
        return held.process_in(self._state, process_key)

    async def add(self, process: Process) -> None:
        self._state.processes[process.key] = process

    async def lock_versions(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[Version, ...]]:
        return {process_key: held.versions_in(self._state, process_key) for process_key in process_keys}

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> bytes | None:
        return self._state.models.get((process_key, number))

    async def put_version(self, process_key: ProcessKey, version: Version, model: bytes | None) -> None:
        self._state.versions[process_key, version.number] = version
        if model is None:
            self._state.models.pop((process_key, version.number), None)
        else:
            self._state.models[process_key, version.number] = model

    async def publish(self, process_key: ProcessKey, number: VersionNumber, at: datetime) -> None:
        draft = self._state.versions[process_key, number]
        published = replace(draft, state=VersionState.PUBLISHED, published_at=at)
        self._state.versions[process_key, number] = published


class InstanceRepositoryInMemory:
    """Implements uplift.domain.ports.InstanceRepository."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def lock(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, ProcessKey]:
        known = self._state.instances
        return {instance_id: known[instance_id].process for instance_id in ids if instance_id in known}

    async def register(self, _: ProcessKey, instances: Sequence[Instance]) -> None:
        for instance in instances:
            known = self._state.instances.get(instance.id)
            registered = instance if known is None else replace(instance, version=known.version)
            self._state.instances[instance.id] = registered

    async def report(self, _: ProcessKey, reports: Sequence[InstanceReport]) -> None:
        for report in reports:
            known = self._state.instances[report.id]
            self._state.instances[report.id] = replace(known, status=report.status, position=report.position)


class LockedUpgradeInMemory:
    """Implements uplift.domain.ports.LockedUpgrade."""

    def __init__(self, state: State, upgrade: Upgrade) -> None:
        self._state = state
        self.upgrade = upgrade

    async def remaining(self) -> tuple[Partition, ...]:
        return held.partitions_in(self._state, self.upgrade.id)

    async def save(self, upgrade: Upgrade) -> None:
        self._state.upgrades[upgrade.id] = upgrade

    async def remember_request(self, idempotency_key: IdempotencyKey, at: datetime) -> None:
        known = KnownRequest(digest=idempotency_key.digest, upgrade_id=self.upgrade.id)
        self._state.requests[idempotency_key.caller, idempotency_key.key] = (known, at)

    async def prune_outcomes(self, limit: int) -> int:
        upgrade_id = self.upgrade.id
        outcomes = held.outcomes_in(self._state, upgrade_id)
        pruned, kept = outcomes[:limit], outcomes[limit:]
        for outcome in pruned:
            self._state.recorded.pop((upgrade_id, outcome.instance), None)
        self._state.selected[upgrade_id] = tuple(outcome.instance for outcome in kept)
        for partition in held.partitions_in(self._state, upgrade_id):
            del self._state.partitions[upgrade_id, partition.last]
        return len(pruned)


class LockedPartitionInMemory:
    """Implements uplift.domain.ports.LockedPartition, and HeldPartition with the number of workers."""

    def __init__(self, state: State, upgrade: Upgrade, partition: Partition, workers: int = 1) -> None:
        self._state = state
        self.upgrade = upgrade
        self.partition = partition
        self.workers = workers
        self.chunks = ChunksInMemory(state, upgrade, partition)

    async def add(self, partition: Partition) -> None:
        self._state.partitions[partition.upgrade, partition.last] = partition

    async def save(self, partition: Partition) -> None:
        self._state.partitions[partition.upgrade, partition.last] = partition

    async def end(self) -> None:
        del self._state.partitions[self.upgrade.id, self.partition.last]


class ChunksInMemory:
    """Implements uplift.domain.ports.Chunks."""

    def __init__(self, state: State, upgrade: Upgrade, partition: Partition) -> None:
        self._state = state
        self._upgrade = upgrade
        self._partition = partition

    async def end(self, size: int) -> int:
        return held.end_of_chunk(self._state, self._upgrade, self._partition, size)

    async def record(self, size: int, decisions: Collection[Decision]) -> RecordedChunk:
        upgrade, partition = self._upgrade, self._partition
        end = held.end_of_chunk(self._state, upgrade, partition, size)
        covered = self._state.selected[upgrade.id][partition.cursor : end]
        missing = self._state.missing.get(upgrade.id, frozenset())
        known = [self._state.instances[instance_id] for instance_id in covered if instance_id not in missing]
        recorded = [instance for instance in known if held.still_selected(upgrade, instance)]
        cohorts = {instance.id: held.cohort_for(self._state, upgrade, instance) for instance in recorded}
        self._state.recorded.update({(upgrade.id, given): cohort for given, cohort in cohorts.items()})
        moved = self._move_all(cohorts.items(), decisions)
        moving = {decision.cohort for decision in decisions}
        unmoved = Counter(cohort for cohort in cohorts.values() if cohort not in moving)
        return RecordedChunk(
            recorded=len(recorded),
            moved=moved,
            unmoved=tuple(CountedCohort(cohort=cohort, count=count) for cohort, count in unmoved.items()),
            not_found=len(covered) - len(known),
            cursor=end,
            is_last=end == partition.last,
        )

    async def move(self, chunk: RecordedChunk, decisions: Collection[Decision]) -> int:
        covered = self._state.selected[self._upgrade.id][self._partition.cursor : chunk.cursor]
        recorded = ((one, self._state.recorded.get((self._upgrade.id, one))) for one in covered)
        return self._move_all(((one, cohort) for one, cohort in recorded if cohort is not None), decisions)

    async def decisions(self) -> tuple[Decision, ...]:
        kept = self._state.decisions.items()
        return tuple(counted.decision for (of, _), counted in kept if of == self._upgrade.id)

    async def keep_decisions(self, decisions: Sequence[CountedDecision]) -> None:
        for counted in decisions:
            place = (self._upgrade.id, counted.decision.cohort)
            kept = self._state.decisions.get(place)
            self._state.decisions[place] = (
                counted if kept is None else replace(kept, count=kept.count + counted.count)
            )

    def _move_all(
        self, recorded: Iterable[tuple[InstanceId, Cohort]], decisions: Collection[Decision]
    ) -> int:
        by_cohort = {decision.cohort: decision for decision in decisions}
        return sum(self._move(given, by_cohort[cohort]) for given, cohort in recorded if cohort in by_cohort)

    def _move(self, given: InstanceId, decision: Decision) -> bool:
        instance = self._state.instances[given]
        if held.cohort_of(instance) != replace(decision.cohort, origin=None):
            return False
        assert decision.to_version is not None, "an UPGRADE decision has a version and a position"
        assert decision.to_position is not None
        self._state.instances[given] = replace(
            instance, version=decision.to_version, position=decision.to_position
        )
        return True


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
        self, upgrade: Upgrade, selection: WorkedSelection
    ) -> tuple[LockedUpgradeInMemory, LockedPartitionInMemory]:
        present = {one.id: one for one in held.instances_in(self._state, upgrade.process)}
        kept = upgrade
        if selection.kind is SelectionKind.BY_IDS:
            self._state.selected[upgrade.id] = selection.named_ids
            self._state.missing[upgrade.id] = frozenset(selection.named_ids).difference(present)
        elif selection.of is None:
            left_out = frozenset(selection.named_ids)
            self._state.selected[upgrade.id] = tuple(one for one in present if one not in left_out)
            excluded = sum(one in present and present[one].status in ACTIVE for one in left_out)
            kept = replace(upgrade, excluded=excluded, expected=max(0, upgrade.expected - excluded))
        else:
            earlier = [
                outcome.instance
                for outcome in held.outcomes_in(self._state, selection.of)
                if outcome.instance in present
                and (
                    any(reason.code in selection.reasons for reason in outcome.reasons)
                    if selection.kind is SelectionKind.RETRY
                    else outcome.kind is OutcomeKind.UPGRADED
                )
            ]
            in_order = {given: place for place, given in enumerate(present)}
            self._state.selected[upgrade.id] = tuple(sorted(earlier, key=in_order.__getitem__))
        self._state.upgrades[upgrade.id] = kept
        whole = Partition(upgrade=upgrade.id, cursor=0, last=len(self._state.selected[upgrade.id]))
        return LockedUpgradeInMemory(self._state, kept), LockedPartitionInMemory(self._state, kept, whole)

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        return held.known_in(self._state, idempotency_key.caller, idempotency_key.key, since)

    async def lock_claimable(
        self, now: datetime, *, only: UpgradeId | None = None
    ) -> tuple[LockedUpgradeInMemory, LockedPartitionInMemory] | None:
        found = held.claimable_in(self._state, now, only)
        if found is None:
            return None
        upgrade, partition = found
        return (
            LockedUpgradeInMemory(self._state, upgrade),
            LockedPartitionInMemory(self._state, upgrade, partition),
        )

    async def lock_prunable(self, before: datetime, limit: int) -> tuple[LockedUpgradeInMemory, ...]:
        prunable = held.prunable_in(self._state, before, limit)
        return tuple(LockedUpgradeInMemory(self._state, upgrade) for upgrade in prunable)


class PartitionRepositoryInMemory:
    """Implements uplift.domain.ports.PartitionRepository."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def lock_held(
        self, upgrade_id: UpgradeId, worker: str, now: datetime
    ) -> LockedPartitionInMemory | None:
        partitions = held.partitions_in(self._state, upgrade_id)
        own = next((one for one in partitions if one.lease is not None and one.lease.worker == worker), None)
        if own is None:
            return None
        others = sum(one.is_worked_on(now) for one in partitions if one != own)
        upgrade = self._state.upgrades[upgrade_id]
        return LockedPartitionInMemory(self._state, upgrade, own, others + 1)
