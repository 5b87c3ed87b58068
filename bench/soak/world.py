"""The processes, instances and keys that the clients start with."""

from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import UUID

from sqlalchemy.engine import URL

from bench.soak.ledger import BARE, MODELLED, PROCESSES, Known, Ledger
from tests.support.bpmn_builder import a_process
from uplift.domain import (
    Caller,
    ElementId,
    Instance,
    InstanceId,
    ProcessKey,
    Role,
    Status,
    VersionNumber,
    create_process,
    publish_version,
    register_instances,
    save_draft,
)
from uplift.gateway.auth.keys import create_key
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore

ADMIN = Caller(name="soak", role=Role.SYSTEM_ADMIN)
VERSIONS = 2
"""How many versions each process has at the beginning."""
RUNNING_FRACTION = 0.1
"""The fraction of new instances that are RUNNING."""


def model_of(process: ProcessKey, version: int) -> bytes | None:
    """The document of a version: `approve` and `sign` take turns, `late` is in each third version only."""
    if process == BARE:
        return None
    document = a_process(process.code).start().user_task("check").user_task(step_of(version)).user_task("pay")
    if version % 3 == 0:
        document.user_task("late")
    return document.end().xml()


def step_of(version: int) -> str:
    """The id of the task between `check` and `pay` in a version of the modelled process."""
    return "approve" if version % 2 else "sign"


def places_in(process: ProcessKey, version: int) -> list[str]:
    """Where an instance of a version can wait."""
    if process == BARE:
        return [f"task-{number}" for number in range(12)]
    return ["check", step_of(version), "pay", *(["late"] if version % 3 == 0 else [])]


def an_instance(chance: Random, process: ProcessKey, latest: int) -> Instance:
    """A new instance, on any published version, most of them waiting."""
    version = chance.randint(1, latest)
    places = chance.sample(places_in(process, version), k=chance.choice((1, 1, 1, 2)))
    return Instance(
        id=InstanceId(UUID(bytes=chance.randbytes(16), version=4)),
        process=process,
        version=VersionNumber(version),
        status=Status.RUNNING if chance.random() < RUNNING_FRACTION else Status.PENDING,
        position=frozenset(map(ElementId, places)),
    )


@dataclass(frozen=True, kw_only=True)
class World:
    """A filled database: the key of an administrator, the instances, and what is known of them."""

    key: str
    held: list[Instance]
    ledger: Ledger


async def populate(database: Path | URL, count: int, chance: Random) -> World:
    """Fill a new database with `count` instances, four fifths of them of the process BARE."""
    store = await SqlStore.open(database)
    held: list[Instance] = []
    for process, size in ((BARE, count * 4 // 5), (MODELLED, count // 5)):
        await create_process(store, namespace=process.namespace, code=process.code, title=None, caller=ADMIN)
        for version in range(1, VERSIONS + 1):
            await save_draft(store, process=process, model=model_of(process, version), caller=ADMIN)
            await publish_version(store, process=process, caller=ADMIN)
        instances = [an_instance(chance, process, VERSIONS) for _ in range(size)]
        await register_instances(store, process=process, instances=instances, caller=ADMIN)
        held += instances
    _, key = await create_key(SqlKeys(store.database), name=ADMIN.name, role=Role.SYSTEM_ADMIN)
    await store.close()
    ledger = Ledger(latest=dict.fromkeys(PROCESSES, VERSIONS))
    for instance in held:
        ledger.instances[instance.id] = Known(registered=instance, facts=set())
        ledger.was_said(instance.id, instance.status, instance.position)
    return World(key=key, held=held, ledger=ledger)
