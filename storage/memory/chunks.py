"""Implements the port of chunks in memory."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.decision import CountedDecision, Decision, Verdict
from uplift.domain.model.instance import InstanceId
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.domain.ports import RecordedChunk
from uplift.storage.memory import queries
from uplift.storage.memory.state import State, StoredOrder, cohort_of, put_instance


class ChunksInMemory:
    """Implements uplift.domain.ports.Chunks."""

    def __init__(self, state: State, upgrade: Upgrade, partition: Partition) -> None:
        self._state = state
        self._upgrade = upgrade
        self._partition = partition

    async def end_of(self, size: int) -> int:
        return queries.end_of_chunk(self._state, self._upgrade, self._partition, size)

    async def record_and_move(
        self, size: int, decisions: Collection[Decision], end: int | None = None
    ) -> RecordedChunk:
        upgrade, partition = self._upgrade, self._partition
        if end is None:
            end = await self.end_of(size)
        covered = self._state.selected[upgrade.id][partition.cursor : end]
        missing = self._state.missing.get(upgrade.id, frozenset())
        known = [self._state.instances[instance_id] for instance_id in covered if instance_id not in missing]
        recorded = [instance for instance in known if queries.still_selected(upgrade, instance)]
        cohorts = {instance.id: queries.cohort_for(self._state, upgrade, instance) for instance in recorded}
        self._state.recorded.update(
            {(upgrade.id, instance_id): cohort for instance_id, cohort in cohorts.items()}
        )
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

    async def move_rest(self, chunk: RecordedChunk, decisions: Collection[Decision]) -> int:
        covered = self._state.selected[self._upgrade.id][self._partition.cursor : chunk.cursor]
        cohorts = (
            (instance_id, self._state.recorded.get((self._upgrade.id, instance_id)))
            for instance_id in covered
        )
        recorded = ((instance_id, cohort) for instance_id, cohort in cohorts if cohort is not None)
        return self._move_all(recorded, decisions)

    async def order(self, chunk: RecordedChunk) -> int:
        state, upgrade = self._state, self._upgrade
        assert upgrade.link is not None, "only a linked upgrade has orders"
        ordered = 0
        for instance_id in state.selected[upgrade.id][self._partition.cursor : chunk.cursor]:
            cohort = state.recorded.get((upgrade.id, instance_id))
            if cohort is None or state.decisions[upgrade.id, cohort].decision.verdict is Verdict.SKIP:
                continue
            order = StoredOrder(link=upgrade.link, upgrade=upgrade.id, instance=instance_id)
            state.orders[upgrade.id, instance_id] = order
            ordered += 1
        return ordered

    async def decisions(self) -> tuple[Decision, ...]:
        kept = self._state.decisions.items()
        return tuple(counted.decision for (of, _), counted in kept if of == self._upgrade.id)

    async def keep_decisions(self, decisions: Sequence[Decision]) -> Sequence[Decision]:
        kept = self._state.decisions
        return [
            kept.setdefault(
                (self._upgrade.id, decision.cohort), CountedDecision(decision=decision, count=0)
            ).decision
            for decision in decisions
        ]

    async def count_skips(self, skips: Sequence[CountedDecision]) -> None:
        for skip in skips:
            decision_key = (self._upgrade.id, skip.decision.cohort)
            kept = self._state.decisions[decision_key]
            self._state.decisions[decision_key] = replace(kept, count=kept.count + skip.count)

    def _move_all(
        self, recorded: Iterable[tuple[InstanceId, Cohort]], decisions: Collection[Decision]
    ) -> int:
        by_cohort = {decision.cohort: decision for decision in decisions}
        return sum(
            self._move(instance_id, by_cohort[cohort])
            for instance_id, cohort in recorded
            if cohort in by_cohort
        )

    def _move(self, instance_id: InstanceId, decision: Decision) -> bool:
        instance = self._state.instances[instance_id]
        if cohort_of(instance) != replace(decision.cohort, origin=None):
            return False
        assert decision.to_version is not None, "an UPGRADE decision has a version and a position"
        assert decision.to_position is not None
        moved = replace(instance, version=decision.to_version, position=decision.to_position)
        put_instance(self._state, moved)
        return True
