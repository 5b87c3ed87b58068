"""How an engine keeps Uplift up to date: it registers instances, and reports their status and position."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from uplift.domain.errors import InvalidInput
from uplift.domain.model.access import Caller, require_system_admin
from uplift.domain.model.instance import Instance, InstanceId, InstanceReport, Position
from uplift.domain.model.process import ProcessKey, Version, VersionState
from uplift.domain.ports import Store
from uplift.domain.use_cases.versions import get_process

MAX_POSITION_ELEMENTS = 1_000
MAX_ELEMENT_ID_LENGTH = 500
MAX_BATCH = 100_000
"""Most instances that one request may register or report."""


async def register_instances(
    store: Store,
    *,
    process: ProcessKey,
    instances: Sequence[Instance],
    caller: Caller,
    most: int = MAX_BATCH,
) -> int:
    """Register at most `most` instances of a process, each pinned to a published version; returns how many.

    An instance that is known already gets the status and position given; its version stays, for only an
    upgrade changes a version (so an engine may repeat a registration safely).
    Raises Forbidden, ProcessNotFound or InvalidInput, with nothing written.
    """
    require_system_admin(caller)
    _check_processes(process, instances)
    _check_batch([instance.id for instance in instances], most)
    _check_positions([instance.position for instance in instances])
    await get_process(store, process)
    # What is published stays published: there is no need to hold up those who publish.
    _check_versions(process, instances, (await store.processes.versions([process]))[process])
    async with store.transaction() as transaction:
        owners = await transaction.instances.lock([instance.id for instance in instances])
        _check_owners(process, [instance.id for instance in instances], owners)
        await transaction.instances.register(process, instances)
    return len(instances)


async def report_instances(
    store: Store, *, reports: Sequence[InstanceReport], caller: Caller, most: int = MAX_BATCH
) -> int:
    """Take over status and position of at most `most` known instances, of whatever process; returns how many.

    Raises Forbidden or InvalidInput (an unknown id refuses the whole report), with nothing written.
    """
    require_system_admin(caller)
    _check_batch([report.id for report in reports], most)
    _check_positions([report.position for report in reports])
    async with store.transaction() as transaction:
        owners = await transaction.instances.lock([report.id for report in reports])
        by_process = defaultdict(list)
        for index, report in enumerate(reports):
            if report.id not in owners:
                raise InvalidInput(
                    f"Expected to report known instances, but instances[{index}].id {report.id} is unknown.",
                    field=("instances", str(index), "id"),
                )
            by_process[owners[report.id]].append(report)
        for process, group in by_process.items():
            await transaction.instances.report(process, group)
    return len(reports)


def _check_processes(process: ProcessKey, instances: Sequence[Instance]) -> None:
    for index, instance in enumerate(instances):
        if instance.process != process:
            raise InvalidInput(
                f"Expected to register instances of process '{process}', "
                f"but instances[{index}] is of '{instance.process}'.",
                field=("instances", str(index), "process"),
            )


def _check_batch(ids: Sequence[InstanceId], most: int) -> None:
    if len(ids) > most:
        raise InvalidInput(
            f"Expected at most {most:,} instances in one request, but got {len(ids):,}.",
            field=("instances",),
        )
    if len(set(ids)) < len(ids):
        twice = next(given for given, count in Counter(ids).items() if count > 1)
        raise InvalidInput(f"Expected each instance once, but {twice} is given twice.", field=("instances",))


def _check_positions(positions: Sequence[Position]) -> None:
    # Positions repeat by the thousand: each distinct one is checked once, its index sought only on a fault.
    for position in set(positions):
        if fault := _fault_of(position):
            index = positions.index(position)
            raise InvalidInput(
                f"Expected instances[{index}].position to {fault}.",
                field=("instances", str(index), "position"),
            )


def _fault_of(position: Position) -> str | None:
    if len(position) > MAX_POSITION_ELEMENTS:
        return f"name at most {MAX_POSITION_ELEMENTS:,} elements, but it names {len(position):,}"
    for element in position:
        if not 0 < len(element) <= MAX_ELEMENT_ID_LENGTH or not element.isprintable():
            return (
                f"name elements by 1 to {MAX_ELEMENT_ID_LENGTH} printable characters, "
                f"but it names {element[:100]!r}"
            )
    return None


def _check_versions(process: ProcessKey, instances: Sequence[Instance], versions: Sequence[Version]) -> None:
    published = {version.number for version in versions if version.state is VersionState.PUBLISHED}
    for index, instance in enumerate(instances):
        if instance.version not in published:
            raise InvalidInput(
                f"Expected instances[{index}].version to be a published version of process '{process}', "
                f"but got {instance.version}.",
                field=("instances", str(index), "version"),
            )


def _check_owners(
    process: ProcessKey, ids: Sequence[InstanceId], owners: Mapping[InstanceId, ProcessKey]
) -> None:
    for index, given in enumerate(ids):
        if owners.get(given, process) != process:
            raise InvalidInput(
                f"Expected instances[{index}].id to be new or of process '{process}', "
                f"but {given} belongs to another process.",
                field=("instances", str(index), "id"),
            )
