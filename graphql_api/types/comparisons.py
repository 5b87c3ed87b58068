"""Comparisons of two versions of a process, and mappings from the elements of one to those of the other."""

from collections.abc import Mapping
from typing import Self

import strawberry

from uplift.domain import bpmn
from uplift.domain.model import mapping
from uplift.domain.model.process import VersionNumber
from uplift.domain.rules.comparer import ChangedElement
from uplift.domain.use_cases.compare import ComparedVersions
from uplift.graphql_api.types.enums import ChangedAspect
from uplift.graphql_api.types.reasons import Finding


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


@strawberry.type(
    description="The differences between a source and a target version. If one of them has no BPMN model, "
    "nothing is compared and the only finding is the warning NO_MODEL."
)
class VersionComparison:
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
        description="The generated mapping, sorted by source. It includes scopes and multi-instance "
        "activities."
    )

    @classmethod
    def from_domain(cls, from_version: VersionNumber, compared: ComparedVersions) -> Self:
        found = compared.differences
        return cls(
            from_version=from_version,
            to_version=compared.target,
            added=list(map(Element.from_domain, found.added)) if found else [],
            removed=list(map(Element.from_domain, found.removed)) if found else [],
            changed=list(map(ElementChange.from_domain, found.changed)) if found else [],
            errors=list(map(Finding.from_domain, compared.errors)),
            warnings=list(map(Finding.from_domain, compared.warnings)),
            mapping=pairs_from_domain(compared.mapping),
        )
