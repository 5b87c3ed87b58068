"""Provides the processes and instances of the tests of the REST path, and a way to send requests."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2

from uplift.domain import (
    Caller,
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
from uplift.domain.errors import KeyFault, Unauthenticated
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import InstanceFilter, Store

ADMIN = Caller(name="admin", role=Role.SYSTEM_ADMIN)
CALLERS = {"Bearer admin-key": ADMIN, "Bearer reader-key": Caller(name="reader", role=Role.READER)}

ORDERS = ProcessKey(namespace="crm", code="order_approval")
INVOICES = ProcessKey(namespace="crm", code="invoice")
DRAWN = ProcessKey(namespace="crm", code="only_drawn")
LATEST_VERSION = VersionNumber(3)


def an_id(number: int) -> InstanceId:
    return InstanceId(UUID(f"0a000000-0000-4000-8000-{number:012x}"))


WAITING_1, WAITING_2, WAITING_LATEST, RUNNING_1, COMPLETED_1, CANCELLED_2, FAILED_1, FOREIGN, UNKNOWN = (
    an_id(number) for number in range(1, 10)
)

SPELLINGS = [
    str(WAITING_1),
    str(WAITING_1).upper(),
    WAITING_1.hex,
    WAITING_1.hex.upper(),
    f"{{{WAITING_1}}}",
    f"{{{WAITING_1.hex}}}",
    WAITING_1.urn,
    WAITING_1.urn.upper(),
]
"""One id in every accepted spelling."""

_SOME_ID = str(WAITING_1)
LOOKALIKES = [
    "",
    "order-17",
    _SOME_ID[:-1],
    _SOME_ID + "0",
    f" {_SOME_ID}",
    f"{_SOME_ID}\n",
    f"{{{_SOME_ID}",
    f"{_SOME_ID}}}",
    f"{{urn:uuid:{_SOME_ID}}}",
    f"urn:{_SOME_ID}",
    f"urn:uuid:{{{_SOME_ID}}}",
    "0x" + "0" * 30,
    "+" + "0" * 31,
    "1_1" + "0" * 29,
    _SOME_ID.replace("-", "", 1),
    _SOME_ID.replace("1", "\N{ARABIC-INDIC DIGIT ONE}"),
    "\N{FULLWIDTH DIGIT ZERO}" * 32,
]
"""Texts that only look like an id."""


@dataclass(frozen=True)
class Snapshot:
    """Everything that a request can write."""

    instances: tuple[Instance, ...]
    upgrades: int


async def authenticate(authorization: str | None) -> Caller:
    if authorization is None:
        raise Unauthenticated(KeyFault.MISSING)
    if authorization not in CALLERS:
        raise Unauthenticated
    return CALLERS[authorization]


def an_instance(
    number: int | UUID, version: int = 1, status: Status = Status.PENDING, process: ProcessKey = ORDERS
) -> Instance:
    instance_id = InstanceId(number) if isinstance(number, UUID) else an_id(number)
    return Instance(id=instance_id, process=process, version=VersionNumber(version), status=status)


async def add_process(
    store: Store, key: ProcessKey, *, published: int, instances: Iterable[Instance] = ()
) -> None:
    """A process with this many published versions and a draft above them."""
    await create_process(store, namespace=key.namespace, code=key.code, title=None, caller=ADMIN)
    for _ in range(published):
        await save_draft(store, process=key, model=None, caller=ADMIN)
        await publish_version(store, process=key, caller=ADMIN)
    await save_draft(store, process=key, model=None, caller=ADMIN)
    await register_instances(store, process=key, instances=list(instances), caller=ADMIN)


async def add_world(store: Store) -> None:
    orders = [
        an_instance(WAITING_1, version=1),
        an_instance(WAITING_2, version=2),
        an_instance(WAITING_LATEST, version=3),
        an_instance(RUNNING_1, version=1, status=Status.RUNNING),
        an_instance(COMPLETED_1, version=1, status=Status.COMPLETED),
        an_instance(CANCELLED_2, version=2, status=Status.CANCELLED),
        an_instance(FAILED_1, version=1, status=Status.FAILED),
    ]
    await add_process(store, ORDERS, published=LATEST_VERSION, instances=orders)
    await add_process(store, INVOICES, published=2, instances=[an_instance(FOREIGN, process=INVOICES)])
    await add_process(store, DRAWN, published=0)


async def snapshot(store: Store) -> Snapshot:
    page = PageRequest(first=1_000)
    pages = await store.instances.pages([ORDERS, INVOICES], InstanceFilter(), page)
    upgrades = await store.upgrades.page(None, page)
    return Snapshot(
        instances=tuple(instance for key in (ORDERS, INVOICES) for instance in pages[key].items),
        upgrades=len(upgrades.items),
    )


def path_of(process: ProcessKey) -> str:
    return f"/pub/v1/bpm/instance/bytemplate/{process.namespace}/{process.code}/version"


async def ask(
    client: httpx2.AsyncClient, body: Any, *, process: ProcessKey = ORDERS, key: str = "admin-key", **how: Any
) -> httpx2.Response:
    """Posts a value as JSON, or bytes as they are."""
    headers = {
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        **how.pop("headers", {}),
    }
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    return await client.post(path_of(process), headers=headers, **content, **how)
