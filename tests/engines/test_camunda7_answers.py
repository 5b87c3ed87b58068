"""What the adapter to Camunda 7 makes of answers that a real engine gives seldom, or never."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.engines.scripted_server import Answer, Received, error, in_json, reply, served
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import (
    EngineFault,
    EngineFaultKind,
    EngineInstanceId,
    EngineVersionId,
    ProcessEngine,
)
from uplift.engines.camunda7 import Camunda7Engine
from uplift.testing.engine.harness import a_plan, all_pages
from uplift.testing.engine.moving import move

pytestmark = pytest.mark.anyio

SOURCE, TARGET = EngineVersionId("order:1:a"), EngineVersionId("order:2:b")
PLAN = a_plan(SOURCE, TARGET, check="check")
IDS = [EngineInstanceId(f"i{number:03}") for number in range(100)]
CONFLICT = (
    "ENGINE-03005 Execution of 'UPDATE ExecutionEntity' failed. Entity was updated by another transaction."
)


@dataclass(kw_only=True)
class ScriptedEngine:
    """An engine that moves all instances of a request or none, and names the last one that it refuses."""

    refused: dict[EngineInstanceId, bytes] = field(default_factory=dict)
    located: bytes | None = None
    versions: dict[str, str] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    sizes: list[int] = field(default_factory=list)

    async def answer(self, request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(self._move(request) if request.path.endswith("/execute") else self._locate(request))

    def _move(self, request: Received) -> bytes:
        ids = request.json["processInstanceIds"]
        self.sizes.append(len(ids))
        culprits = [instance_id for instance_id in ids if instance_id in self.refused]
        if culprits:
            return self.refused[culprits[-1]]
        self.moved |= {*ids}
        return b"HTTP/1.1 204 No Content\r\n\r\n"

    def _locate(self, request: Received) -> bytes:
        ids = request.json["processInstanceIds"]
        rows = [{"id": each, "definitionId": self.versions.get(each, SOURCE)} for each in ids]
        return self.located or in_json([row for row in rows if row["definitionId"]])


@asynccontextmanager
async def adapter(engine: ScriptedEngine | Answer | bytes) -> AsyncIterator[ProcessEngine]:
    """The adapter to a scripted engine, or to a server."""
    async with served(engine.answer if isinstance(engine, ScriptedEngine) else engine) as server:
        camunda = Camunda7Engine(server.url)
        try:
            yield camunda
        finally:
            await camunda.close()


def gone(instance_id: str) -> bytes:
    return error(f"ENGINE-23003 Process instance '{instance_id}' cannot be migrated. It does not exist")


@pytest.mark.parametrize(("count", "most"), [(0, 1), (1, 2), (10, 11), (30, 70), (100, 130)])
async def test_those_that_are_named_are_taken_out_and_the_others_move(count: int, most: int) -> None:
    refused = IDS[::-1][:count] if count < 100 else IDS
    engine = ScriptedEngine(refused={each: gone(each) for each in refused})
    async with adapter(engine) as camunda:
        answers = await move(camunda, PLAN, IDS)
    assert answers == {**dict.fromkeys(IDS), **dict.fromkeys(refused, ReasonCode.INSTANCE_NOT_FOUND)}
    assert engine.moved == {*IDS} - {*refused}
    assert len(engine.sizes) <= most
    assert sum(engine.sizes) <= 100 + 100 * min(count, 11) + 25 * count


async def test_an_instance_that_is_sent_twice_is_in_a_request_once() -> None:
    engine = ScriptedEngine()
    async with adapter(engine) as camunda:
        assert await camunda.move(PLAN, [IDS[0], IDS[0], IDS[1]]) == {IDS[0]: None, IDS[1]: None}
    assert engine.sizes == [2]


async def test_an_instance_that_alone_makes_the_engine_fail_is_refused_and_the_others_move() -> None:
    poison = IDS[41]
    engine = ScriptedEngine(refused={poison: error(CONFLICT, kind="OptimisticLockingException")})
    async with adapter(engine) as camunda:
        answers = await camunda.move(PLAN, IDS)
    refusal = answers[poison]
    assert refusal is not None
    assert refusal.code is ReasonCode.ENGINE_REFUSED
    assert CONFLICT in refusal.message
    assert engine.moved == {*IDS} - {poison}
    assert len(engine.sizes) < 20


async def test_an_instance_with_a_conflict_that_passes_moves() -> None:
    engine = ScriptedEngine(refused={IDS[0]: error(CONFLICT)})

    async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
        await engine.answer(request, writer)
        if len(engine.sizes) == 2:
            engine.refused.clear()

    async with adapter(answer) as camunda:
        assert await camunda.move(PLAN, IDS[:1]) == {IDS[0]: None}


async def test_what_is_elsewhere_when_the_engine_fails_is_not_sent_again() -> None:
    failing = {each: error("boom") for each in IDS[:4]}
    engine = ScriptedEngine(refused=failing, versions={IDS[0]: "", IDS[1]: "order:3:c", IDS[3]: TARGET})
    async with adapter(engine) as camunda:
        assert await move(camunda, PLAN, IDS[:5]) == {
            IDS[0]: ReasonCode.INSTANCE_NOT_FOUND,
            IDS[1]: ReasonCode.MOVED_ON,
            IDS[2]: ReasonCode.ENGINE_REFUSED,
            IDS[3]: None,
            IDS[4]: None,
        }


async def test_an_engine_that_fails_for_every_instance_is_a_fault_after_a_few() -> None:
    engine = ScriptedEngine(refused={each: error("the disk is full") for each in IDS})
    async with adapter(engine) as camunda:
        with pytest.raises(EngineFault, match="the disk is full") as caught:
            await camunda.move(PLAN, IDS)
    assert caught.value.kind is EngineFaultKind.FAILED
    assert len(engine.sizes) < 25


async def test_an_engine_that_cannot_say_where_instances_are_is_a_fault_at_once() -> None:
    engine = ScriptedEngine(refused={IDS[0]: error("no database")}, located=error("no database"))
    async with adapter(engine) as camunda:
        with pytest.raises(EngineFault, match="no database") as caught:
            await camunda.move(PLAN, IDS)
    assert caught.value.kind is EngineFaultKind.FAILED
    assert engine.sizes == [100]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply("<html>welcome</html>", 200, "text/html"), EngineFaultKind.NOT_THIS_ENGINE),
        (in_json({}), EngineFaultKind.NOT_THIS_ENGINE),
        (error("HTTP 404 Not Found", 404, "NotFoundException"), EngineFaultKind.NOT_THIS_ENGINE),
        (error("Cannot read", 400, "InvalidRequestException"), EngineFaultKind.NOT_THIS_ENGINE),
        (
            error("ENGINE-23004 …", 400, validationReport={"processInstanceId": "another"}),
            EngineFaultKind.NOT_THIS_ENGINE,
        ),
        (in_json([], 500), EngineFaultKind.NOT_THIS_ENGINE),
        (reply("<html>500</html>", 500, "text/html"), EngineFaultKind.NOT_THIS_ENGINE),
        (error("no right", 403, "AuthorizationException"), EngineFaultKind.UNAUTHORISED),
        (reply("", 503), EngineFaultKind.OVERLOADED),
    ],
    ids=["page", "JSON", "404", "400", "another", "list", "page 500", "403", "503"],
)
async def test_what_is_no_answer_to_a_move_refuses_no_instance(answer: bytes, kind: EngineFaultKind) -> None:
    async with adapter(answer) as camunda:
        with pytest.raises(EngineFault) as caught:
            await camunda.move(PLAN, IDS)
    assert caught.value.kind is kind


@pytest.mark.parametrize(
    "answer",
    [
        gone("another"),
        error("ENGINE-23004 …", 500, validationReport={"processInstanceId": "another"}),
        error("ENGINE-23004 …", 500, validationReport=["odd"]),
    ],
)
async def test_an_answer_that_names_another_instance_is_no_explanation(answer: bytes) -> None:
    async with adapter(ScriptedEngine(refused={IDS[0]: answer})) as camunda:
        answers = await move(camunda, PLAN, IDS[:4])
    assert answers == {**dict.fromkeys(IDS[:4]), IDS[0]: ReasonCode.ENGINE_REFUSED}


ROW = {"id": "i", "definitionId": SOURCE}
DEFINITION = {"id": SOURCE, "key": "order", "version": 1, "tenantId": None}


@pytest.mark.parametrize(
    ("ask", "good", "bad"),
    [
        (lambda engine: engine.versions(), [DEFINITION], [{**DEFINITION, "version": "1"}]),
        (lambda engine: engine.versions(), [DEFINITION], [{**DEFINITION, "version": 0}]),
        (lambda engine: engine.versions(), [DEFINITION], [{**DEFINITION, "version": True}]),
        (lambda engine: engine.versions(), [DEFINITION], [{**DEFINITION, "key": None}]),
        (lambda engine: engine.versions(), [DEFINITION], {"data": [DEFINITION], "total": 1}),
        (lambda engine: engine.model(SOURCE), {"bpmn20Xml": "<a/>"}, {"bpmn20Xml": None}),
        (lambda engine: engine.instances(SOURCE), [ROW], [{**ROW, "definitionId": TARGET}]),
        (lambda engine: engine.instances(SOURCE), [ROW], [{**ROW, "id": 17}]),
        (lambda engine: engine.instances(SOURCE), [ROW], [{**ROW, "id": "\ud800"}]),
        (lambda engine: engine.instances(SOURCE), [ROW], [{**ROW, "id": "i\x00"}]),
        (lambda engine: engine.waiting(SOURCE, ElementId("check")), [ROW], ["i"]),
        (lambda engine: engine.locate(IDS[:1]), [ROW], [{**ROW, "definitionId": None}]),
        (lambda engine: engine.objections(PLAN), {"instructionReports": []}, {}),
        (
            lambda engine: engine.objections(PLAN),
            {"instructionReports": [{"instruction": {"sourceActivityIds": ["a"]}, "failures": ["b"]}]},
            {"instructionReports": [{"instruction": {"sourceActivityIds": []}, "failures": ["b"]}]},
        ),
    ],
)
async def test_what_has_not_the_form_of_an_answer_does_not_come_from_the_engine(
    ask: Callable[[ProcessEngine], Any], good: object, bad: object
) -> None:
    async with adapter(in_json(good)) as camunda:
        await ask(camunda)
    async with adapter(in_json(bad)) as camunda:
        with pytest.raises(EngineFault) as caught:
            await ask(camunda)
    assert caught.value.kind is EngineFaultKind.NOT_THIS_ENGINE


async def test_versions_of_other_tenants_are_not_listed() -> None:
    tenants = [None, "a", "b", "a,b"]
    rows = [{**DEFINITION, "id": str(tenant), "tenantId": tenant} for tenant in tenants]
    async with served(in_json(rows)) as server:
        for tenant in tenants:
            engine = Camunda7Engine(server.url, tenant=tenant)
            versions, _ = await all_pages(engine.versions)
            assert [(version.id, version.tenant) for version in versions] == [(str(tenant), tenant)]
            await engine.close()
    queries = Counter(
        request.path.partition("sortBy=id&")[2].partition("&")[0] for request in server.received
    )
    assert queries == {"withoutTenantId=true": 1, "tenantIdIn=a": 1, "tenantIdIn=b": 1, "tenantIdIn=a%2Cb": 1}


@pytest.mark.parametrize(
    ("version", "definitions", "telemetry", "found"),
    [
        ({"version": "7.24"}, [], {"product": {"name": "Camunda BPM Runtime"}}, "Camunda BPM Runtime 7.24"),
        ({"version": "7.24"}, [], [1], EngineFaultKind.NOT_THIS_ENGINE),
        ({"version": "7.24"}, [DEFINITION], {"product": None}, "Camunda 7 7.24"),
        ({"name": "Flowable"}, [], {}, EngineFaultKind.NOT_THIS_ENGINE),
        ({"version": "7.24"}, {"data": []}, {}, EngineFaultKind.NOT_THIS_ENGINE),
    ],
)
async def test_the_product_is_what_the_engine_says(
    version: object, definitions: object, telemetry: object, found: object
) -> None:
    async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
        answers = {"version": version, "data": telemetry}
        writer.write(in_json(answers.get(request.path.rpartition("/")[2], definitions)))

    async with adapter(answer) as camunda:
        try:
            description = await camunda.describe()
        except EngineFault as fault:
            described: object = fault.kind
        else:
            described = f"{description.product} {description.version}"
    assert described == found
