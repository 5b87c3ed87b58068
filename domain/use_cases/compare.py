"""Lists the elements of a version, and compares two versions of a process."""

from collections.abc import Mapping
from dataclasses import dataclass

from uplift.domain.compatibility import Finding
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.ports import Store
from uplift.domain.rules.comparer import IN_PROCESS, Comparer, Differences, ListedElement
from uplift.domain.rules.migration_path import warnings_without
from uplift.domain.use_cases.versions import get_process


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedVersions:
    """The differences of two versions; None if one of them has no BPMN model, which is `without_model`."""

    target: VersionNumber
    differences: Differences | None = None
    without_model: VersionNumber | None = None

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
    comparer: Comparer = IN_PROCESS,
) -> ComparedVersions | None:
    """Compare two versions, which may be drafts, in either direction.

    The target defaults to the latest published version. Returns None if either version does not exist. Raises
    ProcessNotFound.
    """
    target = (await get_process(store, process)).latest_published if to_version is None else to_version
    numbers = {version.number for version in (await store.processes.versions([process]))[process]}
    if target is None or not numbers.issuperset({from_version, target}):
        return None
    models = []
    for number in (from_version, target):
        model = await store.processes.model(process, number)
        if model is None:
            return ComparedVersions(target=target, without_model=number)
        models.append(model)
    return ComparedVersions(target=target, differences=await comparer.differences(*models))
