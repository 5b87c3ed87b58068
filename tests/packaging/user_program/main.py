"""A user's program: its packages have the names of uplift's, and it upgrades instances with the library."""

import asyncio
from uuid import UUID

from storage.orders import order_ids

import domain
import gateway
import storage
from domain.clock import opening_hour
from gateway.settings import CODE, NAMESPACE
from uplift.domain import (
    Caller,
    Instance,
    InstanceId,
    Role,
    Status,
    UpgradeRequest,
    VersionNumber,
    by_ids,
    create_process,
    publish_version,
    register_instances,
    save_draft,
    upgrade_instances,
)
from uplift.storage.memory import InMemoryStore

ADMIN = Caller(name="program", role=Role.SYSTEM_ADMIN)
ORDERS = {"first": InstanceId(UUID(int=1)), "second": InstanceId(UUID(int=2))}


async def main() -> None:
    store = InMemoryStore()
    process = await create_process(
        store, namespace=NAMESPACE, code=CODE, title=None, caller=ADMIN, clock=opening_hour
    )
    for _ in range(2):
        await save_draft(store, process=process.key, model=None, caller=ADMIN)
        await publish_version(store, process=process.key, caller=ADMIN)
    ids = order_ids(ORDERS)
    await register_instances(
        store,
        process=process.key,
        instances=[
            Instance(id=id_, process=process.key, version=VersionNumber(1), status=Status.PENDING)
            for id_ in ids
        ],
        caller=ADMIN,
    )
    request = UpgradeRequest(process=process.key, selection=by_ids(ids))
    upgrade = await upgrade_instances(store, request, caller=ADMIN)
    print(f"upgraded {upgrade.upgraded} of {len(ids)}")
    print(f"{domain.__doc__} {storage.__doc__} {gateway.__doc__}")


if __name__ == "__main__":
    asyncio.run(main())
