"""Operaton is killed while it moves instances: the adapter finds out afterwards where each is."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.engines.operaton_harness import OperatonHarness
from tests.support.long_mode import long_only
from tests.support.operaton import Operaton, operaton
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind
from uplift.testing.engine.documents import tasks
from uplift.testing.engine.harness import a_plan, a_process_key, waiting_in
from uplift.testing.engine.moving import move

pytestmark = [pytest.mark.anyio, long_only]

KILLS = 3


@asynccontextmanager
async def running(database: Path) -> AsyncIterator[tuple[Operaton, OperatonHarness]]:
    """An Operaton that keeps its data in a file."""
    with operaton(database=database) as engine:
        async with OperatonHarness.open(engine.url) as harness:
            yield engine, harness


async def test_what_a_killed_engine_has_moved_is_found_out(tmp_path: Path) -> None:
    database = tmp_path / "engine"
    key = a_process_key()
    async with running(database) as (_, harness):
        source, target = [await harness.deploy(key, tasks(key, "check")) for _ in range(2)]
        started = await harness.start(source, 100)
    plan = a_plan(source, target, check="check")
    chance = random.Random(17)
    answers: list[object] = []
    for _ in range(KILLS):
        async with running(database) as (engine, harness):
            moving = asyncio.create_task(harness.engine.move(plan, started))
            await asyncio.sleep(chance.uniform(0, 0.6))
            engine.kill()
            [answer] = await asyncio.gather(moving, return_exceptions=True)
            answers.append(answer)
        async with running(database) as (_, harness):
            located = await harness.engine.locate(started)
            assert len({*located.values()}) == 1, "a request moves all or none"
            assert located[started[0]] in {source, target}
            assert located[started[0]] == target or isinstance(answer, EngineFault)
            if located[started[0]] == target:
                assert sorted(await waiting_in(harness.engine, target, "check")) == sorted(started)
                back = a_plan(target, source, check="check")
                assert await move(harness.engine, back, started) == dict.fromkeys(started)
    faults = [answer for answer in answers if isinstance(answer, EngineFault)]
    assert faults, "at least one answer is lost"
    assert {fault.kind for fault in faults} == {EngineFaultKind.UNREACHABLE}
