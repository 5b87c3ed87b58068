"""Lists the elements of a version, and compares two versions of a process, without reading instances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from uplift.domain.compatibility import Finding, findings_on
from uplift.domain.model.instance import ElementId
from uplift.domain.model.mapping import MappingInstruction, VersionMapping, require_valid_instructions
from uplift.domain.model.process import ProcessKey, VersionModel, VersionNumber
from uplift.domain.ports import Store
from uplift.domain.rules.comparer import IN_PROCESS, Comparer, Differences, ListedElement, Targets
from uplift.domain.rules.migration_path import warnings_without
from uplift.domain.use_cases.versions import get_process


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedInstruction:
    """A mapping instruction, and the findings on its source, errors first."""

    instruction: MappingInstruction
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedVersions:
    """The differences of two versions; None if one of them has no BPMN model, which is `without_model`.

    `instructions` are those of the request, in their order; none if there are no differences.
    """

    target: VersionNumber
    differences: Differences | None = None
    without_model: VersionNumber | None = None
    instructions: tuple[CheckedInstruction, ...] = ()

    @property
    def mapping(self) -> Mapping[str, str]:
        """The valid pairs, source element to target element, sorted by source."""
        return {} if self.differences is None else self.differences.mapping

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that prevent the upgrade of some position."""
        return () if self.differences is None else self.differences.errors

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that do not prevent an upgrade."""
        return self.differences.warnings if self.differences else warnings_without(self.without_model)


async def elements_of(
    store: Store, *, process: ProcessKey, version: VersionNumber, comparer: Comparer = IN_PROCESS
) -> tuple[ListedElement, ...]:
    """The elements of a version, sorted by id; none if it has no BPMN model or does not exist."""
    model = await store.processes.model(process, version)
    return () if model is None else await comparer.elements(model)


async def compare_versions(
    store: Store,
    *,
    process: ProcessKey,
    from_version: VersionNumber,
    to_version: VersionNumber | None = None,
    instructions: Sequence[MappingInstruction] = (),
    comparer: Comparer = IN_PROCESS,
) -> ComparedVersions | None:
    """Compare two versions, which may be drafts, in either direction.

    The target defaults to the latest published version. Mapping instructions override the generated mapping;
    what they break is among the findings. Returns None if either version does not exist. Raises
    ProcessNotFound, and InvalidInput for too many instructions and for two with one source.
    """
    require_valid_instructions(VersionMapping(from_version=from_version, instructions=tuple(instructions)))
    target = (await get_process(store, process)).latest_published if to_version is None else to_version
    numbers = {version.number for version in (await store.processes.versions([process]))[process]}
    if target is None or not numbers.issuperset({from_version, target}):
        return None
    models: list[VersionModel] = []
    for number in (from_version, target):
        model = await store.processes.model(process, number)
        if model is None:
            return ComparedVersions(target=target, without_model=number)
        models.append(model)
    source_model, target_model = models
    differences = await comparer.differences(source_model, target_model, _pairs(instructions))
    return ComparedVersions(
        target=target,
        differences=differences,
        instructions=tuple(_checked(instruction, differences) for instruction in instructions),
    )


async def find_mapping_targets(
    store: Store,
    *,
    process: ProcessKey,
    from_version: VersionNumber,
    to_version: VersionNumber,
    source: ElementId,
    instructions: Sequence[MappingInstruction] = (),
    comparer: Comparer = IN_PROCESS,
) -> Targets:
    """The elements of a version to which an element of another may be mapped, beside other instructions.

    An instruction for `source` itself does not count. Returns None if a version or its model, or the element,
    does not exist.
    """
    models = [await store.processes.model(process, number) for number in (from_version, to_version)]
    source_model, target_model = models
    if source_model is None or target_model is None:
        return None
    return await comparer.targets(source_model, target_model, source, _pairs(instructions))


def _pairs(instructions: Sequence[MappingInstruction]) -> tuple[tuple[ElementId, ElementId], ...]:
    return tuple((instruction.source, instruction.target) for instruction in instructions)


def _checked(instruction: MappingInstruction, differences: Differences) -> CheckedInstruction:
    findings = (*differences.errors, *differences.warnings)
    return CheckedInstruction(instruction=instruction, findings=findings_on(instruction.source, findings))
