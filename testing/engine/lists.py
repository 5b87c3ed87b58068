"""Contract: what an adapter lists: versions, models, instances and where they wait."""

from datetime import timedelta

import pytest

from uplift.domain.bpmn import read_model
from uplift.domain.clock import utc_now
from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind, EngineInstanceId, EngineVersionId
from uplift.testing.engine.documents import a_document, multi_instance, parallel, subprocess, tasks
from uplift.testing.engine.harness import (
    EngineHarness,
    a_process_key,
    all_pages,
    instances_in,
    waiting_in,
)

CHECK = ElementId("check")


async def test_the_engine_describes_itself(harness: EngineHarness) -> None:
    description = await harness.engine.describe()
    assert description.product
    assert description.problems == ()
    assert description.clock is not None
    assert abs(description.clock - utc_now()) < timedelta(minutes=5)


async def test_versions_are_listed_with_their_numbers(harness: EngineHarness) -> None:
    keys = [a_process_key() for _ in range(3)]
    deployed = [
        (key, number, await harness.deploy(key, tasks(key, f"task{number}")))
        for key in keys
        for number in (1, 2)
    ]
    listed, pages = await all_pages(harness.engine.versions)
    found = [version for version in listed if version.key in keys]
    assert sorted((version.key, version.number, version.id) for version in found) == sorted(deployed)
    assert all(version.tenant is None for version in found)
    assert pages > 1, "the harness has small pages"


async def test_a_model_is_the_document_that_was_deployed(harness: EngineHarness) -> None:
    key = a_process_key()
    documents = [
        a_document(key, '<startEvent id="start"/><userTask id="check" name="Prüfen ✓"/>', name="Bestellung"),
        parallel(key, "west", "east"),
    ]
    for document in documents:
        version = await harness.deploy(key, document)
        assert read_model(await harness.engine.model(version)) == read_model(document)


async def test_the_model_of_an_unknown_version_is_a_fault(harness: EngineHarness) -> None:
    with pytest.raises(EngineFault) as caught:
        await harness.engine.model(EngineVersionId("no-such:7:version"))
    assert caught.value.kind is EngineFaultKind.FAILED
    assert caught.value.message.startswith("Expected ")


async def test_instances_are_listed_by_version_until_they_end(harness: EngineHarness) -> None:
    key = a_process_key()
    first = await harness.deploy(key, tasks(key, "check"))
    second = await harness.deploy(key, tasks(key, "check"))
    assert await instances_in(harness.engine, first) == []
    old = await harness.start(first, 8)
    new = await harness.start(second, 1)
    await harness.cancel(old[3])
    await harness.complete(old[4], CHECK)
    running = {*old} - {old[3], old[4]}
    listed, pages = await all_pages(lambda after: harness.engine.instances(first, after))
    assert sorted(listed) == sorted(running)
    assert pages > 1, "the harness has small pages"
    assert await instances_in(harness.engine, second) == list(new)


async def test_a_list_that_ends_with_a_full_page_is_whole(harness: EngineHarness) -> None:
    key = a_process_key()
    version = await harness.deploy(key, tasks(key, "check"))
    started = await harness.start(version, 6)  # a multiple of 2 and of 3, the sizes of pages
    assert sorted(await instances_in(harness.engine, version)) == sorted(started)
    assert sorted(await waiting_in(harness.engine, version, "check")) == sorted(started)


async def test_a_suspended_instance_is_listed_where_it_waits(harness: EngineHarness) -> None:
    key = a_process_key()
    version = await harness.deploy(key, tasks(key, "check"))
    [instance] = await harness.start(version)
    await harness.suspend(instance)
    assert await instances_in(harness.engine, version) == [instance]
    assert await waiting_in(harness.engine, version, "check") == [instance]


async def test_instances_are_listed_by_the_element_at_which_they_wait(harness: EngineHarness) -> None:
    key = a_process_key()
    version = await harness.deploy(key, tasks(key, "check", "approve"))
    started = await harness.start(version, 5)
    for instance in started[:2]:
        await harness.complete(instance, CHECK)
    assert sorted(await waiting_in(harness.engine, version, "check")) == sorted(started[2:])
    assert sorted(await waiting_in(harness.engine, version, "approve")) == sorted(started[:2])
    assert await waiting_in(harness.engine, version, "start") == []


async def test_an_instance_waits_at_each_of_its_tokens(harness: EngineHarness) -> None:
    key = a_process_key()
    version = await harness.deploy(key, parallel(key, "west", "east"))
    [both, one_side] = await harness.start(version, 2)
    await harness.complete(one_side, ElementId("west"))
    assert sorted(await waiting_in(harness.engine, version, "east")) == sorted([both, one_side])
    assert await waiting_in(harness.engine, version, "west") == [both]
    assert await waiting_in(harness.engine, version, "join") == ([one_side] if harness.lists_joins else [])
    assert await waiting_in(harness.engine, version, "fork") == []


async def test_an_instance_in_a_subprocess_waits_at_the_element_inside(harness: EngineHarness) -> None:
    key = a_process_key()
    version = await harness.deploy(key, subprocess(key, "pay", "enter"))
    [instance] = await harness.start(version)
    assert await waiting_in(harness.engine, version, "enter") == [instance]
    assert await waiting_in(harness.engine, version, "pay") == []


async def test_an_instance_is_listed_once_however_often_it_waits_at_an_element(
    harness: EngineHarness,
) -> None:
    key = a_process_key()
    version = await harness.deploy(key, multi_instance(key, "vote", count=5))
    started = await harness.start(version, 3)
    assert sorted(await waiting_in(harness.engine, version, "vote")) == sorted(started)
    assert sorted(await instances_in(harness.engine, version)) == sorted(started)


async def test_instances_are_located(harness: EngineHarness) -> None:
    key = a_process_key()
    first = await harness.deploy(key, tasks(key, "check"))
    second = await harness.deploy(key, tasks(key, "check"))
    old = await harness.start(first, 7)
    new = await harness.start(second, 1)
    await harness.complete(old[0], CHECK)
    await harness.cancel(old[1])
    unknown = [EngineInstanceId(text) for text in ("00000000-0000-4000-8000-000000000000", "17", "né ✓?&/")]
    assert await harness.engine.locate([*old, *new, *unknown]) == {
        **dict.fromkeys(old, first),
        old[0]: None,
        old[1]: None,
        new[0]: second,
        **dict.fromkeys(unknown, None),
    }
    assert await harness.engine.locate([]) == {}
