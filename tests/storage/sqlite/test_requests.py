"""An idempotent request that is repeated by another program is recognized there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ROOT
from uplift.domain import upgrade_instances
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import all_active
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, instances
from uplift.testing.stores import upgrades_of

pytestmark = pytest.mark.anyio

RETRY = """
import sys
from asyncio import run
from pathlib import Path
from uuid import UUID
from uplift.domain import Caller, Role, Worker, request_retry
from uplift.domain.model.request import RetryRequest
from uplift.domain.use_cases.request import RETRIABLE_REASONS
from uplift.storage.store import SqlStore

async def work():
    store = await SqlStore.open(Path(sys.argv[1]))
    caller = Caller(name="admin", role=Role.SYSTEM_ADMIN)
    request = RetryRequest(upgrade_id=UUID(sys.argv[2]), reasons=RETRIABLE_REASONS, idempotency_key="one")
    again = await request_retry(store, request, caller=caller, worker=Worker(name="w"))
    print(again.id)
    await store.close()

run(work())
"""


def retried_in_a_program_of_its_own(file: Path, of: object, hash_seed: str) -> str:
    """The id of the upgrade. The hash seed changes the order of sets of strings."""
    return subprocess.run(
        [sys.executable, "-c", RETRY, str(file), str(of)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    ).stdout.strip()


async def test_the_same_retry_from_several_programs_is_done_once(store: SqlStore, file: Path) -> None:
    await a_process(store, holding=instances(range(3)))
    first = await upgrade_instances(
        store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN
    )
    ids = {retried_in_a_program_of_its_own(file, first.id, seed) for seed in ("1", "2", "5")}
    [again, earlier] = await upgrades_of(store)
    assert earlier == first
    assert ids == {str(again.id)}
