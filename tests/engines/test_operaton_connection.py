"""The way to a real Operaton: users and rights, wrong addresses, an engine that freezes, many instances."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from tests.engines.operaton_harness import OperatonHarness
from tests.support.long_mode import long_only
from tests.support.operaton import QUERY_LIMIT, Operaton
from uplift.domain.clock import utc_now
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.instance import ElementId
from uplift.domain.model.link import Credentials, CredentialScheme
from uplift.domain.ports.process_engine import (
    EngineFault,
    EngineFaultKind,
    EngineInstanceId,
    EngineVersionId,
    ProcessEngine,
)
from uplift.engines.camunda7 import Camunda7Engine
from uplift.engines.camunda7.lists import MAX_LOCATED
from uplift.engines.transport import Timeouts
from uplift.testing.engine.documents import tasks
from uplift.testing.engine.harness import a_plan, a_process_key, all_pages, instances_in, waiting_in
from uplift.testing.engine.moving import move

pytestmark = pytest.mark.anyio

PROCESS_DEFINITION = 6
"""The number of this kind of resource."""


@asynccontextmanager
async def adapter(
    url: str, *, credentials: Credentials | None = None, timeouts: Timeouts | None = None
) -> AsyncIterator[ProcessEngine]:
    """Another adapter, with pages as large as in production."""
    engine = Camunda7Engine(url, credentials=credentials, timeouts=timeouts)
    try:
        yield engine
    finally:
        await engine.close()


async def a_user(
    harness: OperatonHarness, monkeypatch: pytest.MonkeyPatch, *rights: str
) -> tuple[str, Credentials]:
    """A new user of the engine who has these rights on all definitions, and the credentials."""
    user, password = f"user{uuid4().hex}", uuid4().hex
    profile = {"id": user, "firstName": "A", "lastName": "User"}
    await harness.call("POST", "/user/create", {"profile": profile, "credentials": {"password": password}})
    if rights:
        await harness.call("POST", "/authorization/create", granted(user, rights))
    monkeypatch.setenv("ENGINE_PASSWORD", password)
    scheme = CredentialScheme.BASIC
    return user, Credentials(scheme=scheme, user=user, environment="ENGINE_PASSWORD")


def granted(user: str, rights: Sequence[str]) -> dict[str, object]:
    return {
        "type": 1,
        "permissions": list(rights),
        "userId": user,
        "resourceType": PROCESS_DEFINITION,
        "resourceId": "*",
    }


async def two_versions(harness: OperatonHarness, *elements: str) -> tuple[EngineVersionId, EngineVersionId]:
    key = a_process_key()
    return await harness.deploy(key, tasks(key, *elements)), await harness.deploy(key, tasks(key, *elements))


async def test_operaton_says_what_it_is(harness: OperatonHarness) -> None:
    description = await harness.engine.describe()
    assert (description.product, description.version) == ("Operaton BPM Runtime", "1.0.3")
    assert description.clock is not None
    assert abs((description.clock - utc_now()).total_seconds()) < 60
    assert description.problems == ()


async def test_a_user_with_the_rights_lists_and_moves_in_the_sizes_that_the_engine_allows(
    harness: OperatonHarness, the_operaton: Operaton, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = await two_versions(harness, "check")
    started = await harness.start(source, QUERY_LIMIT + 3)
    _, credentials = await a_user(harness, monkeypatch, "READ", "READ_INSTANCE", "MIGRATE_INSTANCE")
    async with adapter(the_operaton.protected_url, credentials=credentials) as engine:
        description = await engine.describe()
        assert (description.product, description.version, description.problems) == ("Camunda 7", "1.0.3", ())
        versions, _ = await all_pages(engine.versions)
        assert {source, target} <= {version.id for version in versions}
        listed, pages = await all_pages(lambda after: engine.instances(source, after))
        assert (sorted(listed), pages) == (sorted(started), 2)
        assert await engine.locate(started) == dict.fromkeys(started, source)
        assert await move(engine, a_plan(source, target, check="check"), started) == dict.fromkeys(started)


async def test_rights_that_are_missing_are_named_and_nothing_moves(
    harness: OperatonHarness, the_operaton: Operaton, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = await two_versions(harness, "check")
    [instance] = await harness.start(source)
    plan = a_plan(source, target, check="check")
    user, credentials = await a_user(harness, monkeypatch)
    async with adapter(the_operaton.protected_url, credentials=credentials) as engine:
        problems = (await engine.describe()).problems
        assert [problem.partition("the right ")[2].split()[0] for problem in problems] == [
            "READ",
            "READ_INSTANCE",
            "MIGRATE_INSTANCE",
        ]
        with pytest.raises(EngineFault, match="the instances may be hidden") as caught:
            await engine.locate([instance])
        assert caught.value.kind is EngineFaultKind.UNAUTHORISED
        await harness.call("POST", "/authorization/create", granted(user, ["READ", "READ_INSTANCE"]))
        unknown = EngineInstanceId(str(uuid4()))
        assert await engine.locate([unknown]) == {unknown: None}
        [problem] = (await engine.describe()).problems
        assert problem.startswith(
            "Expected the credentials to have the right MIGRATE_INSTANCE on all process definitions, to move "
        )
        with pytest.raises(EngineFault, match="MIGRATE_INSTANCE") as caught:
            await engine.move(plan, [instance])
    assert caught.value.kind is EngineFaultKind.UNAUTHORISED
    assert await harness.engine.locate([instance]) == {instance: source}


async def test_a_wrong_password_is_a_fault_until_it_is_replaced(
    harness: OperatonHarness, the_operaton: Operaton, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, credentials = await a_user(harness, monkeypatch, "READ")
    async with adapter(the_operaton.protected_url, credentials=credentials) as engine:
        await engine.describe()
        with monkeypatch.context() as context:
            context.setenv("ENGINE_PASSWORD", "wrong")
            for request in (engine.describe, engine.versions):
                with pytest.raises(EngineFault, match=r"answers 401") as caught:
                    await request()
                assert caught.value.kind is EngineFaultKind.UNAUTHORISED
        # The engine locks a user for some seconds after a wrong password.
        await harness.call("POST", f"/user/{user}/unlock")
        await engine.describe()
    async with adapter(the_operaton.protected_url) as engine:
        with pytest.raises(EngineFault) as caught:
            await engine.describe()
    assert caught.value.kind is EngineFaultKind.UNAUTHORISED


@pytest.mark.parametrize("path", ["", "/engine-rest/process-definition"])
async def test_a_wrong_path_is_not_the_engine(the_operaton: Operaton, path: str) -> None:
    async with adapter(the_operaton.url.replace("/engine-rest", path)) as engine:
        with pytest.raises(EngineFault) as caught:
            await engine.describe()
    assert caught.value.kind is EngineFaultKind.NOT_THIS_ENGINE
    assert "Check the URL of the link." in caught.value.message


async def test_the_name_of_an_engine_may_be_part_of_its_path(the_operaton: Operaton) -> None:
    async with adapter(f"{the_operaton.url}/engine/default/") as engine:
        assert (await engine.describe()).version == "1.0.3"
    async with adapter(f"{the_operaton.url}/engine/other") as engine:
        with pytest.raises(EngineFault, match="No process engine available") as caught:
            await engine.describe()
    assert caught.value.kind is EngineFaultKind.FAILED


async def test_a_request_to_a_frozen_engine_ends_and_may_take_effect_later(
    harness: OperatonHarness, the_operaton: Operaton
) -> None:
    source, target = await two_versions(harness, "check")
    moving = await harness.start(source, 5)
    plan = a_plan(source, target, check="check")
    async with adapter(the_operaton.url, timeouts=Timeouts(read=0.5, total=1)) as engine:
        the_operaton.freeze()
        try:
            with pytest.raises(EngineFault) as caught:
                await engine.move(plan, moving)
        finally:
            the_operaton.thaw()
    assert caught.value.kind is EngineFaultKind.UNREACHABLE
    async with asyncio.timeout(60):
        while await harness.engine.locate(moving) != dict.fromkeys(moving, target):
            pass  # the engine has the request, and carries it out now
    assert await move(harness.engine, plan, moving) == dict.fromkeys(moving, ReasonCode.MOVED_ON)


async def test_two_may_move_the_same_instances_at_once(harness: OperatonHarness) -> None:
    source, target = await two_versions(harness, "check")
    moving = await harness.start(source, 20)
    plan = a_plan(source, target, check="check")
    first, second = await asyncio.gather(
        move(harness.engine, plan, moving), move(harness.engine, plan, moving[::-1])
    )
    assert await harness.engine.locate(moving) == dict.fromkeys(moving, target)
    # A conflict of two writers names no instance. Who finds it on the target then takes it as moved.
    for instance in moving:
        assert {None} <= {first[instance], second[instance]} <= {None, ReasonCode.MOVED_ON}


async def test_more_ids_are_located_than_one_request_takes(harness: OperatonHarness) -> None:
    source, _ = await two_versions(harness, "check")
    started = await harness.start(source, 3)
    unknown = [EngineInstanceId(str(uuid4())) for _ in range(2 * MAX_LOCATED)]
    ids = [started[0], *unknown[:MAX_LOCATED], started[1], *unknown[MAX_LOCATED:], started[2]]
    assert await harness.engine.locate(ids) == {
        **dict.fromkeys(unknown),
        **dict.fromkeys(started, source),
    }


@long_only
async def test_thousands_of_instances_are_listed_located_and_moved(harness: OperatonHarness) -> None:
    count = 6_000
    key = a_process_key()
    source, target = [await harness.deploy(key, tasks(key, "check", "pay")) for _ in range(2)]
    await harness.start_many(key, count)
    engine = Camunda7Engine(harness.url, page_size=count // 3)
    try:
        started, pages = await all_pages(lambda after: engine.instances(source, after))
        assert (len(started), len({*started}), pages) == (count, count, 4)
        assert started == sorted(started)
        assert sorted(await waiting_in(engine, source, "check")) == started
        elsewhere, gone = started[10:400:40], started[15:400:40]
        for instance in elsewhere:
            await harness.complete(instance, ElementId("check"))
        for instance in gone:
            await harness.cancel(instance)
        answers = await in_two_lanes(engine, source, target, started)
        assert answers == {
            **dict.fromkeys(started),
            **dict.fromkeys(elsewhere, ReasonCode.MOVED_ON),
            **dict.fromkeys(gone, ReasonCode.INSTANCE_NOT_FOUND),
        }
        assert await engine.locate(started) == {
            **dict.fromkeys(started, target),
            **dict.fromkeys(elsewhere, source),
            **dict.fromkeys(gone),
        }
        assert sorted(await instances_in(engine, target)) == sorted({*started} - {*elsewhere, *gone})
    finally:
        await engine.close()


async def in_two_lanes(
    engine: ProcessEngine,
    source: EngineVersionId,
    target: EngineVersionId,
    ids: Sequence[EngineInstanceId],
) -> dict[EngineInstanceId, ReasonCode | None]:
    """Move instances in two tasks at once, as many as the engine likes."""
    plan = a_plan(source, target, check="check")
    lanes = await asyncio.gather(move(engine, plan, ids[::2]), move(engine, plan, ids[1::2]))
    return {**lanes[0], **lanes[1]}
