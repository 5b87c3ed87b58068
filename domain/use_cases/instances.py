"""Registers the instances of an engine, and updates their status and position."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from uplift.domain.concurrency import pieces
from uplift.domain.errors import InvalidInput
from uplift.domain.model.access import Caller, require_engine
from uplift.domain.model.instance import Instance, InstanceId, InstanceReport, Position
from uplift.domain.model.process import ProcessKey, Version, VersionState
from uplift.domain.ports import Store
from uplift.domain.use_cases.versions import get_process, require_own_data

MAX_POSITION_ELEMENTS = 200
MAX_ELEMENT_ID_LENGTH = 500
MAX_POSITION_CHARACTERS = 10_000
"""Characters of all element ids in one position. A page lists the positions of thousands of instances."""
MAX_BATCH = 100_000
"""The most instances that one request may register or report."""
MAX_POSITIONS = 10_000
"""The most positions in which one request may register or report instances. A new one takes some KB."""


async def register_instances(
    store: Store,
    *,
    process: ProcessKey,
    instances: Sequence[Instance],
    caller: Caller,
    limit: int = MAX_BATCH,
) -> int:
    """Register up to `limit` instances of a process, each on a published version, and return their number.

    A registered instance only gets its new status and position. Its version stays, because only upgrades
    change versions; so an engine may safely repeat a registration. Raises Forbidden, ProcessNotFound,
    ProcessLinked or InvalidInput.
    """
    require_engine(caller)
    await _require_process(process, instances)
    ids = await _require_valid_ids(instances, limit)
    await _require_valid_positions(instances)
    await require_own_data(store, await get_process(store, process), "register instances")
    # Published versions are immutable, so they are read without a lock that would block publishing.
    versions = (await store.processes.versions([process]))[process]
    await _require_published_versions(process, instances, versions)
    async with store.transaction() as transaction:
        owners = await transaction.instances.lock(ids)
        await require_owner(process, ids, owners)
        await transaction.instances.register(process, instances)
    return len(instances)


async def report_instances(
    store: Store, *, reports: Sequence[InstanceReport], caller: Caller, limit: int = MAX_BATCH
) -> Sequence[ProcessKey]:
    """Update status and position of up to `limit` registered instances; return their processes, sorted.

    Raises Forbidden, ProcessLinked or InvalidInput. An unknown id, or an instance of a linked process,
    refuses the whole request.
    """
    require_engine(caller)
    ids = await _require_valid_ids(reports, limit)
    await _require_valid_positions(reports)
    async with store.transaction() as transaction:
        owners = await transaction.instances.lock(ids)
        by_process = defaultdict(list)
        async for start, piece in pieces(reports):
            for index, report in enumerate(piece, start):
                owner = owners.get(report.id)
                if owner is None:
                    raise InvalidInput(
                        "Expected to report known instances, "
                        f"but instances[{index}].id {report.id} is unknown.",
                        field=("instances", str(index), "id"),
                    )
                by_process[owner].append(report)
        # A store adds new positions with each process: two orders of processes could deadlock.
        processes = sorted(by_process, key=str)
        for process in processes:
            found = await get_process(transaction, process)
            await require_own_data(transaction, found, "report instances")
        for process in processes:
            await transaction.instances.report(process, by_process[process])
    return processes


async def _require_process(process: ProcessKey, instances: Sequence[Instance]) -> None:
    async for start, piece in pieces(instances):
        for index, instance in enumerate(piece, start):
            # Most instances share the key itself; comparing its names takes several times as long.
            if instance.process is not process and instance.process != process:
                raise InvalidInput(
                    f"Expected to register instances of process '{process}', "
                    f"but instances[{index}] is of '{instance.process}'.",
                    field=("instances", str(index), "process"),
                )


async def _require_valid_ids(instances: Sequence[Instance | InstanceReport], limit: int) -> list[InstanceId]:
    """The ids, if they are within the limit and each occurs once."""
    if len(instances) > limit:
        raise InvalidInput(
            f"Expected at most {limit:,} instances in one request, but got {len(instances):,}.",
            field=("instances",),
        )
    ids: list[InstanceId] = []
    distinct: set[InstanceId] = set()
    async for _, piece in pieces(instances):
        ids += [instance.id for instance in piece]
        distinct.update(ids[-len(piece) :])
    if len(distinct) < len(ids):
        duplicate = next(instance_id for instance_id, count in Counter(ids).items() if count > 1)
        raise InvalidInput(
            f"Expected each instance once, but {duplicate} occurs twice.", field=("instances",)
        )
    return ids


async def _require_valid_positions(instances: Sequence[Instance | InstanceReport]) -> None:
    # Thousands of instances share a position, so each distinct one is validated once.
    valid: set[Position] = set()
    async for start, piece in pieces(instances):
        for index, instance in enumerate(piece, start):
            if instance.position in valid:
                continue
            if fault := _position_fault(instance.position):
                raise InvalidInput(
                    f"Expected instances[{index}].position to {fault}.",
                    field=("instances", str(index), "position"),
                )
            valid.add(instance.position)
            if len(valid) > MAX_POSITIONS:
                raise InvalidInput(
                    f"Expected at most {MAX_POSITIONS:,} different positions in one request, "
                    f"but instances[{index}].position is one more. Send the instances in several requests.",
                    field=("instances", str(index), "position"),
                )


def _position_fault(position: Position) -> str | None:
    if len(position) > MAX_POSITION_ELEMENTS:
        return f"name at most {MAX_POSITION_ELEMENTS:,} elements, but it names {len(position):,}"
    for element in position:
        if not 0 < len(element) <= MAX_ELEMENT_ID_LENGTH or not element.isprintable():
            return (
                f"name elements by 1 to {MAX_ELEMENT_ID_LENGTH} printable characters, "
                f"but it names {element[:100]!r}"
            )
    characters = sum(map(len, position))
    if characters > MAX_POSITION_CHARACTERS:
        return (
            f"name elements by at most {MAX_POSITION_CHARACTERS:,} characters in all, "
            f"but their ids have {characters:,}"
        )
    return None


async def _require_published_versions(
    process: ProcessKey, instances: Sequence[Instance], versions: Sequence[Version]
) -> None:
    published = {version.number for version in versions if version.state is VersionState.PUBLISHED}
    async for start, piece in pieces(instances):
        for index, instance in enumerate(piece, start):
            if instance.version not in published:
                raise InvalidInput(
                    f"Expected instances[{index}].version to be a published version of process '{process}', "
                    f"but got {instance.version}.",
                    field=("instances", str(index), "version"),
                )


async def require_owner(
    process: ProcessKey, ids: Sequence[InstanceId], owners: Mapping[InstanceId, ProcessKey]
) -> None:
    """Raise InvalidInput unless each id has no owner yet or belongs to the process."""
    async for start, piece in pieces(ids):
        for index, instance_id in enumerate(piece, start):
            if owners.get(instance_id, process) != process:
                raise InvalidInput(
                    f"Expected instances[{index}].id to be new or of process '{process}', "
                    f"but {instance_id} belongs to another process.",
                    field=("instances", str(index), "id"),
                )
