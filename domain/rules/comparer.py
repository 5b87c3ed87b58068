"""Defines how the use cases read and compare documents: the port `Comparer`, and one that works in process.

Reading and comparing is pure computation, but it takes seconds for the largest documents. A program that
must answer others in the meantime passes a Comparer that works elsewhere.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from uplift.domain.bounded_cache import BoundedCache
from uplift.domain.bpmn import DocumentLimits, Element, ProcessModel, read_model
from uplift.domain.compatibility import (
    Aspect,
    Comparison,
    Finding,
    MigratedPosition,
    TargetCandidate,
    compare,
    exists,
    find_targets,
    is_position_element,
    migrate_position,
    without_part,
)
from uplift.domain.model.instance import ElementId, Position
from uplift.domain.model.process import VersionModel
from uplift.domain.rules.move_plan import MoveInstructions, move_instructions

Instructions = tuple[tuple[ElementId, ElementId], ...]
"""Source element to target element, for the instances of one version."""

Targets = tuple[TargetCandidate, ...] | None
"""What an element may be mapped to; None if the source version has no such element."""

ModelKey = tuple[bytes, str]
"""The digest of a document, and the id of a process in it."""

MAX_CACHED_BYTES = 16 * 2**20
"""About the most memory that cached models take, in bytes. The same limit applies to cached comparisons."""

_ELEMENT_BYTES = 500
_PAIR_BYTES = 250
_FINDING_BYTES = 350
"""About how much memory an element, with its id and flows, and a pair and a finding in all indexes take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """How instances of one version migrate to another.

    `mapping` holds the valid pairs, source to target element, sorted by source. `positions` has the requested
    positions. `broken` holds the findings about elements that have an instruction, and `missing_sources` the
    elements with an instruction that the source version does not have.
    """

    mapping: Mapping[str, str]
    positions: Mapping[Position, MigratedPosition]
    broken: tuple[Finding, ...] = ()
    missing_sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedElement:
    """An element of both versions whose definitions differ in `aspects`."""

    source: Element
    target: Element
    aspects: tuple[Aspect, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Everything in which two versions differ. Elements and pairs are sorted by id."""

    added: tuple[Element, ...] = ()
    removed: tuple[Element, ...] = ()
    changed: tuple[ChangedElement, ...] = ()
    mapping: Mapping[str, str]
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedElement:
    """An element of a version, and whether the position of an instance can contain it."""

    element: Element
    is_wait_state: bool


class Comparer(Protocol):
    """Reads and compares the documents of versions. Every method raises InvalidModel."""

    async def choose_process(
        self, document: bytes, *, process_id: str | None, preferred_id: str | None
    ) -> str:
        """Read a document and return the id of the process in it (see `bpmn.read_model`)."""
        ...

    def migration_at_hand(
        self,
        source: VersionModel,
        target: VersionModel,
        instructions: Instructions,
        positions: Collection[Position],
    ) -> Migration | None:
        """Return what `migrate` would, or None if that takes longer than a few milliseconds."""
        ...

    async def migrate(
        self,
        source: VersionModel,
        target: VersionModel,
        instructions: Instructions,
        positions: Collection[Position],
    ) -> Migration:
        """Compare two versions, and migrate positions of the source version."""
        ...

    async def move_instructions(
        self,
        source: VersionModel,
        target: VersionModel,
        instructions: Instructions,
        position: Position,
    ) -> MoveInstructions:
        """Compare two versions, and find how an engine moves the instances at a position."""
        ...

    async def differences(
        self, source: VersionModel, target: VersionModel, instructions: Instructions = ()
    ) -> Differences:
        """Compare two versions."""
        ...

    async def targets(
        self, source: VersionModel, target: VersionModel, element: ElementId, instructions: Instructions = ()
    ) -> Targets:
        """Find what an element may be mapped to beside other instructions (see `find_targets`)."""
        ...

    async def elements(self, model: VersionModel) -> tuple[ListedElement, ...]:
        """Return the elements of a version, sorted by id."""
        ...


class InProcessComparer:
    """Compares in the calling task, and caches comparisons without instructions.

    Instructions come from one request, so a comparison with them is not needed again. The same holds for a
    document of which only the process is chosen.
    """

    def __init__(
        self, *, limits: DocumentLimits | None = None, max_cached_bytes: int = MAX_CACHED_BYTES
    ) -> None:
        self._limits = limits or DocumentLimits()
        self._models = BoundedCache[ModelKey, ProcessModel](max_cached_bytes)
        self._comparisons = BoundedCache[tuple[ModelKey, ModelKey], Comparison](max_cached_bytes)

    async def choose_process(
        self, document: bytes, *, process_id: str | None, preferred_id: str | None
    ) -> str:
        return self.choose_process_now(document, process_id=process_id, preferred_id=preferred_id)

    def choose_process_now(self, document: bytes, *, process_id: str | None, preferred_id: str | None) -> str:
        """Do what `choose_process` does without an event loop."""
        return read_model(document, process_id=process_id, preferred_id=preferred_id, limits=self._limits).id

    async def migrate(
        self,
        source: VersionModel,
        target: VersionModel,
        instructions: Instructions,
        positions: Collection[Position],
    ) -> Migration:
        return self.migration_at_hand(source, target, instructions, positions)

    def migration_at_hand(
        self,
        source: VersionModel,
        target: VersionModel,
        instructions: Instructions,
        positions: Collection[Position],
    ) -> Migration:
        comparison = self._compare(source, target, instructions)
        instructed = {name for before, _ in instructions for name in (before, without_part(before))}
        return Migration(
            mapping=comparison.mapping,
            positions={position: migrate_position(comparison, position) for position in positions},
            broken=tuple(finding for finding in comparison.errors if finding.source in instructed),
            missing_sources=frozenset(
                before for before, _ in instructions if not exists(before, comparison.source)
            ),
        )

    async def move_instructions(
        self,
        source: VersionModel,
        target: VersionModel,
        instructions: Instructions,
        position: Position,
    ) -> MoveInstructions:
        return self.move_instructions_now(source, target, instructions, position)

    def move_instructions_now(
        self,
        source: VersionModel,
        target: VersionModel,
        instructions: Instructions,
        position: Position,
    ) -> MoveInstructions:
        """Do what `move_instructions` does without an event loop."""
        return move_instructions(self._compare(source, target, instructions), position)

    async def differences(
        self, source: VersionModel, target: VersionModel, instructions: Instructions = ()
    ) -> Differences:
        return self.differences_now(source, target, instructions)

    def differences_now(
        self, source: VersionModel, target: VersionModel, instructions: Instructions = ()
    ) -> Differences:
        """Do what `differences` does without an event loop."""
        comparison = self._compare(source, target, instructions)
        before, after = comparison.source.elements, comparison.target.elements
        return Differences(
            added=tuple(after[element_id] for element_id in comparison.added),
            removed=tuple(before[element_id] for element_id in comparison.removed),
            changed=tuple(
                ChangedElement(
                    source=before[change.source], target=after[change.target], aspects=change.aspects
                )
                for change in comparison.changed
            ),
            mapping=comparison.mapping,
            errors=comparison.errors,
            warnings=comparison.warnings,
        )

    async def elements(self, model: VersionModel) -> tuple[ListedElement, ...]:
        return self.elements_now(model)

    def elements_now(self, model: VersionModel) -> tuple[ListedElement, ...]:
        """Do what `elements` does without an event loop."""
        read = self._model(model)
        return tuple(
            ListedElement(element=element, is_wait_state=is_position_element(element, read))
            for _, element in sorted(read.elements.items())
        )

    async def targets(
        self, source: VersionModel, target: VersionModel, element: ElementId, instructions: Instructions = ()
    ) -> Targets:
        return self.targets_now(source, target, element, instructions)

    def targets_now(
        self, source: VersionModel, target: VersionModel, element: ElementId, instructions: Instructions = ()
    ) -> Targets:
        """Do what `targets` does without an event loop."""
        return find_targets(self._model(source), self._model(target), element, instructions=instructions)

    def _compare(self, source: VersionModel, target: VersionModel, instructions: Instructions) -> Comparison:
        key = (model_key(source), model_key(target))
        comparison = None if instructions else self._comparisons.get(key)
        if comparison is None:
            comparison = compare(self._model(source), self._model(target), instructions=instructions)
            if not instructions:
                self._comparisons.put(key, comparison, comparison_bytes(comparison))
        return comparison

    def _model(self, model: VersionModel) -> ProcessModel:
        key = model_key(model)
        process_model = self._models.get(key)
        if process_model is None:
            process_model = read_model(model.document, process_id=model.process_id, limits=self._limits)
            self._models.put(key, process_model, model_bytes(process_model))
        return process_model


def model_key(model: VersionModel) -> ModelKey:
    """What identifies a model in a cache. The document itself would stay in memory a second time."""
    return blake2b(model.document, digest_size=16).digest(), model.process_id


def model_bytes(model: ProcessModel) -> int:
    """About how much memory a model takes. Ids and names take as much again as their characters."""
    texts = sum(len(element.id) + len(element.name or "") for element in model.elements.values())
    return _ELEMENT_BYTES * (1 + len(model.elements) + len(model.flows) // 2) + 2 * texts


def comparison_bytes(comparison: Comparison) -> int:
    """About how much memory a comparison takes, with both models."""
    messages = sum(len(finding.message) for finding in comparison.findings)
    models = model_bytes(comparison.source) + model_bytes(comparison.target)
    findings = _FINDING_BYTES * (len(comparison.findings) + len(comparison.unmapped)) + 2 * messages
    return models + findings + _PAIR_BYTES * len(comparison.position_map)


IN_PROCESS = InProcessComparer()
"""The comparer of a program that passes no other."""
