"""The caches of Apollo Client and of urql show what the gateway has, by the ids of the schema.

Both show the same views of a real gateway. After every mutation, and after every event of a subscription,
each view equals what the gateway has, although the client sent no further query.
"""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.gateway_world import started
from tests.support.bpmn_builder import a_process as a_document
from tests.support.other_tools import javascript_tools
from uplift.domain import ProcessKey, Role, UpgradeRequest, Worker, all_active, request_upgrade, save_draft
from uplift.domain.model.chunk import ChunkPolicy
from uplift.gateway.auth.keys import create_key
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, a_modelled_process, an_id, at, instances

CLIENTS = ("apollo", "graphcache")
VERSIONS = (
    a_document().start().user_task("check", name="Check").user_task("approve").end(),
    a_document().start().user_task("check", name="Look").service_task("approve").end(),
)
CHANGED = [
    {
        "source": {"elementId": "approve", "name": None, "kind": "userTask"},
        "target": {"elementId": "approve", "name": None, "kind": "serviceTask"},
        "aspects": ["KIND"],
    },
    {
        "source": {"elementId": "check", "name": "Check", "kind": "userTask"},
        "target": {"elementId": "check", "name": "Look", "kind": "userTask"},
        "aspects": ["NAME"],
    },
]
LATER = Worker(name="later", chunk_policy=ChunkPolicy(inline_limit=1, initial_size=1, min_size=1))


async def a_process_for(store: SqlStore, number: int) -> dict[str, str]:
    process = ProcessKey(namespace="cache", code=CLIENTS[number])
    waiting = instances(range(10 * number, 10 * number + 3), process=process, position=at("check"))
    documents = [version.xml() for version in VERSIONS]
    await a_modelled_process(store, *documents, process_key=process, holding=waiting)
    await save_draft(store, process=process, model=None, caller=ADMIN)
    everything = UpgradeRequest(process=process, selection=all_active())
    queued = await request_upgrade(store, everything, caller=ADMIN, worker=LATER)
    return {
        "namespace": process.namespace,
        "code": process.code,
        "upgrade": str(queued.id),
        "instance": str(waiting[0].id),
        "newcomer": str(an_id(10 * number + 3)),
        "version": f"version:{process}/3",
    }


async def fill(database: Path) -> tuple[str, dict[str, dict[str, str]]]:
    """Returns the key of a system administrator, and the variables of each client's views."""
    store = await SqlStore.open(database)
    try:
        variables = {name: await a_process_for(store, number) for number, name in enumerate(CLIENTS)}
        _, key = await create_key(SqlKeys(store.database), name="admin", role=Role.SYSTEM_ADMIN)
        return key, variables
    finally:
        await store.close()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What caches.mjs found with a gateway that has no worker, so that an upgrade stays QUEUED."""
    tools, folder = javascript_tools(), tmp_path_factory.mktemp("caches")
    key, variables = asyncio.run(fill(folder / "uplift.sqlite"))
    with started("serve", "--port", "0", "--no-worker", folder=folder) as gateway:
        command = ["node", "caches.mjs", f"{gateway.url()}/graphql", key, json.dumps(variables)]
        done = subprocess.run(command, cwd=tools, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_normalised_cache_shows_what_the_gateway_has(client: str, found: Any) -> None:
    assert found[client]["outdated"] == []
    assert found[client]["warnings"] == []
    assert found[client]["refetched"] == 0
    assert found[client]["diff"]["process"]["comparison"]["changed"] == CHANGED
