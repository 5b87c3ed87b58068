"""Checks that the versions and elements exist that a selection names in its conditions."""

from collections.abc import Iterable, Sequence

from uplift.domain.compatibility import without_part
from uplift.domain.errors import InvalidSelection
from uplift.domain.model.cohort import CountedCohort
from uplift.domain.model.instance import ACTIVE, ElementId
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.ports import Store
from uplift.domain.rules.comparer import IN_PROCESS, Comparer
from uplift.domain.use_cases.compare import elements_of
from uplift.domain.use_cases.versions import get_process


async def require_known_conditions(
    store: Store, request: UpgradeRequest, *, comparer: Comparer = IN_PROCESS
) -> None:
    """Raise InvalidSelection for a version that does not exist, and for an element that is in no version.

    Such a condition is a mistake: it would match nothing, and look as if nothing had to be done. An element
    exists if an active instance waits at it, or if it is in the model of a version that the conditions name;
    if they name none, of the latest version or one with active instances (rules.md#the-request). Raises
    ProcessNotFound.
    """
    conditions = request.selection.conditions
    if conditions is None:
        return
    await get_process(store, request.process)
    if conditions.versions is not None:
        await _require_known_versions(store, request.process, conditions.versions)
    if conditions.elements is not None:
        await _require_known_elements(
            store, request.process, conditions.elements, conditions.versions, comparer
        )


async def _require_known_versions(
    store: Store, process: ProcessKey, versions: Sequence[VersionNumber]
) -> None:
    existing = {version.number for version in (await store.processes.versions([process]))[process]}
    for number in versions:
        if number not in existing:
            raise InvalidSelection(
                f"Expected versions to be of process {process}, but it has no version {number}.",
                field=("selection.matching.versions",),
            )


async def _require_known_elements(
    store: Store,
    process: ProcessKey,
    elements: Sequence[ElementId],
    versions: Sequence[VersionNumber] | None,
    comparer: Comparer,
) -> None:
    cohorts = (await store.instances.cohorts([process]))[process]
    active = [counted for counted in cohorts if counted.cohort.status in ACTIVE]
    unknown = set(elements).difference(*(counted.cohort.position for counted in active))
    for number in await _versions_with(store, process, versions, active):
        if not unknown:
            return
        listed = await elements_of(store, process=process, version=number, comparer=comparer)
        existing = {found.element.id for found in listed}
        unknown = {element for element in unknown if without_part(element) not in existing}
    if unknown:
        raise InvalidSelection(
            f"Expected elements to be in a version of process {process}, but none has an element "
            f"'{min(unknown)[:100]}'.",
            field=("selection.matching.elements",),
        )


async def _versions_with(
    store: Store,
    process: ProcessKey,
    versions: Sequence[VersionNumber] | None,
    active: Iterable[CountedCohort],
) -> Sequence[VersionNumber]:
    """The versions in which an element may be, the newest first: a plan reads their models anyway."""
    if versions is not None:
        return sorted(versions, reverse=True)
    existing = (await store.processes.versions([process]))[process]
    latest = {version.number for version in existing[-1:]}
    return sorted(latest | {counted.cohort.version for counted in active}, reverse=True)
