"""Loads and compares the versions of a process to find how instances migrate to the target version."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from uplift.domain.compatibility import Finding, MigratedPosition, without_model, without_part
from uplift.domain.errors import InvalidInput
from uplift.domain.model.cohort import Cohort
from uplift.domain.model.instance import ACTIVE, Position
from uplift.domain.model.mapping import InvalidMapping, VersionMapping
from uplift.domain.model.process import ProcessKey, VersionModel, VersionNumber
from uplift.domain.rules.comparer import Comparer, Instructions, Migration


class Documents(Protocol):
    """Reads the BPMN documents of versions."""

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> VersionModel | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPath:
    """How instances of one version migrate to the target version.

    Without a migration, every position stays as it is: either the instances need no upgrade, or one of the
    versions has no BPMN model, which is then `without_model`.
    """

    target: VersionNumber
    migration: Migration | None = None
    without_model: VersionNumber | None = None

    def migrate(self, position: Position) -> MigratedPosition:
        """Migrate the position of an instance, one of those for which the path was found."""
        if self.migration is not None:
            return self.migration.positions[position]
        return MigratedPosition(position=position, warnings=warnings_without(self.without_model))

    @property
    def mapping(self) -> Mapping[str, str]:
        """The valid pairs, source element to target element, sorted by source."""
        return {} if self.migration is None else self.migration.mapping

    def knows(self, positions: Collection[Position]) -> bool:
        """Whether the path was found for all these positions."""
        return self.migration is None or self.migration.positions.keys() >= set(positions)


def warnings_without(version: VersionNumber | None) -> tuple[Finding, ...]:
    """The warning that a version has no BPMN model; none if there is no such version."""
    return () if version is None else (without_model(f"Version {version}"),)


def _first_broken(mapping: VersionMapping, migration: Migration) -> tuple[str, ...]:
    """The path of the first instruction that breaks a rule, down to the end that is wrong."""
    broken = {finding.source for finding in migration.broken}
    for index, instruction in enumerate(mapping.instructions):
        if not broken.isdisjoint({instruction.source, without_part(instruction.source)}):
            end = "source" if instruction.source in migration.missing_sources else "target"
            return "instructions", str(index), end
    raise AssertionError("findings are broken because an instruction has their source")


class NotComparedYetError(Exception):
    """Two versions must be compared, which takes too long for a transaction that holds locks.

    Let the transaction roll back, await `compare`, and begin anew.
    """

    def __init__(
        self, paths: "MigrationPaths", version: VersionNumber, positions: Collection[Position]
    ) -> None:
        super().__init__(f"Version {version} is not compared with version {paths.target} yet.")
        self._paths = paths
        self._version = version
        self._positions = positions

    async def compare(self, documents: Documents) -> None:
        """Compare the versions, so that the next attempt finds the path."""
        await self._paths.with_documents(documents).find(self._version, self._positions)


KnownPaths = dict[tuple[VersionNumber, VersionNumber], MigrationPath]
"""The paths found so far, by source and target version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPaths:
    """The migration paths from all versions of a process to one target version, found on demand.

    `documents` reads inside a transaction if `in_transaction`; then a comparison that takes long raises
    NotComparedYetError. `known` may be shared with other attempts of the same request.
    """

    process: ProcessKey
    target: VersionNumber
    mappings: Sequence[VersionMapping]
    documents: Documents
    comparer: Comparer
    in_transaction: bool = False
    known: KnownPaths = field(default_factory=dict)

    def with_documents(self, documents: Documents) -> "MigrationPaths":
        """The same paths, found outside of a transaction."""
        return MigrationPaths(
            process=self.process,
            target=self.target,
            mappings=self.mappings,
            documents=documents,
            comparer=self.comparer,
            known=self.known,
        )

    async def find(self, version: VersionNumber, positions: Collection[Position] = ()) -> MigrationPath:
        """Find the path from this version, for these positions. Raises NotComparedYetError."""
        path = self.known.get((version, self.target))
        if path is None or not path.knows(positions):
            path = await self._find(version, positions)
            self.known[version, self.target] = path
        return path

    async def find_for(self, cohorts: Collection[Cohort]) -> Mapping[VersionNumber, MigrationPath]:
        """Find the paths of these cohorts, by version. Raises NotComparedYetError."""
        positions: defaultdict[VersionNumber, set[Position]] = defaultdict(set)
        for cohort in cohorts:
            # An instance that has ended waits nowhere, so there is nothing to migrate.
            positions[cohort.version].update([cohort.position] if cohort.status in ACTIVE else [])
        return {version: await self.find(version, group) for version, group in positions.items()}

    async def require_valid_mappings(self) -> None:
        """Raise InvalidMapping or InvalidInput unless every instruction is valid."""
        for index, mapping in enumerate(self.mappings):
            where = ("mappings", str(index))
            migration = (await self.find(mapping.from_version)).migration
            if migration is None:
                raise InvalidInput(
                    f"Expected to map a version below {self.target}, both with a BPMN model, "
                    f"but got version {mapping.from_version}.",
                    field=(*where, "from_version"),
                )
            if migration.broken:
                raise InvalidMapping(
                    from_version=mapping.from_version,
                    findings=migration.broken,
                    field=(*where, *_first_broken(mapping, migration)),
                )

    async def _find(self, version: VersionNumber, positions: Collection[Position]) -> MigrationPath:
        if version >= self.target:
            return MigrationPath(target=self.target)
        models = []
        for number in (version, self.target):
            model = await self.documents.model(self.process, number)
            if model is None:
                return MigrationPath(target=self.target, without_model=number)
            models.append(model)
        source, target = models
        instructions = mapping_instructions(self.mappings, version)
        migration = self.comparer.migration_at_hand(source, target, instructions, positions)
        if migration is None and self.in_transaction:
            raise NotComparedYetError(self, version, positions)
        if migration is None:
            migration = await self.comparer.migrate(source, target, instructions, positions)
        return MigrationPath(target=self.target, migration=migration)


def mapping_instructions(mappings: Sequence[VersionMapping], version: VersionNumber) -> Instructions:
    """The caller's instructions for instances of this version."""
    # A version is mapped once at most.
    mapping = next((mapping for mapping in mappings if mapping.from_version == version), None)
    if mapping is None:
        return ()
    return tuple((instruction.source, instruction.target) for instruction in mapping.instructions)
