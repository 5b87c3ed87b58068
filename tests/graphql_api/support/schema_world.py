"""Builders of processes, versions, instances and upgrades, and a snapshot of a store."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from uplift.domain import (
    Caller,
    ElementId,
    Instance,
    InstanceId,
    ProcessKey,
    Role,
    Status,
    Upgrade,
    VersionNumber,
    Worker,
    by_ids,
    create_process,
    publish_version,
    register_instances,
    save_draft,
    upgrade_instances,
)
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.ports import InstanceFilter, Store

ADMIN = Caller(name="setup", role=Role.SYSTEM_ADMIN)
MORNING = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
EVERYTHING = PageRequest(first=1000)

MODEL = b"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL">
  <process id="order"><userTask id="approve" name="Pr\xc3\xbcfen"/></process>
</definitions>
"""
ORDER = ProcessKey(namespace="shop", code="order")


def morning() -> datetime:
    return MORNING


SETUP = Worker(name="setup", clock=morning)


def an_id(number: int) -> InstanceId:
    return InstanceId(UUID(int=number))


def an_instance(
    number: int,
    *,
    process: ProcessKey = ORDER,
    version: int = 1,
    status: Status = Status.PENDING,
    position: Iterable[str] = ("approve",),
) -> Instance:
    return Instance(
        id=an_id(number),
        process=process,
        version=VersionNumber(version),
        status=status,
        position=frozenset(map(ElementId, position)),
    )


async def add_process(
    store: Store, key: ProcessKey = ORDER, *, versions: int = 1, model: bytes | None = None
) -> ProcessKey:
    """Add a process with this number of published versions."""
    await create_process(
        store, namespace=key.namespace, code=key.code, title=f"The {key.code}", caller=ADMIN, clock=morning
    )
    for _ in range(versions):
        await add_version(store, model, key)
    return key


async def add_version(store: Store, model: bytes | None, key: ProcessKey = ORDER) -> None:
    """Add a published version with this document."""
    await add_draft(store, key, model)
    await publish_version(store, process=key, caller=ADMIN, clock=morning)


async def add_draft(store: Store, key: ProcessKey = ORDER, model: bytes | None = None) -> None:
    await save_draft(store, process=key, model=model, caller=ADMIN, clock=morning)


async def add_instances(store: Store, *instances: Instance) -> None:
    """Register instances with the process of the first."""
    await register_instances(store, process=instances[0].process, instances=instances, caller=ADMIN)


async def add_upgrade(store: Store, *numbers: int, key: ProcessKey = ORDER) -> Upgrade:
    """Upgrade the instances with these numbers."""
    selection = by_ids(map(an_id, numbers))
    return await upgrade_instances(
        store, UpgradeRequest(process=key, selection=selection), caller=ADMIN, worker=SETUP
    )


async def contents(store: Store) -> object:
    """A snapshot of a small store, to check that nothing was written."""
    processes = (await store.processes.page(EVERYTHING)).items
    keys = [process.key for process in processes]
    versions = await store.processes.versions(keys)
    return (
        processes,
        versions,
        [await store.processes.model(key, version.number) for key in keys for version in versions[key]],
        await store.instances.pages(keys, InstanceFilter(), EVERYTHING),
        await store.upgrades.page(None, EVERYTHING),
    )
