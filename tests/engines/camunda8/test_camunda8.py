"""The adapter to Camunda 8: what the contract does not ask, and answers that are no success."""

from dataclasses import replace

import pytest
from starlette.responses import Response

from tests.engines.camunda8.fake_server import problem
from tests.engines.camunda8.harness import Camunda8Harness
from tests.engines.camunda8.shapes import REPLIES, REQUESTS, misfits
from tests.engines.scripted_server import in_json, reply, served
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.instance import ElementId
from uplift.domain.model.link import Credentials, CredentialScheme, LinkKind
from uplift.domain.ports.process_engine import (
    EngineFault,
    EngineFaultKind,
    EngineInstanceId,
    EngineVersionId,
    MovePlan,
    Refusal,
)
from uplift.engines.camunda8 import Camunda8Engine
from uplift.engines.camunda8.moves import ATTEMPTS
from uplift.engines.registry import engine_of
from uplift.testing.engine.documents import multi_instance, parallel, tasks
from uplift.testing.engine.harness import a_plan, all_pages, instances_in, waiting_in
from uplift.testing.linked_work import a_link

pytestmark = pytest.mark.anyio

MIGRATION = "POST /process-instances/{key}/migration"
BUSY = problem(
    409,
    "INVALID_STATE",
    "Expected to migrate process instance '1' but a concurrent command was executed on the process instance.",
)


async def a_move(harness: Camunda8Harness) -> tuple[MovePlan, EngineInstanceId]:
    """A plan from 'check' to 'review', and an instance that it can move."""
    source = await harness.deploy("order", tasks("order", "check"))
    target = await harness.deploy("order", tasks("order", "review"))
    [instance] = await harness.start(source)
    return a_plan(source, target, check="review"), instance


async def move(harness: Camunda8Harness, plan: MovePlan, instance: EngineInstanceId) -> Refusal | None:
    return (await harness.engine.move(plan, [instance]))[instance]


async def fault_of(harness: Camunda8Harness, plan: MovePlan, instance: EngineInstanceId) -> EngineFault:
    with pytest.raises(EngineFault) as caught:
        await harness.engine.move(plan, [instance])
    return caught.value


async def test_a_registered_link_leads_to_the_adapter(harness: Camunda8Harness) -> None:
    link = replace(a_link(), kind=LinkKind.CAMUNDA8, url=harness.server.url)
    engine = engine_of(link)
    assert (await engine.describe()).product == "Camunda 8"
    await engine.close()


@pytest.mark.parametrize(
    ("version", "is_new_enough"), [("8.8.0", True), ("9.0.1-alpha2", True), ("8.7.12", False), ("dev", False)]
)
async def test_a_gateway_that_is_too_old_is_a_problem(
    harness: Camunda8Harness, version: str, is_new_enough: bool
) -> None:
    harness.server.gateway_version = version
    description = await harness.engine.describe()
    assert description.version == version
    assert (description.problems == ()) is is_new_enough


async def test_another_server_is_not_this_engine() -> None:
    async with served(in_json({"timestamp": "2026", "error": "Not Found"}, 404)) as server:
        engine = Camunda8Engine(server.url)
        with pytest.raises(EngineFault, match="not the REST API of Camunda 8") as caught:
            await engine.describe()
        await engine.close()
    assert caught.value.kind is EngineFaultKind.NOT_THIS_ENGINE


async def test_only_versions_of_the_tenant_are_listed(harness: Camunda8Harness) -> None:
    cluster = harness.server.cluster
    cluster.deploy("order", tasks("order", "check"))
    red = cluster.deploy("order", tasks("order", "check"), tenant="red")
    cluster.deploy("order", tasks("order", "check"), tenant="blue")
    engine = Camunda8Engine(harness.server.url, tenant="red")
    [found], _ = await all_pages(engine.versions)
    await engine.close()
    assert (found.id, found.tenant, found.number, found.key) == (red, "red", 1, "order")


