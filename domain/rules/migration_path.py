"""How do instances get from one version of a process to the target version?

A comparison costs milliseconds and depends only on the two documents and the instructions; so each is made
once and kept, as is each document that was read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from uplift.domain.bpmn import ProcessModel, read_model
from uplift.domain.compatibility import (
    Comparison,
    Finding,
    MigratedPosition,
    compare,
    migrate_position,
    without_model,
)
from uplift.domain.errors import InvalidInput
from uplift.domain.model.instance import ElementId, Position
from uplift.domain.model.mapping import InvalidMapping, VersionMapping, broken_by
from uplift.domain.model.process import ProcessKey, VersionNumber

Instructions = tuple[tuple[ElementId, ElementId], ...]
"""Source element to target element, for one version."""


class Documents(Protocol):
    """Where the BPMN documents of versions are found."""

    async def model(self, key: ProcessKey, number: VersionNumber) -> bytes | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPath:
    """The way from one version to the target; without a comparison there is nothing to stand in it.

    `without_model` is the version that has no BPMN model, when there is no comparison for that reason.
    """

    target: VersionNumber
    comparison: Comparison | None = None
    without_model: VersionNumber | None = None

    def migrated_position(self, position: Position) -> MigratedPosition:
        """Where an instance goes that waits at this position, or why it cannot."""
        if self.comparison is not None:
            return migrate_position(self.comparison, position)
        return MigratedPosition(position=position, warnings=self.warnings)

    @property
    def mapping(self) -> Mapping[str, str]:
        """The valid pairs, source element to target element, in the order of the sources."""
        return {} if self.comparison is None else self.comparison.mapping

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What stands in the way of some position."""
        return () if self.comparison is None else self.comparison.errors

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What else to know."""
        if self.comparison is not None:
            return self.comparison.warnings
        if self.without_model is not None:
            return (without_model(f"Version {self.without_model}"),)
        return ()


@dataclass(slots=True, kw_only=True)
class MigrationPaths:
    """The ways from all versions of a process to one target, made as they are asked for."""

    process: ProcessKey
    target: VersionNumber
    mappings: Sequence[VersionMapping]
    documents: Documents
    _made: dict[VersionNumber, MigrationPath] = field(default_factory=dict)

    async def migration_path(self, version: VersionNumber) -> MigrationPath:
        """The way from this version."""
        if version not in self._made:
            self._made[version] = await self._make(version)
        return self._made[version]

    async def check_mappings(self) -> None:
        """Raise InvalidMapping or InvalidInput unless every instruction can be followed."""
        for index, mapping in enumerate(self.mappings):
            where = ("mappings", str(index))
            comparison = (await self.migration_path(mapping.from_version)).comparison
            if comparison is None:
                raise InvalidInput(
                    f"Expected to map a version below {self.target}, both with a BPMN model, "
                    f"but got version {mapping.from_version}.",
                    field=(*where, "from_version"),
                )
            if broken := broken_by(mapping, comparison.errors):
                raise InvalidMapping(from_version=mapping.from_version, findings=broken, field=where)

    async def _make(self, version: VersionNumber) -> MigrationPath:
        if version >= self.target:
            return MigrationPath(target=self.target)
        return await find_migration_path(
            self.documents, self.process, version, self.target, self._instructions(version)
        )

    def _instructions(self, version: VersionNumber) -> Instructions:
        return tuple(
            (instruction.source, instruction.target)
            for mapping in self.mappings
            if mapping.from_version == version
            for instruction in mapping.instructions
        )


async def find_migration_path(
    documents: Documents,
    process: ProcessKey,
    source: VersionNumber,
    target: VersionNumber,
    instructions: Instructions = (),
) -> MigrationPath:
    """The way between two versions, whichever is the older."""
    found = []
    for number in (source, target):
        document = await documents.model(process, number)
        if document is None:
            return MigrationPath(target=target, without_model=number)
        found.append(document)
    before, after = found
    return MigrationPath(
        target=target, comparison=compare_documents(before, after, process.code, instructions)
    )


@lru_cache(maxsize=256)
def compare_documents(source: bytes, target: bytes, code: str, instructions: Instructions) -> Comparison:
    """Compare the process of this code in two BPMN documents. Raises InvalidModel."""
    return compare(read_document(source, code), read_document(target, code), instructions=instructions)


@lru_cache(maxsize=256)
def read_document(document: bytes, code: str) -> ProcessModel:
    """The process of this code, or the only one, in a BPMN document. Raises InvalidModel."""
    return read_model(document, process_id=code)
