"""Comparisons of two versions of a process, and mappings from the elements of one to those of the other."""

from collections.abc import Mapping
from typing import Annotated, Self

import strawberry

from uplift import domain
from uplift.domain import bpmn
from uplift.domain.compatibility import TargetCandidate
from uplift.domain.compatibility.mapping.targets import MAX_TARGETS
from uplift.domain.model import mapping
from uplift.domain.model.process import VersionNumber
from uplift.domain.rules.comparer import ChangedElement
from uplift.domain.use_cases.compare import ComparedVersions, find_mapping_targets
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.enums import ChangedAspect
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.processes.versions import NODES_OF_A_DOCUMENT
from uplift.graphql_api.types.reasons import Finding

ASSUMED_TARGETS = 100
"""How many targets the node budget assumes before they are found; tens are usual."""


@strawberry.type(description="A pair of a mapping: instances that wait at the source move to the target.")
class MappingPair:
    source: str = strawberry.field(description="The id of the element in the source version.")
    target: str = strawberry.field(description="The id of the element in the target version.")


def pairs_from_domain(pairs: Mapping[str, str]) -> list[MappingPair]:
    """The pairs of a mapping from source to target ids."""
    return [MappingPair(source=source, target=target) for source, target in pairs.items()]


@strawberry.type(description="The mapping instructions for the instances of one version.")
class VersionMapping:
    from_version: int = strawberry.field(description="The number of the source version.")
    instructions: list[MappingPair] = strawberry.field(
        description="The instructions; each overrides the generated pair with the same source."
    )

    @classmethod
    def from_domain(cls, version_mapping: mapping.VersionMapping) -> Self:
        return cls(
            from_version=version_mapping.from_version,
            instructions=[
                MappingPair(source=instruction.source, target=instruction.target)
                for instruction in version_mapping.instructions
            ],
        )


@strawberry.type(description="A flow node of a version.")
class Element:
    element_id: str = strawberry.field(description="The id of the element, unique only in its version.")
    name: str | None = strawberry.field(description="The name of the element, or null if it has none.")
    kind: str = strawberry.field(
        description="The type of the element, named as in BPMN 2.0 XML, for example `userTask`. An event "
        "subprocess is an `eventSubProcess`."
    )

    @classmethod
    def from_domain(cls, element: bpmn.Element) -> Self:
        return cls(element_id=element.id, name=element.name, kind=element.kind.value)


@strawberry.type(description="An element that both versions have, and how it changed.")
class ElementChange:
    source: Element = strawberry.field(description="The element in the source version.")
    target: Element = strawberry.field(description="Its counterpart in the target version.")
    aspects: list[ChangedAspect] = strawberry.field(description="What changed; never empty.")

    @classmethod
    def from_domain(cls, change: ChangedElement) -> Self:
        return cls(
            source=Element.from_domain(change.source),
            target=Element.from_domain(change.target),
            aspects=list(change.aspects),
        )


@strawberry.type(description="A mapping instruction of a comparison, and what it breaks.")
class CheckedInstruction:
    source: str = strawberry.field(description="The id of the element in the source version.")
    target: str = strawberry.field(description="The id of the element in the target version.")
    findings: list[Finding] = strawberry.field(
        description="The findings on its source. With an ERROR, an upgrade with this instruction is refused."
    )

    @classmethod
    def from_domain(cls, checked: domain.CheckedInstruction) -> Self:
        return cls(
            source=checked.instruction.source,
            target=checked.instruction.target,
            findings=list(map(Finding.from_domain, checked.findings)),
        )


@strawberry.type(description="An element of the target version, and whether an element may be mapped to it.")
class MappingTarget:
    element: Element = strawberry.field(description="The element of the target version.")
    is_allowed: bool = strawberry.field(description="Whether an instruction may map the element to it.")
    findings: list[Finding] = strawberry.field(
        description="The rules that the instruction would break; empty if it is allowed."
    )

    @classmethod
    def from_domain(cls, candidate: TargetCandidate) -> Self:
        return cls(
            element=Element.from_domain(candidate.element),
            is_allowed=not candidate.findings,
            findings=list(map(Finding.from_domain, candidate.findings)),
        )


@strawberry.type(
    description="The differences between a source and a target version. If one of them has no BPMN model, "
    "nothing is compared and the only finding is the warning NO_MODEL."
)
class VersionComparison:
    process_key: strawberry.Private[domain.ProcessKey]
    instructed: strawberry.Private[tuple[domain.MappingInstruction, ...]]
    from_version: int = strawberry.field(description="The number of the source version.")
    to_version: int = strawberry.field(description="The number of the target version.")
    added: list[Element] = strawberry.field(
        description="The elements that only the target version has, sorted by id."
    )
    removed: list[Element] = strawberry.field(
        description="The elements that only the source version has, sorted by id."
    )
    changed: list[ElementChange] = strawberry.field(
        description="The elements that differ between the versions, sorted by id. Elements are paired by the "
        "mapping, otherwise by id."
    )
    errors: list[Finding] = strawberry.field(
        description="The findings that prevent an upgrade of instances that wait or listen at the element."
    )
    warnings: list[Finding] = strawberry.field(description="The findings that do not prevent an upgrade.")
    mapping: list[MappingPair] = strawberry.field(
        description="The generated mapping, overridden by valid instructions, sorted by source. It includes "
        "scopes and multi-instance activities."
    )
    instructions: list[CheckedInstruction] = strawberry.field(
        description="The instructions in the argument, in their order, each with what it breaks. Empty if "
        "one of the versions has no BPMN model."
    )

    @field(
        "What an instruction may map an element to, beside the instructions in the argument, without the "
        f"one for this element: the allowed elements, then those of its kind that are not allowed, at most "
        f"{MAX_TARGETS:,}, each part sorted by id. An element of another kind is never allowed, and not "
        "listed. "
        "Null if the source version has no such element, or a version has no BPMN model. "
        f"Costs {2 * NODES_OF_A_DOCUMENT:,} nodes in the node budget, because it reads two documents.",
        nodes=2 * NODES_OF_A_DOCUMENT,
        items=ASSUMED_TARGETS,
    )
    async def targets(
        self,
        info: Info,
        source: Annotated[
            str, strawberry.argument(description="The id of the element in the source version.")
        ],
    ) -> list[MappingTarget] | None:
        found = await find_mapping_targets(
            info.context.store,
            process=self.process_key,
            from_version=VersionNumber(self.from_version),
            to_version=VersionNumber(self.to_version),
            source=domain.ElementId(source),
            instructions=self.instructed,
            comparer=info.context.worker.comparer,
        )
        return None if found is None else list(map(MappingTarget.from_domain, found))

    @classmethod
    def from_domain(
        cls,
        process_key: domain.ProcessKey,
        from_version: VersionNumber,
        compared: ComparedVersions,
        instructed: tuple[domain.MappingInstruction, ...],
    ) -> Self:
        found = compared.differences
        return cls(
            process_key=process_key,
            instructed=instructed,
            from_version=from_version,
            to_version=compared.target,
            added=list(map(Element.from_domain, found.added)) if found else [],
            removed=list(map(Element.from_domain, found.removed)) if found else [],
            changed=list(map(ElementChange.from_domain, found.changed)) if found else [],
            errors=list(map(Finding.from_domain, compared.errors)),
            warnings=list(map(Finding.from_domain, compared.warnings)),
            mapping=pairs_from_domain(compared.mapping),
            instructions=list(map(CheckedInstruction.from_domain, compared.instructions)),
        )
