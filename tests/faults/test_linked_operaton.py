"""Kills of the gateway and of the engine, and an engine that is frozen: each instance moves once.

At the end the audit of each upgrade says of each instance what the engine says.
"""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from tests.faults.linked_gateway import LinkedDatabase, a_linked_database, until
from tests.faults.programs import Program, served
from tests.support.long_mode import long_only
from tests.support.operaton import Operaton, operaton
from uplift.domain.model.instance import ElementId

pytestmark = [pytest.mark.faults, pytest.mark.anyio, long_only]

KILLS = 100


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def is_idle(database: LinkedDatabase) -> None:
    await until(lambda: database.open_orders == 0, "all orders are settled")


async def test_the_gateway_is_killed_while_requests_are_under_way(tmp_path: Path) -> None:
    chance, kills = Random(1), 0
    with operaton() as engine:
        while kills < KILLS:
            async with a_linked_database(tmp_path, engine.url, count=600, max_rate=300) as (
                database,
                harness,
            ):
                with served(database.file, database.key) as program:
                    await until(lambda: database.instances == 600, "the instances are swept")
                    upgrade = await asyncio.to_thread(database.upgrade, program)
                kills += await killed(database, chance)
                done = await database.require_true_audit(harness, upgrade, target=1)
                assert done.upgraded == 600
                await harness.cancel(database.ids[0])
                await harness.complete(database.ids[1], ElementId("check"))
                with served(database.file, database.key) as program:
                    undo = await asyncio.to_thread(database.undo, program, upgrade)
                kills += await killed(database, chance)
                undone = await database.require_true_audit(harness, undo, target=0)
                assert (undone.upgraded, undone.refused) == (598, 2)


async def killed(database: LinkedDatabase, chance: Random) -> int:
    """Let gateways work on the orders, and kill each soon after it has sent some; returns the kills."""
    kills = 0
    while True:
        before = database.attempts
        with served(database.file, database.key) as program:
            # What the program before has sent is sent already, so a new attempt is that of this program.
            await until(lambda: database.attempts > before or database.open_orders == 0, "orders are sent")  # noqa: B023
            if database.open_orders == 0:
                await until_completed(database, program)
                return kills
            await asyncio.sleep(chance.random() * 0.6)
            program.kill()
            kills += 1


async def until_completed(database: LinkedDatabase, program: Program) -> None:
    query = "{ upgrades(first: 50, filter: {states: [QUEUED, RUNNING]}) { nodes { id } } }"

    def are_completed() -> bool:
        answer = program.ask("/graphql", {"query": query})
        return bool(answer.body["data"]["upgrades"]["nodes"] == [])

    await until(are_completed, "the upgrade ends")


async def test_the_engine_is_killed_while_requests_are_under_way(tmp_path: Path) -> None:
    chance, kills = Random(2), 0
    with ExitStack() as started:

        def start(port: int = 0) -> Operaton:
            return started.enter_context(operaton(database=tmp_path / "engine", port=port))

        engine = await asyncio.to_thread(start)
        port = int(engine.url.rpartition(":")[2].partition("/")[0])
        async with a_linked_database(tmp_path, engine.url, count=800, max_rate=200) as (database, harness):
            with served(database.file, database.key) as program:
                await until(lambda: database.instances == 800, "the instances are swept")
                upgrade = await asyncio.to_thread(database.upgrade, program)
                while database.open_orders:
                    await until(lambda: database.sent > 0 or database.open_orders == 0, "orders are sent")
                    await asyncio.sleep(chance.random())
                    engine.kill()
                    kills += 1
                    await asyncio.sleep(chance.random() * 2)
                    engine = await asyncio.to_thread(start, port)
                    if kills == 4:
                        await is_idle(database)
                await until_completed(database, program)
            done = await database.require_true_audit(harness, upgrade, target=1)
            assert done.upgraded == 800
    assert kills >= 3


async def test_the_engine_is_frozen_for_longer_than_a_request_may_take(tmp_path: Path) -> None:
    with operaton() as engine:
        async with a_linked_database(tmp_path, engine.url, count=600, max_rate=200) as (database, harness):
            with served(database.file, database.key) as program:
                await until(lambda: database.instances == 600, "the instances are swept")
                upgrade = await asyncio.to_thread(database.upgrade, program)
                await until(lambda: database.sent > 0, "orders are sent")
                engine.freeze()
                await asyncio.sleep(75)
                assert database.open_orders > 0
                engine.thaw()
                await is_idle(database)
                await until_completed(database, program)
            done = await database.require_true_audit(harness, upgrade, target=1)
            assert done.upgraded == 600


async def test_an_upgrade_is_cancelled_while_the_engine_is_frozen(tmp_path: Path) -> None:
    with operaton() as engine:
        async with a_linked_database(tmp_path, engine.url, count=300) as (database, harness):
            with served(database.file, database.key) as program:
                await until(lambda: database.instances == 300, "the instances are swept")
                engine.freeze()
                upgrade = await asyncio.to_thread(database.upgrade, program)
                await until(lambda: database.sent > 0, "orders are sent")
                await asyncio.to_thread(cancel, program, upgrade)
                engine.thaw()
                await is_idle(database)
            done = await database.require_true_audit(harness, upgrade, target=1)
            assert done.upgraded + done.refused == 300


def cancel(program: Program, upgrade: UUID) -> None:
    program.mutate(
        "cancelUpgrade(input: $input) { upgrade { id } userErrors { code } }", {"id": str(upgrade)}
    )
