"""Builds values of the domain with defaults, so that a test names only what matters."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID, uuid5

from uplift.domain import (
    Caller,
    Cohort,
    ElementId,
    Instance,
    InstanceId,
    InstanceReport,
    Position,
    Process,
    ProcessKey,
    Role,
    Status,
    Upgrade,
    UpgradeId,
    UpgradeState,
    Version,
    VersionModel,
    VersionNumber,
    VersionState,
    Worker,
    create_process,
    publish_version,
    register_instances,
    save_draft,
)
from uplift.domain.clock import Clock
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.model.mapping import MappingInstruction
from uplift.domain.model.selection import SelectionKind
from uplift.domain.ports import Store

ADMIN = Caller(name="admin", role=Role.SYSTEM_ADMIN)
READER = Caller(name="reader", role=Role.READER)

ORDERS = ProcessKey(namespace="crm", code="orders")
INVOICES = ProcessKey(namespace="crm", code="invoices")
UNKNOWN_PROCESS = ProcessKey(namespace="crm", code="nothing_like_it")

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
EVENING = datetime(2026, 5, 4, 18, 0, 0, 654321, tzinfo=UTC)

IDS = UUID("6f1c2f4e-8f0e-4f52-9a3c-0d9d6c1f7b11")
_unused_numbers = count(1_000_000)


def an_id(number: int) -> InstanceId:
    """The id with this number; ids do not sort by their numbers."""
    return InstanceId(uuid5(IDS, f"instance {number}"))


def an_upgrade_id(number: int) -> UpgradeId:
    return UpgradeId(uuid5(IDS, f"upgrade {number}"))


def at(*elements: str) -> Position:
    """The position of an instance that waits at these elements."""
    return frozenset(map(ElementId, elements))


APPROVE = at("approve")


def a_key(code: str = "orders", namespace: str = "crm") -> ProcessKey:
    return ProcessKey(namespace=namespace, code=code)


def a_clock(time: datetime = NOON) -> Clock:
    """A clock that always returns this time."""
    return lambda: time


def a_worker(
    name: str = "worker", *, size: int = 20_000, clock: Clock | None = None, lease_for: float = 10
) -> Worker:
    """A worker whose chunks are all of one size; its clock stands still unless a clock is passed."""
    chunk_policy = ChunkPolicy(
        inline_limit=size, initial_size=size, min_size=size, max_size=size, pause=timedelta()
    )
    return Worker(
        name=name, chunk_policy=chunk_policy, clock=clock or a_clock(), lease_for=timedelta(seconds=lease_for)
    )


def a_cohort(version: int = 1, status: Status = Status.PENDING, position: Position = APPROVE) -> Cohort:
    return Cohort(version=VersionNumber(version), status=status, position=position)


def an_instance(
    number: int | None = None,
    *,
    version: int = 1,
    status: Status = Status.PENDING,
    position: Position = APPROVE,
    process: ProcessKey = ORDERS,
) -> Instance:
    """An instance with the id of this number, or with an id of its own."""
    return Instance(
        id=an_id(next(_unused_numbers) if number is None else number),
        process=process,
        version=VersionNumber(version),
        status=status,
        position=position,
    )


def instances(
    numbers: Iterable[int],
    *,
    version: int = 1,
    status: Status = Status.PENDING,
    position: Position = APPROVE,
    process: ProcessKey = ORDERS,
) -> list[Instance]:
    """Instances that differ only in their ids."""
    return [
        an_instance(number, version=version, status=status, position=position, process=process)
        for number in numbers
    ]


def a_report(
    of: int | Instance, *, status: Status = Status.PENDING, position: Position = APPROVE
) -> InstanceReport:
    """An engine's report on an instance."""
    instance_id = of.id if isinstance(of, Instance) else an_id(of)
    return InstanceReport(id=instance_id, status=status, position=position)


def ids_of(instances: Iterable[Instance]) -> list[InstanceId]:
    return [instance.id for instance in instances]


def a_stored_process(process_key: ProcessKey = ORDERS, title: str = "Orders") -> Process:
    """A process without versions, as use cases pass it to a store."""
    return Process(key=process_key, title=title, created_at=NOON)


def a_version(
    number: int = 1, state: VersionState = VersionState.PUBLISHED, *, has_model: bool = False
) -> Version:
    return Version(
        number=VersionNumber(number),
        state=state,
        created_at=NOON,
        published_at=EVENING if state is VersionState.PUBLISHED else None,
        model_process_id="orders" if has_model else None,
    )


def a_model(document: bytes) -> VersionModel:
    """The model of `a_version(has_model=True)`."""
    return VersionModel(document=document, process_id="orders")


def an_upgrade(
    number: int = 1,
    *,
    process: ProcessKey = ORDERS,
    selection: SelectionKind = SelectionKind.ALL_ACTIVE,
    target: int = 2,
    reason: str | None = None,
    expected: int = 0,
) -> Upgrade:
    """An upgrade that is about to begin."""
    return Upgrade(
        id=an_upgrade_id(number),
        process=process,
        selection=selection,
        target_version=VersionNumber(target),
        state=UpgradeState.RUNNING,
        requested_by=ADMIN.name,
        reason=reason,
        requested_at=NOON,
        expected=expected,
    )


def an_instruction(source: str, target: str) -> MappingInstruction:
    return MappingInstruction(source=ElementId(source), target=ElementId(target))


async def a_process(
    store: Store,
    process_key: ProcessKey = ORDERS,
    *,
    published: int = 2,
    draft: bool = False,
    holding: Sequence[Instance] = (),
) -> ProcessKey:
    """Store a process with this many published versions, optionally a draft, and these instances."""
    await create_process(
        store,
        namespace=process_key.namespace,
        code=process_key.code,
        title=None,
        caller=ADMIN,
        clock=a_clock(),
    )
    for _ in range(published):
        await save_draft(store, process=process_key, model=None, caller=ADMIN, clock=a_clock())
        await publish_version(store, process=process_key, caller=ADMIN, clock=a_clock(EVENING))
    if draft:
        await save_draft(store, process=process_key, model=None, caller=ADMIN, clock=a_clock())
    if holding:
        await register_instances(store, process=process_key, instances=holding, caller=ADMIN)
    return process_key


class MovableClock:
    """A clock that only advances on request."""

    def __init__(self, time: datetime = NOON) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **span: float) -> None:
        """Advance the clock by a span with the keywords of `timedelta`."""
        self.time += timedelta(**span)


async def a_modelled_process(
    store: Store, *documents: bytes | None, process_key: ProcessKey = ORDERS, holding: Sequence[Instance] = ()
) -> ProcessKey:
    """Store a process with a published version of each document (or without one), and these instances."""
    await a_process(store, process_key, published=0)
    for document in documents:
        await save_draft(store, process=process_key, model=document, caller=ADMIN, clock=a_clock())
        await publish_version(store, process=process_key, caller=ADMIN, clock=a_clock(EVENING))
    if holding:
        await register_instances(store, process=process_key, instances=holding, caller=ADMIN)
    return process_key