async def test_credentials_are_sent_and_may_be_refused(
    harness: Camunda8Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.server.authorization = "Bearer right"
    credentials = Credentials(scheme=CredentialScheme.BEARER, environment="CAMUNDA_TOKEN")
    engine = Camunda8Engine(harness.server.url, credentials=credentials)
    monkeypatch.setenv("CAMUNDA_TOKEN", "stale")
    with pytest.raises(EngineFault, match="The credentials are unknown") as caught:
        await engine.versions()
    assert caught.value.kind is EngineFaultKind.UNAUTHORISED
    monkeypatch.setenv("CAMUNDA_TOKEN", "right")
    assert (await engine.versions()).items == ()
    await engine.close()


async def test_tokens_of_one_instance_on_two_pages_are_listed_once(harness: Camunda8Harness) -> None:
    version = await harness.deploy("votes", multi_instance("votes", "vote"))
    started = await harness.start(version, 4)
    # Each instance has six rows, and a page has three.
    assert await waiting_in(harness.engine, version, "vote") == list(started)
    assert harness.server.asked.count("POST /element-instances/search") == 9


async def test_ids_that_are_no_keys_are_not_sent(harness: Camunda8Harness) -> None:
    plan, _ = await a_move(harness)
    no_keys = [EngineInstanceId(text) for text in ("", "0", "-7", "007", "1e3", "٣", str(2**63))]
    assert await harness.engine.locate(no_keys) == dict.fromkeys(no_keys)
    for text in no_keys:
        refusal = await move(harness, plan, text)
        assert refusal is not None
        assert refusal.code is ReasonCode.INSTANCE_NOT_FOUND
    assert harness.server.asked == []
    largest = EngineInstanceId(str(2**63 - 1))
    assert await harness.engine.locate([largest]) == {largest: None}
    assert harness.server.asked == ["POST /process-instances/search"]


async def test_searches_follow_what_was_moved_later(harness: Camunda8Harness) -> None:
    plan, instance = await a_move(harness)
    harness.server.cluster.is_held_back = True
    assert await move(harness, plan, instance) is None
    assert await harness.engine.locate([instance]) == {instance: plan.source}
    assert await instances_in(harness.engine, plan.target) == []
    harness.server.cluster.export()
    assert await harness.engine.locate([instance]) == {instance: plan.target}
    assert harness.engine.traits.settles_after.total_seconds() > 0


async def test_an_instance_that_is_busy_is_sent_again(harness: Camunda8Harness) -> None:
    plan, instance = await a_move(harness)
    harness.server.upcoming.extend([BUSY] * (ATTEMPTS - 1))
    assert await move(harness, plan, instance) is None
    harness.server.upcoming.extend([BUSY] * ATTEMPTS)
    refusal = await move(harness, plan, instance)
    assert refusal is not None
    assert refusal.code is ReasonCode.MOVED_ON
    assert harness.server.asked.count(MIGRATION) == 2 * ATTEMPTS


async def test_an_error_that_names_no_reason_leads_to_a_look_up(harness: Camunda8Harness) -> None:
    plan, instance = await a_move(harness)
    third = await harness.deploy("order", tasks("order", "approve"))
    [elsewhere] = await harness.start(third)
    [ended] = await harness.start(plan.source)
    await harness.cancel(ended)
    codes = []
    for key in (instance, elsewhere, ended):
        harness.server.upcoming.append(problem(409, "INVALID_STATE", "A reason of a later version."))
        refusal = await move(harness, plan, key)
        assert refusal is not None
        codes.append(refusal.code)
    assert codes == [ReasonCode.ENGINE_REFUSED, ReasonCode.MOVED_ON, ReasonCode.INSTANCE_NOT_FOUND]


async def test_an_instance_on_a_version_without_the_element_has_moved_on(harness: Camunda8Harness) -> None:
    plan, _ = await a_move(harness)
    third = await harness.deploy("order", tasks("order", "approve"))
    [instance] = await harness.start(third)
    refusal = await move(harness, plan, instance)
    assert refusal is not None
    assert refusal.code is ReasonCode.MOVED_ON
    assert "non-existing source element" in refusal.message


async def test_a_join_that_tokens_wait_for_is_refused(harness: Camunda8Harness) -> None:
    source, target = [await harness.deploy("both", parallel("both", "west", "east")) for _ in range(2)]
    [instance] = await harness.start(source)
    await harness.complete(instance, ElementId("west"))
    refusal = await move(harness, a_plan(source, target, east="east"), instance)
    assert refusal is not None
    assert refusal.code is ReasonCode.ENGINE_REFUSED


async def test_a_target_that_the_engine_does_not_have_is_refused(harness: Camunda8Harness) -> None:
    plan, instance = await a_move(harness)
    refusal = await move(harness, replace(plan, target=EngineVersionId("17")), instance)
    assert refusal is not None
    assert refusal.code is ReasonCode.ENGINE_REFUSED
    assert "no process definition found" in refusal.message


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(503, "RESOURCE_EXHAUSTED", "Reached backpressure limit."), EngineFaultKind.OVERLOADED),
        (problem(500, "INTERNAL_ERROR", "It failed."), EngineFaultKind.FAILED),
        (problem(404, "Not Found", "No static resource."), EngineFaultKind.FAILED),
        (problem(504, "DEADLINE_EXCEEDED", "Too late."), EngineFaultKind.UNREACHABLE),
        (Response("<html>", 404, media_type="text/html"), EngineFaultKind.NOT_THIS_ENGINE),
        (Response("{}", 200, media_type="application/json"), EngineFaultKind.NOT_THIS_ENGINE),
    ],
    ids=["backpressure", "error", "unknown path", "too late", "page of a proxy", "success of another server"],
)
async def test_an_answer_that_says_nothing_of_the_instance_is_a_fault(
    harness: Camunda8Harness, answer: Response, kind: EngineFaultKind
) -> None:
    plan, instance = await a_move(harness)
    harness.server.upcoming.append(answer)
    assert (await fault_of(harness, plan, instance)).kind is kind
    assert await harness.engine.locate([instance]) == {instance: plan.source}


