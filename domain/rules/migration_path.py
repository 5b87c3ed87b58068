"""Loads and compares the versions of a process to find how instances migrate to the target version.

A comparison takes milliseconds and depends only on two documents and the instructions, so the latest ones are
cached, and so are the models of the documents. The documents themselves are cached by the store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol

from uplift.domain.bounded_cache import BoundedCache
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
from uplift.domain.model.process import ProcessKey, VersionModel, VersionNumber

MAX_CACHED_BYTES = 8 * 2**20
"""The largest total size, in bytes, of the documents whose models are cached. The same limit applies to
cached comparisons. The cached objects take about 12 times as much memory."""

Instructions = tuple[tuple[ElementId, ElementId], ...]
"""Source element to target element, for the instances of one version."""


_ModelKey = tuple[bytes, str]
"""The digest of a document, and the id of a process in it."""


class Documents(Protocol):
    """Reads the BPMN documents of versions."""

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> VersionModel | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPath:
    """How instances of one version migrate to the target version.

    Without a comparison, every position stays as it is: either the instances need no upgrade, or one of the
    versions has no BPMN model, which is then `without_model`.
    """

    target: VersionNumber
    comparison: Comparison | None = None
    without_model: VersionNumber | None = None

    def migrate(self, position: Position) -> MigratedPosition:
        """Migrate the position of an instance."""
        if self.comparison is not None:
            return migrate_position(self.comparison, position)
        return MigratedPosition(position=position, warnings=self.warnings)

    @property
    def mapping(self) -> Mapping[str, str]:
        """The valid pairs, source element to target element, sorted by source."""
        return {} if self.comparison is None else self.comparison.mapping

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that prevent the upgrade of some position."""
        return () if self.comparison is None else self.comparison.errors

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that do not prevent an upgrade."""
        if self.comparison is not None:
            return self.comparison.warnings
        if self.without_model is not None:
            return (without_model(f"Version {self.without_model}"),)
        return ()


@dataclass(slots=True, kw_only=True)
class MigrationPaths:
    """The migration paths from all versions of a process to one target version, computed on demand."""

    process: ProcessKey
    target: VersionNumber
    mappings: Sequence[VersionMapping]
    documents: Documents
    _paths: dict[VersionNumber, MigrationPath] = field(default_factory=dict)

    async def find(self, version: VersionNumber) -> MigrationPath:
        """Find the path from this version."""
        if version not in self._paths:
            self._paths[version] = await self._find(version)
        return self._paths[version]

    async def require_valid_mappings(self) -> None:
        """Raise InvalidMapping or InvalidInput unless every instruction is valid."""
        for index, mapping in enumerate(self.mappings):
            where = ("mappings", str(index))
            comparison = (await self.find(mapping.from_version)).comparison
            if comparison is None:
                raise InvalidInput(
                    f"Expected to map a version below {self.target}, both with a BPMN model, "
                    f"but got version {mapping.from_version}.",
                    field=(*where, "from_version"),
                )
            if broken := broken_by(mapping, comparison.errors):
                raise InvalidMapping(from_version=mapping.from_version, findings=broken, field=where)

    async def _find(self, version: VersionNumber) -> MigrationPath:
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
    """Find the migration path between two versions, in either direction."""
    models = []
    for number in (source, target):
        model = await documents.model(process, number)
        if model is None:
            return MigrationPath(target=target, without_model=number)
        models.append(model)
    source_model, target_model = models
    return MigrationPath(target=target, comparison=compare_models(source_model, target_model, instructions))


def compare_models(source: VersionModel, target: VersionModel, instructions: Instructions) -> Comparison:
    """Compare the processes of two versions. Raises InvalidModel."""
    key = (_model_key(source), _model_key(target), instructions)
    comparison = _COMPARISONS.get(key)
    if comparison is None:
        comparison = compare(_process_model(source), _process_model(target), instructions=instructions)
        size = sum(len(before) + len(after) for before, after in instructions)
        _COMPARISONS.put(key, comparison, len(source.document) + len(target.document) + size)
    return comparison


def _process_model(model: VersionModel) -> ProcessModel:
    key = _model_key(model)
    process_model = _MODELS.get(key)
    if process_model is None:
        process_model = read_model(model.document, process_id=model.process_id)
        _MODELS.put(key, process_model, len(model.document))
    return process_model


def _model_key(model: VersionModel) -> _ModelKey:
    # The store keeps the documents; as keys of these caches they would stay in memory a second time.
    return blake2b(model.document, digest_size=16).digest(), model.process_id


_MODELS = BoundedCache[_ModelKey, ProcessModel](MAX_CACHED_BYTES)
_COMPARISONS = BoundedCache[tuple[_ModelKey, _ModelKey, Instructions], Comparison](MAX_CACHED_BYTES)
