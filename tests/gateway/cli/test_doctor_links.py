"""`uplift doctor` finds what is wrong with links: their engines, and the programs that hold them."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from uuid import UUID

import pytest

from tests.engines.scripted_server import Answer, Received, in_json, reply, served
from tests.gateway.gateway_world import uplift, url_of, with_store
from uplift.domain.clock import utc_now
from uplift.domain.model.link import Credentials, CredentialScheme, Link, LinkId, LinkKind
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.upgrade import Lease
from uplift.gateway.auth.keys import first_admin_key
from uplift.gateway.doctor import links
from uplift.gateway.doctor.links import examine_links, examine_status
from uplift.gateway.doctor.result import Health, Result
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.testing.builders import a_process

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
LINK = Link(
    id=LinkId(UUID(int=1)),
    name="loans",
    kind=LinkKind.CAMUNDA7,
    namespace="loans",
    url="http://127.0.0.1:1/engine-rest",
    created_at=NOW - timedelta(days=1),
    created_by="tester",
)
BEARER = Credentials(scheme=CredentialScheme.BEARER, environment="UPLIFT_LINK_LOANS")
HELD = LinkStatus(
    lease=Lease(worker="host-1", until=NOW + timedelta(seconds=10)),
    sweep_started_at=NOW - timedelta(minutes=4),
    swept_at=NOW - timedelta(minutes=3),
)
DEFINITION = {"id": "loan:1:a", "key": "loan", "version": 1, "name": None, "tenantId": None}


async def examined(folder: Path, *found: Link) -> list[Result]:
    """The results of these links."""
    store = await SqlStore.open(folder / "uplift.sqlite")
    try:
        async with store.transaction() as transaction:
            for link in found:
                await transaction.links.add(link)
        results: list[Result] = []
        await examine_links(store, results.append)
        return results
    finally:
        await store.close()


def engine_at(
    clock: datetime | None = None,
    *,
    definitions: Sequence[object] = (DEFINITION,),
    is_authorised: bool = True,
) -> Answer:
    """An engine with this clock, by default the right one."""

    async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
        date = format_datetime(clock or utc_now(), usegmt=True)
        path = request.path.partition("?")[0].removeprefix("/engine-rest")
        replies: dict[str, object] = {
            "/version": {"version": "1.0.1"},
            "/telemetry/data": {"product": {"name": "Operaton"}},
            "/process-definition": definitions,
            "/authorization/check": {"authorized": is_authorised},
        }
        writer.write(in_json(replies[path], date=date))

    return answer


async def test_an_engine_that_answers(folder: Path) -> None:
    async with served(engine_at()) as server:
        engine, link = await examined(folder, replace(LINK, url=server.url))
    assert (engine.part, engine.health, engine.advice) == ("engine of loans", Health.OK, None)
    assert engine.found.startswith(f"Operaton 1.0.1 answers at {server.url}, its clock ")
    assert engine.found.endswith(" versions: 1.")
    assert (link.part, link.health) == ("link loans", Health.ERROR)  # no program holds it


async def test_an_engine_whose_clock_is_wrong(folder: Path) -> None:
    async with served(engine_at(utc_now() + timedelta(minutes=1))) as server:
        engine, _ = await examined(folder, replace(LINK, url=server.url))
    assert engine.health is Health.WARNING
    assert "Expected the engine's clock within 5 s of this machine's" in engine.found
    assert engine.advice == "Synchronise both machines (NTP)."


async def test_an_engine_that_shows_nothing_and_lacks_rights(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPLIFT_LINK_LOANS", "token")
    async with served(engine_at(definitions=(), is_authorised=False)) as server:
        engine, _ = await examined(folder, replace(LINK, url=server.url, credentials=BEARER))
    assert engine.health is Health.WARNING
    assert "the right MIGRATE_INSTANCE on all process definitions" in engine.found
    assert "Expected versions that belong to no tenant, but the engine lists none." in engine.found
    assert engine.advice is not None
    assert engine.advice.count("Give the user of the link what is missing") == 1


@pytest.mark.parametrize(
    ("answer", "found", "advice"),
    [
        (reply(status=401), "answers 401", "Replace the secret"),
        (reply(status=503), "503", "Wait."),
        (reply("<html>", content_type="text/html"), "text/html", "Check the URL and the kind"),
    ],
)
async def test_an_engine_that_does_not_answer_as_it_should(
    folder: Path, answer: bytes, found: str, advice: str
) -> None:
    async with served(answer) as server:
        engine, _ = await examined(folder, replace(LINK, url=server.url))
    assert engine.health is Health.ERROR
    assert found in engine.found
    assert (engine.advice or "").startswith(advice)


async def test_a_secret_that_this_command_does_not_see(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPLIFT_LINK_LOANS", raising=False)
    engine, _ = await examined(folder, replace(LINK, credentials=BEARER))
    assert "the environment variable UPLIFT_LINK_LOANS, but there is none" in engine.found
    assert (engine.advice or "").endswith("with the environment and the files of the server.")


async def test_engines_that_never_answer_take_a_bounded_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "ENGINE_SECONDS", 0.2)
    monkeypatch.setattr(links, "TOTAL_SECONDS", 0.3)
    monkeypatch.setattr(links, "CONCURRENCY", 2)

    async def never(_: Received, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with served(never) as server:
        silent = [
            replace(LINK, id=LinkId(UUID(int=n)), name=f"link-{n}", namespace=f"n{n}", url=server.url)
            for n in range(8)
        ]
        results = await asyncio.wait_for(examined(folder, *silent), 20)
    engines = [result for result in results if result.part.startswith("engine")]
    assert [result.part for result in engines] == [f"engine of link-{n}" for n in range(8)]
    assert {result.health for result in engines} == {Health.ERROR}
    assert engines[0].found == "It did not answer everything within 0.2 s."
    assert engines[-1].found == "It was not asked, because other engines took 0.3 s."


@pytest.mark.parametrize(
    ("status", "health", "part_of_found", "part_of_advice"),
    [
        (
            HELD,
            Health.OK,
            "'host-1' holds the link. Its engine was last read as a whole: at 2026-11-30",
            None,
        ),
        (LinkStatus(), Health.ERROR, "No program holds the link", "Start 'uplift worker'"),
        (
            replace(HELD, lease=Lease(worker="host-1", until=NOW - timedelta(seconds=1))),
            Health.ERROR,
            "No program holds the link",
            "Start 'uplift worker'",
        ),
        (
            replace(HELD, unreachable_since=NOW - timedelta(minutes=1)),
            Health.ERROR,
            "no answer of its engine since 2026-11-30 11:59:00 (UTC)",
            "Check that the engine runs",
        ),
        (
            replace(HELD, sweep_error="Expected a page."),
            Health.WARNING,
            "not read the last time: Expected a page.",
            "uplift links sync loans",
        ),
        (
            replace(HELD, webhook_error="Status 500."),
            Health.WARNING,
            "Its last webhook did not arrive: Status 500.",
            "Correct what the message names",
        ),
        (
            replace(HELD, swept_at=NOW - timedelta(hours=2)),
            Health.WARNING,
            "That is 1 h 45 min late.",
            "--sweep-seconds",
        ),
        (replace(HELD, swept_at=None), Health.WARNING, "as a whole: never. That is 23 h 45 min late.", "log"),
    ],
)
def test_the_program_that_holds_a_link(
    status: LinkStatus, health: Health, part_of_found: str, part_of_advice: str | None
) -> None:
    result = examine_status(LINK, status, NOW)
    assert (result.part, result.health) == ("link loans", health)
    assert part_of_found in result.found
    assert (part_of_advice or "") in (result.advice or "")
    assert (result.advice is None) == (health is Health.OK)


def test_an_engine_that_pulls_is_never_read() -> None:
    pull = replace(LINK, kind=LinkKind.PULL, url=None)
    assert examine_status(pull, replace(HELD, swept_at=None), NOW).health is Health.OK


def test_the_command_shows_links_and_fails(folder: Path) -> None:
    async def fill(store: SqlStore) -> None:
        await a_process(store)
        await first_admin_key(SqlKeys(store.database))
        async with store.transaction() as transaction:
            await transaction.links.add(LINK)

    file = folder / "uplift.sqlite"
    with_store(file, fill)
    done = uplift("doctor", "--json", "--database-url", url_of(file), "--port", "1")
    health = {result["part"]: result["health"] for result in json.loads(done.stdout)}
    assert (health["engine of loans"], health["link loans"]) == ("error", "error")
    assert done.exit_code == 1
