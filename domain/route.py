"""How do instances get from one version of a process to the target version?

A comparison costs milliseconds and depends only on the two documents and the instructions; so each is made
once and kept, as is each document that was read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from domain.bpmn import ProcessModel, read_model
from domain.compatibility import Comparison, Relocation, compare, relocate, without_model
from domain.errors import InvalidInput
from domain.instance import ElementId, Position
from domain.mapping import InvalidMapping, VersionMapping, broken_by
from domain.process import ProcessKey, VersionNumber


class Documents(Protocol):
    """Where the BPMN documents of versions are found."""

    async def model(self, key: ProcessKey, number: VersionNumber) -> bytes | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way from one version to the target; without a comparison there is nothing to stand in it.

    `without_model` is the version that has no BPMN model, when there is no comparison for that reason.
    """

    target: VersionNumber
    comparison: Comparison | None = None
    without_model: VersionNumber | None = None

    def relocation(self, position: Position) -> Relocation:
        """Where an instance goes that waits at this position, or why it cannot."""
        if self.comparison is not None:
            return relocate(self.comparison, position)
        if self.without_model is not None:
            warning = without_model(f"Version {self.without_model}")
            return Relocation(position=position, warnings=(warning,))
        return Relocation(position=position)


@dataclass(slots=True, kw_only=True)
class Routes:
    """The ways from all versions of a process to one target, made as they are asked for."""

    process: ProcessKey
    target: VersionNumber
    mappings: Sequence[VersionMapping]
    documents: Documents
    _made: dict[VersionNumber, Route] = field(default_factory=dict)

    async def route(self, version: VersionNumber) -> Route:
        """The way from this version."""
        if version not in self._made:
            self._made[version] = await self._make(version)
        return self._made[version]

    async def check_mappings(self) -> None:
        """Raise InvalidMapping or InvalidInput unless every instruction can be followed."""
        for index, mapping in enumerate(self.mappings):
            where = ("mappings", str(index))
            comparison = (await self.route(mapping.from_version)).comparison
            if comparison is None:
                raise InvalidInput(
                    f"Expected mappings[{index}].fromVersion to be a version below {self.target}, both with "
                    f"a BPMN model, but got {mapping.from_version}.",
                    field=(*where, "fromVersion"),
                )
            if broken := broken_by(mapping, comparison.errors):
                raise InvalidMapping(from_version=mapping.from_version, findings=broken, field=where)

    async def _make(self, version: VersionNumber) -> Route:
        if version >= self.target:
            return Route(target=self.target)
        documents = []
        for number in (version, self.target):
            document = await self.documents.model(self.process, number)
            if document is None:
                return Route(target=self.target, without_model=number)
            documents.append(document)
        source, target = documents
        comparison = compare_documents(source, target, self.process.code, self._instructions(version))
        return Route(target=self.target, comparison=comparison)

    def _instructions(self, version: VersionNumber) -> tuple[tuple[ElementId, ElementId], ...]:
        return tuple(
            (instruction.source, instruction.target)
            for mapping in self.mappings
            if mapping.from_version == version
            for instruction in mapping.instructions
        )


@lru_cache(maxsize=256)
def compare_documents(
    source: bytes, target: bytes, code: str, instructions: tuple[tuple[ElementId, ElementId], ...]
) -> Comparison:
    """Compare the process of this code in two BPMN documents. Raises InvalidModel."""
    return compare(read_document(source, code), read_document(target, code), instructions=instructions)


@lru_cache(maxsize=256)
def read_document(document: bytes, code: str) -> ProcessModel:
    """The process of this code, or the only one, in a BPMN document. Raises InvalidModel."""
    return read_model(document, process_id=code)
