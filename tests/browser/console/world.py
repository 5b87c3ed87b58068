"""A gateway with the demo's loans and processes of special kinds, for tests of the console."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx2

from tests.gateway.gateway_world import Program, started
from tests.rest_compat.support.rest_world import ADMIN
from uplift.domain import Role, UpgradeId, create_process, register_instances, upgrade_instances
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.model.instance import InstanceId
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import all_active, by_ids, matching
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.use_cases.request import request_upgrade
from uplift.domain.use_cases.versions import publish_version, save_draft
from uplift.domain.use_cases.worker import Worker
from uplift.gateway.auth.keys import create_key
from uplift.gateway.demo import PROCESS, fill
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.testing.builders import an_id, an_instance

T = TypeVar("T")

PLAIN = ProcessKey(namespace="shop", code="plain")
LOANS = "#/processes/lending/consumer-loan"
INSTANCES = 2_000
DATABASE = "uplift.sqlite"
ELSEWHERE = Worker(name="elsewhere", chunk_policy=ChunkPolicy(inline_limit=1, initial_size=1, min_size=1))


@dataclass(frozen=True, kw_only=True)
class Data:
    """What the database has: the keys, an upgrade of the loans of version 1, and an instance that it met."""

    admin_key: str
    reader_key: str
    upgrade: UpgradeId
    queued: UpgradeId
    """An upgrade of the plain orders that waits for a worker, which the gateway does not have."""
    instance: InstanceId


@dataclass(frozen=True, kw_only=True)
class ConsoleGateway:
    """A running gateway and its data."""

    folder: Path
    program: Program
    url: str
    data: Data

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """The data that the gateway answers to the administrator."""
        reply = httpx2.post(
            f"{self.url}/graphql",
            json={"query": query, "variables": variables},
            headers={"authorization": f"Bearer {self.data.admin_key}"},
        ).json()
        assert "errors" not in reply, reply
        data: dict[str, Any] = reply["data"]
        return data

    def new_key(self, name: str, role: Role = Role.READER) -> tuple[UUID, str]:
        """A key that no other test uses: its id and its text."""

        async def create(store: SqlStore) -> tuple[UUID, str]:
            key, text = await create_key(SqlKeys(store.database), name=name, role=role)
            return key.id, text

        return _run(self._with_store(create))

    def revoke(self, key: UUID) -> None:
        _run(self._with_store(lambda store: SqlKeys(store.database).revoke(key, datetime.now(UTC))))

    def queue(self) -> UpgradeId:
        """Requests another upgrade of the plain orders that waits for a worker."""
        return _run(self._with_store(_queue)).id

    async def _with_store(self, act: Callable[[SqlStore], Awaitable[T]]) -> T:
        store = await SqlStore.open(self.folder / DATABASE)
        try:
            return await act(store)
        finally:
            await store.close()


@contextmanager
def a_console_gateway(folder: Path, **environment: str) -> Iterator[ConsoleGateway]:
    """`uplift serve` in this folder."""
    data = _run(_populate(folder / DATABASE))
    with started("serve", "--port", "0", "--no-worker", folder=folder, **environment) as program:
        yield ConsoleGateway(folder=folder, program=program, url=program.url(), data=data)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Runs work in a thread of its own: Playwright runs an event loop in the thread of the tests."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


async def _queue(store: SqlStore) -> Upgrade:
    request = UpgradeRequest(process=PLAIN, selection=all_active(), reason="Later")
    return await request_upgrade(store, request, caller=ADMIN, worker=ELSEWHERE)


async def _populate(path: Path) -> Data:
    """Loans as in the demo, a process without models, and one without versions."""
    store = await SqlStore.open(path)
    try:
        await fill(store, instances=INSTANCES, seed=1, caller=ADMIN)
        await create_process(
            store, namespace=PLAIN.namespace, code=PLAIN.code, title="Plain orders", caller=ADMIN
        )
        for _ in range(2):
            await save_draft(store, process=PLAIN, model=None, caller=ADMIN)
            await publish_version(store, process=PLAIN, caller=ADMIN)
        waiting = [an_instance(number, process=PLAIN) for number in range(1, 4)]
        await register_instances(store, process=PLAIN, instances=waiting, caller=ADMIN)
        await create_process(store, namespace="shop", code="new", title="A new process", caller=ADMIN)

        def upgrade(selection: Any, reason: str, process: Any = PROCESS) -> UpgradeRequest:
            return UpgradeRequest(process=process, selection=selection, reason=reason)

        done = await upgrade_instances(
            store, upgrade(matching(versions=[1]), "Trial of version 6"), caller=ADMIN
        )
        await upgrade_instances(store, upgrade(by_ids([an_id(1)]), "One order, first", PLAIN), caller=ADMIN)
        queued = await _queue(store)
        keys = SqlKeys(store.database)
        _, admin_key = await create_key(keys, name="admin", role=Role.SYSTEM_ADMIN)
        _, reader_key = await create_key(keys, name="reader", role=Role.READER)
        return Data(
            admin_key=admin_key,
            reader_key=reader_key,
            upgrade=done.id,
            queued=queued.id,
            instance=an_id(1),
        )
    finally:
        await store.close()
