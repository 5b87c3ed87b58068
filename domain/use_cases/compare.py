"""Compares two versions of a process."""

from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.ports import Store
from uplift.domain.rules.migration_path import MigrationPath, find_migration_path
from uplift.domain.use_cases.versions import get_process


async def compare_versions(
    store: Store,
    *,
    process: ProcessKey,
    from_version: VersionNumber,
    to_version: VersionNumber | None = None,
) -> MigrationPath | None:
    """Find the migration path between two versions, which may be drafts.

    The target defaults to the latest published version. Returns None if either version does not exist. Raises
    ProcessNotFound.
    """
    target = (await get_process(store, process)).latest_published if to_version is None else to_version
    numbers = {version.number for version in (await store.processes.versions([process]))[process]}
    if target is None or not numbers.issuperset({from_version, target}):
        return None
    return await find_migration_path(store.processes, process, from_version, target)
