"""docs/how-to/camunda7.md: an Operaton is linked, its instances are upgraded, and moved back."""

from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from tests.engines.operaton_harness import OperatonHarness
from tests.support.long_mode import long_only
from tests.support.operaton import Operaton
from tests.support.project import DOCS
from tests.support.reader import Reader
from uplift.testing.engine.documents import tasks

pytestmark = pytest.mark.anyio


@long_only
async def test_the_commands_of_the_page_upgrade_instances(the_operaton: Operaton, tmp_path: Path) -> None:
    tenant = f"tenant-{uuid4().hex}"
    async with OperatonHarness.open(the_operaton.url) as harness:
        key = "consumer-loan"
        first = await harness.deploy(key, tasks(key, "check", "approve"), tenant=tenant)
        ids = await harness.start(first, 3)
        await harness.deploy(key, tasks(key, "check", "sign"), tenant=tenant)
        with ExitStack() as programs:
            reader = Reader(tmp_path, programs, CAMUNDA_PASSWORD="not-checked-by-this-engine")
            reader.replaced["https://engine.example/engine-rest"] = the_operaton.url
            reader.replaced["--user uplift"] = f"--user uplift --tenant {tenant}"  # tests share the engine
            reader.follow((DOCS / "how-to" / "camunda7.md").read_text(encoding="utf-8"))
        assert set((await harness.engine.locate(ids)).values()) == {first}, "the undo moved them back"
