"""A gateway with a linked Operaton: sweep, plan, upgrade, undo and retry by all front doors, over a kill."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.engines.linked_operaton import add_link, require_true_audit
from tests.engines.operaton_harness import OperatonHarness
from tests.faults.programs import Program, served
from tests.support.operaton import Operaton
from tests.support.project import ROOT
from uplift.domain import Role, UpgradeId
from uplift.domain.model.instance import ElementId, InstanceId
from uplift.gateway.auth.keys import create_key
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.testing.engine.documents import tasks

pytestmark = pytest.mark.anyio

COUNT = 20


async def until(holds: Callable[[], bool]) -> None:
    """Wait until the condition holds; it may block for as long as a request takes."""
    async with asyncio.timeout(120):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110  another program's state
            await asyncio.sleep(0.05)


def asked(program: Program, query: str, **variables: object) -> Any:
    answer = program.ask("/graphql", {"query": query, "variables": variables})
    assert "errors" not in answer.body, answer.body
    return answer.body["data"]


def counts_of(program: Program, tenant: str) -> Mapping[int, int]:
    """How many instances each version has."""
    query = 'query($in: String!) { process(namespace: $in, code: "order") { cohorts { version count } } }'
    found = asked(program, query, **{"in": tenant})["process"]
    counts: dict[int, int] = {}
    for cohort in [] if found is None else found["cohorts"]:
        counts[cohort["version"]] = counts.get(cohort["version"], 0) + cohort["count"]
    return counts


def is_completed(program: Program, upgrade: UUID) -> bool:
    query = "query($id: UUID!) { upgrade(id: $id) { state } }"
    return bool(asked(program, query, id=str(upgrade))["upgrade"]["state"] == "COMPLETED")


async def test_a_gateway_upgrades_instances_where_they_run(the_operaton: Operaton, tmp_path: Path) -> None:
    file, tenant = tmp_path / "uplift.sqlite", f"tenant-{uuid4().hex}"
    store = await SqlStore.open(file)
    _, key = await create_key(SqlKeys(store.database), name="admin", role=Role.SYSTEM_ADMIN)
    await add_link(store, the_operaton.url, tenant, max_rate=200)
    await store.close()
    async with OperatonHarness.open(the_operaton.url) as harness:
        versions = [await harness.deploy("order", tasks("order", "check", "approve"), tenant=tenant)]
        ids = await harness.start(versions[0], COUNT)
        versions.append(await harness.deploy("order", tasks("order", "check", "sign"), tenant=tenant))

        with served(file, key) as program:
            await until(lambda: counts_of(program, tenant) == {1: COUNT})
            rest = f"/pub/v1/bpm/instance/bytemplate/{tenant}/order/version"
            headers = {"prefer": "respond-async", "idempotency-key": "one"}
            answer = await asyncio.to_thread(program.ask, rest, {"updateAllActive": True}, **headers)
            upgrade = UUID(answer.body["upgradeId"])
            program.kill()
        with served(file, key) as program:
            await until(lambda: is_completed(program, upgrade))
            await until(lambda: counts_of(program, tenant) == {2: COUNT})
            await harness.complete(ids[0], ElementId("check"))
            fields = {"id": str(upgrade), "wait": False}
            mutation = "undoUpgrade(input: $input) { upgrade { id } userErrors { code } }"
            undone = await asyncio.to_thread(program.mutate, mutation, fields)
            undo = UUID(undone["upgrade"]["id"])
            await until(lambda: is_completed(program, undo))
            command = ["upgrade", f"{tenant}/order", "--all-active", "--url", program.url, "--api-key", key]
            again = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "tests.faults.small_partitions", *command],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert again.returncode == 0, again.stderr + again.stdout
            await until(lambda: counts_of(program, tenant) == {2: COUNT})
            assert await asyncio.to_thread(program.stop) == 0

        store = await SqlStore.open(file)
        try:
            engine_ids = {InstanceId(UUID(engine_id)): engine_id for engine_id in ids}
            page = await store.upgrades.find_many([UpgradeId(upgrade), UpgradeId(undo)])
            assert page[UpgradeId(upgrade)].upgraded == COUNT
            assert page[UpgradeId(undo)].upgraded == COUNT - 1
            links = await store.links.all_with_status()
            assert [status.lease for _, status in links] == [None]
            done = page[UpgradeId(upgrade)]
            await require_true_audit(store, harness.engine, done, engine_ids, versions)
        finally:
            await store.close()
