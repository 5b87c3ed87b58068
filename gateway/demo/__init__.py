"""Fills a store with demo data: a consumer loan process in six versions, and many instances.

Instances are spread over versions, statuses and positions. The same seed creates the same instances.
"""

import random
from collections.abc import Iterator
from importlib.resources import files
from uuid import UUID

from uplift.domain.model.access import Caller
from uplift.domain.model.instance import ElementId, Instance, InstanceId, Position, Status
from uplift.domain.model.process import ProcessKey, VersionNumber, VersionState
from uplift.domain.ports import Store
from uplift.domain.use_cases.instances import register_instances
from uplift.domain.use_cases.versions import adopt_version, create_process

PROCESS = ProcessKey(namespace="lending", code="consumer-loan")
VERSIONS = 6
BATCH = 20_000

STATUSES = {
    Status.PENDING: 55,
    Status.RUNNING: 5,
    Status.COMPLETED: 30,
    Status.CANCELLED: 6,
    Status.FAILED: 4,
}
"""How common each status is, in percent."""


async def fill(store: Store, *, instances: int, seed: int, caller: Caller) -> None:
    """Create the demo's process, its versions and this many instances in an empty store."""
    await create_process(
        store,
        namespace=PROCESS.namespace,
        code=PROCESS.code,
        title="Consumer loan application",
        caller=caller,
    )
    for number in range(1, VERSIONS + 1):
        await adopt_version(
            store,
            process=PROCESS,
            number=VersionNumber(number),
            state=VersionState.PUBLISHED,
            model=document(number),
            caller=caller,
        )
    for batch in _batches(instances, random.Random(seed)):  # noqa: S311  (a demo needs no secret)
        await register_instances(store, process=PROCESS, instances=batch, caller=caller)


def document(number: int) -> bytes:
    """The BPMN document of a version of the demo's process."""
    return (files("uplift.gateway.demo") / f"consumer-loan-v{number}.bpmn").read_bytes()


def positions(version: int) -> tuple[Position, ...]:
    """Where an instance of this version can wait."""
    contract = "Task_PrepareContract" if version < 4 else "Task_DraftContract"
    places = [
        ("Task_CheckApplication",),
        ("Receive_CreditReport", "Task_VerifyIncome"),
        ("Gateway_Join", "Task_VerifyIncome"),
        ("Gateway_Join", "Receive_CreditReport"),
        ("Task_AssessRisk",),
        ("Task_AssessRisk", "Task_RemindAssessor"),
        (contract,),
        ("Catch_Signature",),
        ("Task_PayOut",),
        ("Task_InformApplicant",),
    ]
    if version >= 2:
        places.append(("Task_ScreenApplicant",))
    if version <= 2:
        places.append(("Task_SecondOpinion",))
    return tuple(frozenset(map(ElementId, elements)) for elements in places)


def _batches(count: int, rng: random.Random) -> Iterator[list[Instance]]:
    places = {version: positions(version) for version in range(1, VERSIONS + 1)}
    for start in range(0, count, BATCH):
        yield [_instance(rng, places) for _ in range(min(BATCH, count - start))]


def _instance(rng: random.Random, places: dict[int, tuple[Position, ...]]) -> Instance:
    version = rng.randint(1, VERSIONS)
    (status,) = rng.choices(list(STATUSES), weights=list(STATUSES.values()))
    has_position = status in (Status.PENDING, Status.FAILED)
    return Instance(
        id=InstanceId(UUID(bytes=rng.randbytes(16), version=4)),
        process=PROCESS,
        version=VersionNumber(version),
        status=status,
        position=rng.choice(places[version]) if has_position else frozenset(),
    )