@pytest.mark.parametrize(
    "answer",
    [
        in_json([]),
        in_json({"items": []}),
        in_json({"items": {}, "page": {}}),
        in_json({"items": [7], "page": {"totalItems": 1}}),
        in_json({"items": [{"processInstanceKey": 7, "processDefinitionKey": "1"}], "page": {}}),
        in_json({"items": [{"processInstanceKey": "x", "processDefinitionKey": "1"}], "page": {}}),
        in_json({"items": [{"processInstanceKey": "7", "processDefinitionKey": "2"}], "page": {}}),
        in_json({"items": [{"processInstanceKey": "7", "processDefinitionKey": "1"}] * 3, "page": {}}),
        reply("<html>", content_type="text/html"),
    ],
)
async def test_a_list_of_another_form_is_not_of_this_engine(answer: bytes) -> None:
    async with served(answer) as server:
        engine = Camunda8Engine(server.url, page_size=3)
        with pytest.raises(EngineFault) as caught:
            await engine.instances(EngineVersionId("1"))
        await engine.close()
    assert caught.value.kind is EngineFaultKind.NOT_THIS_ENGINE


async def test_a_version_without_a_model_is_a_fault() -> None:
    async with served(reply(status=204)) as server:
        engine = Camunda8Engine(server.url)
        with pytest.raises(EngineFault, match="it is no model"):
            await engine.model(EngineVersionId("1"))
        await engine.close()


async def test_a_request_or_reply_that_does_not_fit_the_published_shapes_is_found() -> None:
    wrong: list[dict[str, object]] = [
        {"filter": {"state": "RUNNING"}},
        {"page": {"limit": 10_001}},
        {"sorting": []},
    ]
    for request in wrong:
        assert len(misfits(REQUESTS["/process-instances/search"], request)) == 1
    without_total: dict[str, object] = {"items": [], "page": {}}
    assert misfits(REPLIES["/process-instances/search"], without_total) == [
        "'totalItems' is a required property"
    ]
