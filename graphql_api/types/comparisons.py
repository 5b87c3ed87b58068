"""What does a client see of how two versions of a process differ?"""

from collections.abc import Iterable

import strawberry

from uplift.domain import compatibility
from uplift.domain.bpmn import ProcessModel
from uplift.domain.model.process import VersionNumber
from uplift.domain.rules.migration_path import MigrationPath
from uplift.graphql_api.types.enums import ChangedAspect
from uplift.graphql_api.types.mappings import MappingPair, show_pairs
from uplift.graphql_api.types.reasons import Finding, show_findings


@strawberry.type(description="A flow node of a version.")
class Element:
    id: str = strawberry.field(description="Its id, unique in the version.")
    name: str | None = strawberry.field(description="Its name, if it has one.")
    kind: str = strawberry.field(
        description="What it is, named as in BPMN 2.0 XML, like `userTask`; an event subprocess is an "
        "`eventSubProcess`."
    )


@strawberry.type(description="An element that both versions have, and in what it differs.")
class ElementChange:
    source: Element = strawberry.field(description="The element in the version compared.")
    target: Element = strawberry.field(description="Its counterpart in the other version.")
    aspects: list[ChangedAspect] = strawberry.field(description="In what the two differ; never empty.")


@strawberry.type(
    description="How one version differs from another. Without a BPMN model of both, nothing was compared: "
    "then the warning NO_MODEL stands alone."
)
class VersionComparison:
    from_version: int = strawberry.field(description="The number of the version compared.")
    to_version: int = strawberry.field(description="The number of the version it is compared to.")
    added: list[Element] = strawberry.field(
        description="The elements that only the other version has, by id."
    )
    removed: list[Element] = strawberry.field(description="The elements that only this version has, by id.")
    changed: list[ElementChange] = strawberry.field(
        description="The elements that both have and that differ, by id; paired by the mapping, else by id."
    )
    errors: list[Finding] = strawberry.field(
        description="What stands in the way of upgrading instances that wait, or listen, at some element."
    )
    warnings: list[Finding] = strawberry.field(
        description="What else to know; never in the way of an upgrade."
    )
    mapping: list[MappingPair] = strawberry.field(
        description="The generated mapping, by source: scopes and multi-instance activities included."
    )


def show_comparison(from_version: VersionNumber, migration_path: MigrationPath) -> VersionComparison:
    """The way from one version to another as a client sees it."""
    compared = migration_path.comparison
    return VersionComparison(
        from_version=from_version,
        to_version=migration_path.target,
        added=_elements(compared.added, compared.target) if compared else [],
        removed=_elements(compared.removed, compared.source) if compared else [],
        changed=_changes(compared) if compared else [],
        errors=show_findings(migration_path.errors),
        warnings=show_findings(migration_path.warnings),
        mapping=show_pairs(migration_path.mapping),
    )


def _changes(compared: compatibility.Comparison) -> list[ElementChange]:
    return [
        ElementChange(
            source=_element(change.source, compared.source),
            target=_element(change.target, compared.target),
            aspects=[ChangedAspect(aspect) for aspect in change.aspects],
        )
        for change in compared.changed
    ]


def _elements(ids: Iterable[str], model: ProcessModel) -> list[Element]:
    return [_element(element, model) for element in ids]


def _element(element: str, model: ProcessModel) -> Element:
    found = model.elements[element]
    return Element(id=found.id, name=found.name, kind=found.kind.value)
