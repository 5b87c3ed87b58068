"""The writes that a store in memory takes; see uplift.domain.ports.Transaction."""

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
from uplift.domain.ports import HeldPartition, RecordedChunk
from uplift.storage.memory import state as held
from uplift.storage.memory.state import State


class InMemoryTransaction:
    """Writes to a draft of the state that becomes the state when the transaction ends well."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def process(self, key: ProcessKey) -> Process | None:
        return held.process_in(self._state, key)

    async def add_process(self, process: Process) -> None:
        self._state.processes[process.key] = process

    async def versions(self, keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[Version, ...]]:
        return {key: held.versions_in(self._state, key) for key in keys}

    async def model(self, key: ProcessKey, number: VersionNumber) -> bytes | None:
        return self._state.models.get((key, number))

    async def put_version(self, key: ProcessKey, version: Version, model: bytes | None) -> None:
        self._state.versions[key, version.number] = version
        if model is None:
            self._state.models.pop((key, version.number), None)
        else:
            self._state.models[key, version.number] = model

    async def publish(self, key: ProcessKey, number: VersionNumber, at: datetime) -> None:
        draft = self._state.versions[key, number]
        self._state.versions[key, number] = replace(draft, state=VersionState.PUBLISHED, published_at=at)

    async def processes_of(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, ProcessKey]:
        known = self._state.instances
        return {given: known[given].process for given in ids if given in known}

    async def register(self, _: ProcessKey, instances: Sequence[Instance]) -> None:
        for new in instances:
            known = self._state.instances.get(new.id)
            self._state.instances[new.id] = new if known is None else replace(new, version=known.version)

    async def report(self, _: ProcessKey, reports: Sequence[InstanceReport]) -> None:
        for report in reports:
            known = self._state.instances[report.id]
            self._state.instances[report.id] = replace(known, status=report.status, position=report.position)

    async def upgrade(self, upgrade: UpgradeId) -> Upgrade | None:
        return self._state.upgrades.get(upgrade)

    async def claimable(
        self, now: datetime, *, only: UpgradeId | None = None
    ) -> tuple[Upgrade, Partition] | None:
        return held.claimable_in(self._state, now, only)

    async def known_request(self, key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        return held.known_in(self._state, key.caller, key.key, since)

    async def remember_request(self, key: IdempotencyKey, upgrade: UpgradeId, at: datetime) -> None:
        known = KnownRequest(digest=key.digest, upgrade_id=upgrade)
        self._state.requests[key.caller, key.key] = (known, at)

    async def add_upgrade(self, upgrade: Upgrade, selection: WorkedSelection) -> tuple[Upgrade, Partition]:
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
        return kept, Partition(upgrade=upgrade.id, cursor=0, last=len(self._state.selected[upgrade.id]))

    async def add_partition(self, partition: Partition) -> None:
        self._state.partitions[partition.upgrade, partition.last] = partition

    async def save_partition(self, partition: Partition) -> None:
        self._state.partitions[partition.upgrade, partition.last] = partition

    async def end_partition(self, partition: Partition) -> None:
        del self._state.partitions[partition.upgrade, partition.last]

    async def held_partition(self, upgrade: UpgradeId, worker: str, now: datetime) -> HeldPartition | None:
        partitions = held.partitions_in(self._state, upgrade)
        own = next((one for one in partitions if one.lease is not None and one.lease.worker == worker), None)
        if own is None:
            return None
        others = sum(one.is_worked_on(now) for one in partitions if one != own)
        return HeldPartition(upgrade=self._state.upgrades[upgrade], partition=own, workers=others + 1)

    async def partitions(self, upgrade: Upgrade) -> tuple[Partition, ...]:
        return held.partitions_in(self._state, upgrade.id)

    async def end_of_chunk(self, upgrade: Upgrade, partition: Partition, size: int) -> int:
        return held.end_of_chunk(self._state, upgrade, partition, size)

    async def record_chunk(
        self, upgrade: Upgrade, partition: Partition, size: int, decisions: Collection[Decision]
    ) -> RecordedChunk:
        end = held.end_of_chunk(self._state, upgrade, partition, size)
        covered = self._state.selected[upgrade.id][partition.cursor : end]
        missing = self._state.missing.get(upgrade.id, frozenset())
        known = [self._state.instances[given] for given in covered if given not in missing]
        recorded = [one for one in known if held.still_selected(upgrade, one)]
        cohorts = {one.id: held.cohort_for(self._state, upgrade, one) for one in recorded}
        self._state.recorded.update({(upgrade.id, given): cohort for given, cohort in cohorts.items()})
        moved = self._move_all(cohorts.items(), decisions)
        moving = {one.cohort for one in decisions}
        unmoved = Counter(cohort for cohort in cohorts.values() if cohort not in moving)
        return RecordedChunk(
            recorded=len(recorded),
            moved=moved,
            unmoved=tuple(CountedCohort(cohort=cohort, count=count) for cohort, count in unmoved.items()),
            not_found=len(covered) - len(known),
            cursor=end,
            is_last=end == partition.last,
        )

    async def move(
        self, upgrade: Upgrade, partition: Partition, chunk: RecordedChunk, decisions: Collection[Decision]
    ) -> int:
        covered = self._state.selected[upgrade.id][partition.cursor : chunk.cursor]
        recorded = ((one, self._state.recorded.get((upgrade.id, one))) for one in covered)
        return self._move_all(((one, cohort) for one, cohort in recorded if cohort is not None), decisions)

    async def decisions(self, upgrade: Upgrade) -> tuple[Decision, ...]:
        return tuple(kept.decision for (of, _), kept in self._state.decisions.items() if of == upgrade.id)

    async def keep_decisions(self, upgrade: Upgrade, decisions: Sequence[CountedDecision]) -> None:
        for counted in decisions:
            key = (upgrade.id, counted.decision.cohort)
            kept = self._state.decisions.get(key)
            self._state.decisions[key] = (
                counted if kept is None else replace(kept, count=kept.count + counted.count)
            )

    async def prunable(self, before: datetime, most: int) -> tuple[Upgrade, ...]:
        return held.prunable_in(self._state, before, most)

    async def prune_outcomes(self, upgrade: Upgrade, most: int) -> int:
        old = held.outcomes_in(self._state, upgrade.id)
        for outcome in old[:most]:
            self._state.recorded.pop((upgrade.id, outcome.instance), None)
        self._state.selected[upgrade.id] = tuple(outcome.instance for outcome in old[most:])
        for partition in held.partitions_in(self._state, upgrade.id):
            await self.end_partition(partition)
        return len(old[:most])

    async def save_upgrade(self, upgrade: Upgrade) -> None:
        self._state.upgrades[upgrade.id] = upgrade

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
