"""Finds the plan by which an engine carries out orders."""

from uplift.domain.bounded_cache import BoundedCache
from uplift.domain.model.cohort import Cohort
from uplift.domain.model.decision import Decision
from uplift.domain.model.instance import Position
from uplift.domain.model.mapping import VersionMapping
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.ports import Store
from uplift.domain.ports.process_engine import EngineVersionId, MovePlan
from uplift.domain.rules.comparer import Comparer
from uplift.domain.rules.migration_path import mapping_instructions
from uplift.domain.rules.move_plan import MoveInstructions, identity_instructions, undo_instructions

MAX_CACHED_BYTES = 4 * 2**20
_PLAN_BYTES = 500
_INSTRUCTION_BYTES = 300


class VersionNotInEngineError(Exception):
    """A plan needs a version of which the engine has no counterpart; the message is for operators."""

    def __init__(self, process: ProcessKey, number: VersionNumber) -> None:
        super().__init__(
            f"Expected version {number} of process '{process}' in the engine, but it is not there."
        )


class MovePlans:
    """Finds plans, and keeps those found last: one plan serves all orders of a cohort.

    Open no transaction around a call: it may compare documents, which takes seconds for large ones.
    """

    def __init__(self, store: Store, comparer: Comparer) -> None:
        self._store = store
        self._comparer = comparer
        self._plans = BoundedCache[tuple[UpgradeId, Cohort], MovePlan](MAX_CACHED_BYTES)

    async def find(self, upgrade_id: UpgradeId, process: ProcessKey, decision: Decision) -> MovePlan:
        """Find the plan for the instances of a decision. Raises VersionNotInEngineError and InvalidModel."""
        plan = self._plans.get((upgrade_id, decision.cohort))
        if plan is None:
            plan = await self._find(upgrade_id, process, decision)
            size = _PLAN_BYTES + _INSTRUCTION_BYTES * len(plan.instructions)
            self._plans.put((upgrade_id, decision.cohort), plan, size)
        return plan

    async def _find(self, upgrade_id: UpgradeId, process: ProcessKey, decision: Decision) -> MovePlan:
        source, target = decision.cohort.version, decision.to_version
        assert target is not None, "only decisions that upgrade have orders"
        versions = (await self._store.links.versions([process]))[process]
        return MovePlan(
            source=_engine_id(process, source, versions.get(source)),
            target=_engine_id(process, target, versions.get(target)),
            instructions=await self.instructions(upgrade_id, process, decision),
        )

    async def instructions(
        self, upgrade_id: UpgradeId, process: ProcessKey, decision: Decision
    ) -> MoveInstructions:
        """Find what the plan for the instances of a decision maps. Raises InvalidModel."""
        upgrade = await self._upgrade(upgrade_id)
        cohort, target = decision.cohort, decision.to_version
        assert target is not None, "only decisions that upgrade have orders"
        if cohort.origin is None:
            return await self._instructions(
                process, cohort.version, target, cohort.position, upgrade.mappings
            )
        # An undo goes back on the way of the upgrade that it undoes, with its instructions.
        assert upgrade.of is not None, "an undo follows an upgrade"
        undone = await self._upgrade(upgrade.of)
        there = await self._instructions(
            process, target, cohort.version, cohort.origin.position, undone.mappings
        )
        return undo_instructions(there)

    async def of_mappings(
        self,
        process: ProcessKey,
        source: VersionNumber,
        target: VersionNumber,
        position: Position,
        mappings: tuple[VersionMapping, ...],
    ) -> MovePlan:
        """Find the plan for the instances of one version at a position, with the caller's instructions."""
        versions = (await self._store.links.versions([process]))[process]
        return MovePlan(
            source=_engine_id(process, source, versions.get(source)),
            target=_engine_id(process, target, versions.get(target)),
            instructions=await self._instructions(process, source, target, position, mappings),
        )

    async def _instructions(
        self,
        process: ProcessKey,
        source: VersionNumber,
        target: VersionNumber,
        position: Position,
        mappings: tuple[VersionMapping, ...],
    ) -> MoveInstructions:
        before = await self._store.processes.model(process, source)
        after = await self._store.processes.model(process, target)
        if before is None or after is None:
            return identity_instructions(position)
        instructions = mapping_instructions(mappings, source)
        return await self._comparer.move_instructions(before, after, instructions, position)

    async def _upgrade(self, upgrade_id: UpgradeId) -> Upgrade:
        upgrade = await self._store.upgrades.find(upgrade_id)
        assert upgrade is not None, "upgrades are never deleted"
        return upgrade


def _engine_id(
    process: ProcessKey, number: VersionNumber, engine_id: EngineVersionId | None
) -> EngineVersionId:
    if engine_id is None:
        raise VersionNotInEngineError(process, number)
    return engine_id
