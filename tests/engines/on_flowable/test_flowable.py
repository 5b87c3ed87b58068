"""What is particular to Flowable: joins, long keys, tenants, and what the engine does not check."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.engines.flowable_harness import FlowableHarness
from tests.support.operaton import Operaton
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.instance import ElementId
from uplift.domain.model.link import Credentials, CredentialScheme
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind, EngineVersionId
from uplift.engines.flowable import FlowableEngine
from uplift.testing.engine.documents import a_document, chain, multi_instance, parallel, tasks
from uplift.testing.engine.harness import (
    a_plan,
    a_process_key,
    all_pages,
    an_instruction,
    instances_in,
    waiting_in,
)

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def an_adapter(
    url: str, *, tenant: str | None = None, credentials: Credentials | None = None
) -> AsyncIterator[FlowableEngine]:
    engine = FlowableEngine(url, tenant=tenant, credentials=credentials)
    yield engine
    await engine.close()


async def test_every_instance_at_a_join_is_found_however_pages_are_cut(harness: FlowableHarness) -> None:
    key = a_process_key()
    version = await harness.deploy(key, parallel(key, "west", "east"))
    started = await harness.start(version, 7)
    for instance in started[1::2]:
        await harness.complete(instance, ElementId("west"))
    assert sorted(await waiting_in(harness.engine, version, "join")) == sorted(started[1::2])


async def test_an_instance_with_more_executions_than_a_page_has_is_read_whole(
    harness: FlowableHarness,
) -> None:
    key = a_process_key()
    inner = parallel(key, "west", "east")
    version = await harness.deploy(key, inner)
    many = a_process_key()
    votes = await harness.deploy(many, multi_instance(many, "vote", count=9))
    [instance] = await harness.start(version)
    await harness.start(votes, 2)
    await harness.complete(instance, ElementId("east"))
    assert await waiting_in(harness.engine, version, "join") == [instance]


async def test_a_token_at_a_join_stays_there_when_the_instance_moves(harness: FlowableHarness) -> None:
    key = a_process_key()
    source = await harness.deploy(key, parallel(key, "west", "east"))
    target = await harness.deploy(key, parallel(key, "north", "east"))
    [instance] = await harness.start(source)
    await harness.complete(instance, ElementId("west"))
    plan = a_plan(source, target, east="east", join="join")
    assert await harness.engine.move(plan, [instance]) == {instance: None}
    assert await waiting_in(harness.engine, target, "join") == [instance]
    await harness.complete(instance, ElementId("east"))
    assert await harness.engine.locate([instance]) == {instance: None}


async def test_a_key_so_long_that_ids_of_versions_lack_it(harness: FlowableHarness) -> None:
    key = f"{a_process_key()}-{'x' * 60}"
    version = await harness.deploy(key, parallel(key, "west", "east"))
    assert not version.startswith(key)
    [instance] = await harness.start(version)
    await harness.complete(instance, ElementId("west"))
    assert await waiting_in(harness.engine, version, "join") == [instance]


async def test_an_instance_that_waits_where_neither_plan_nor_target_leads_has_moved_on(
    harness: FlowableHarness,
) -> None:
    key = a_process_key()
    source = await harness.deploy(key, tasks(key, "check", "approve"))
    target = await harness.deploy(key, tasks(key, "review"))
    [instance] = await harness.start(source)
    await harness.complete(instance, ElementId("check"))
    answers = await harness.engine.move(a_plan(source, target, check="review"), [instance])
    refusal = answers[instance]
    assert refusal is not None
    assert refusal.code is ReasonCode.MOVED_ON
    assert "'approve'" in refusal.message
    assert await harness.engine.locate([instance]) == {instance: source}


async def test_a_version_that_is_not_there_is_refused_after_a_look(harness: FlowableHarness) -> None:
    key = a_process_key()
    source = await harness.deploy(key, tasks(key, "check"))
    [instance] = await harness.start(source)
    plan = a_plan(source, EngineVersionId("no-such:2:version"), check="check")
    refusal = (await harness.engine.move(plan, [instance]))[instance]
    assert refusal is not None
    assert refusal.code is ReasonCode.ENGINE_REFUSED
    assert await instances_in(harness.engine, source) == [instance]


async def test_a_suspended_instance_moves(harness: FlowableHarness) -> None:
    key = a_process_key()
    source, target = [await harness.deploy(key, tasks(key, "check")) for _ in range(2)]
    [instance] = await harness.start(source)
    await harness.suspend(instance)
    assert await harness.engine.move(a_plan(source, target, check="check"), [instance]) == {instance: None}
    assert await waiting_in(harness.engine, target, "check") == [instance]


async def test_a_call_activity_waits_for_its_own_instance(harness: FlowableHarness) -> None:
    inner, outer = a_process_key(), a_process_key()
    called = await harness.deploy(inner, tasks(inner, "check"))
    caller = await harness.deploy(
        outer, a_document(outer, chain(f'<callActivity id="call" calledElement="{inner}"/>'))
    )
    [instance] = await harness.start(caller)
    assert await waiting_in(harness.engine, caller, "call") == [instance]
    [child] = await instances_in(harness.engine, called)
    assert child != instance
    target = await harness.deploy(inner, tasks(inner, "check"))
    assert await harness.engine.move(a_plan(called, target, check="check"), [child]) == {child: None}
    await harness.complete(child, ElementId("check"))
    assert await harness.engine.locate([instance]) == {instance: None}


async def test_a_failed_job_waits_at_its_element_and_moves(harness: FlowableHarness) -> None:
    key = a_process_key()
    service = (
        '<serviceTask xmlns:flowable="http://flowable.org/bpmn" id="charge" flowable:async="true" '
        'flowable:expression="${missing.value}"/>'
    )
    source, target = [await harness.deploy(key, a_document(key, chain(service))) for _ in range(2)]
    [instance] = await harness.start(source)
    assert await waiting_in(harness.engine, source, "charge") == [instance]
    assert await harness.engine.move(a_plan(source, target, charge="charge"), [instance]) == {instance: None}
    assert await waiting_in(harness.engine, target, "charge") == [instance]


async def test_a_link_sees_the_versions_of_its_tenant_only(
    harness: FlowableHarness, the_flowable: Operaton
) -> None:
    keys = {tenant: a_process_key() for tenant in (None, "north", "south")}
    for tenant, key in keys.items():
        await harness.deploy(key, tasks(key, "check"), tenant=tenant)
    for tenant, key in keys.items():
        async with an_adapter(the_flowable.url, tenant=tenant) as engine:
            listed, _ = await all_pages(engine.versions)
            assert {version.key for version in listed} & {*keys.values()} == {key}
            assert {version.tenant for version in listed} == {tenant}


async def test_a_parallel_vote_moves_back(harness: FlowableHarness) -> None:
    key = a_process_key()
    source = await harness.deploy(key, multi_instance(key, "vote", count=3))
    target = await harness.deploy(key, multi_instance(key, "decide", count=3))
    [instance] = await harness.start(source)
    there = a_plan(source, target, an_instruction("vote", "decide", is_multi_instance=True))
    back = a_plan(target, source, an_instruction("decide", "vote", is_multi_instance=True))
    for plan in (there, back):
        assert await harness.engine.move(plan, [instance]) == {instance: None}
    assert await waiting_in(harness.engine, source, "vote") == [instance]


async def test_what_is_no_flowable_is_told(the_flowable: Operaton) -> None:
    for url in (the_flowable.url.removesuffix("/process-api"), f"{the_flowable.url}/nowhere"):
        async with an_adapter(url) as engine:
            with pytest.raises(EngineFault) as caught:
                await engine.describe()
        assert caught.value.kind in {EngineFaultKind.NOT_THIS_ENGINE, EngineFaultKind.FAILED}


async def test_a_secret_that_is_not_set(the_flowable: Operaton) -> None:
    credentials = Credentials(scheme=CredentialScheme.BEARER, environment="UPLIFT_TEST_NOT_SET")
    async with an_adapter(the_flowable.url, credentials=credentials) as engine:
        with pytest.raises(EngineFault, match="UPLIFT_TEST_NOT_SET") as caught:
            await engine.describe()
    assert caught.value.kind is EngineFaultKind.UNAUTHORISED
