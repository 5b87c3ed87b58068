"""The demo creates the instances that it describes, and the same ones for the same seed."""

from collections import Counter
from collections.abc import Sequence

import pytest

from uplift.domain import Instance, Status
from uplift.domain.bpmn import read_model
from uplift.domain.compatibility import breaking_positions, compare
from uplift.domain.compatibility.wait_states import is_position_element
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import AllActive
from uplift.domain.use_cases.plan import plan_upgrade
from uplift.gateway.demo import PROCESS, STATUSES, VERSIONS, document, fill, positions
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ADMIN
from uplift.testing.stores import instances_of

pytestmark = pytest.mark.anyio


async def filled(*, instances: int = 500, seed: int = 1) -> InMemoryStore:
    store = InMemoryStore()
    await fill(store, instances=instances, seed=seed, caller=ADMIN)
    return store


async def drawn(**how: int) -> Sequence[Instance]:
    return await instances_of(await filled(**how), PROCESS)


async def test_the_same_seed_gives_the_same_instances() -> None:
    first = await drawn(seed=7)
    assert first == await drawn(seed=7)
    assert first != await drawn(seed=8)
    assert len({instance.id for instance in first}) == 500


async def test_fewer_instances_are_the_first_of_more() -> None:
    assert await drawn(instances=100) == (await drawn(instances=500))[:100]


async def test_a_seed_gives_these_instances_on_every_machine() -> None:
    (first,) = await drawn(instances=1, seed=1)
    assert (str(first.id), first.version, first.status) == (
        "303e61cd-c4bb-46c3-91c4-27103c344c41",
        2,
        Status.RUNNING,
    )


@pytest.mark.parametrize("number", range(1, VERSIONS + 1))
def test_every_document_can_be_read(number: int) -> None:
    assert read_model(document(number), process_id=PROCESS.code).id


@pytest.mark.parametrize("number", range(1, VERSIONS + 1))
def test_every_position_is_one_where_an_instance_of_its_version_can_wait(number: int) -> None:
    model = read_model(document(number), process_id=PROCESS.code)
    for position in positions(number):
        assert position
        for element in position:
            assert element in model.elements, (number, element)
            assert is_position_element(model.elements[element], model), (number, element)
    assert len(set(positions(number))) == len(positions(number))


async def test_instances_are_spread_over_versions_statuses_and_positions() -> None:
    population = await drawn(instances=5_000)
    assert set(Counter(instance.version for instance in population)) == set(range(1, VERSIONS + 1))
    partitions = Counter(instance.status for instance in population)
    assert {status: round(100 * partitions[status] / 5_000) for status in Status} == pytest.approx(
        STATUSES, abs=2
    )
    seen = {
        (instance.version, instance.position) for instance in population if instance.status is Status.PENDING
    }
    assert seen == {(number, position) for number in range(1, VERSIONS + 1) for position in positions(number)}


async def test_its_plan_shows_upgrades_and_skips_for_each_kind_of_change() -> None:
    plan = await plan_upgrade(
        await filled(instances=2_000), UpgradeRequest(process=PROCESS, selection=AllActive())
    )
    assert plan.target_version == VERSIONS
    assert set(plan.counts_by_reason) == {"NOT_PENDING", "ALREADY_LATEST", "INCOMPATIBLE"}
    assert 0 < plan.upgraded < plan.total
    codes = {
        finding.code.value
        for counted in plan.decisions
        for reason in counted.decision.reasons
        for finding in reason.findings
    }
    assert codes == {"ELEMENT_MISSING", "SCOPE_CHANGED", "TYPE_CHANGED"}


def test_a_mapping_instruction_helps_where_an_element_was_renamed() -> None:
    old, new = (read_model(document(number), process_id=PROCESS.code) for number in (3, VERSIONS))
    assert "Task_PrepareContract" in breaking_positions(compare(old, new))
    helped = compare(old, new, instructions={"Task_PrepareContract": "Task_DraftContract"})
    assert "Task_PrepareContract" not in breaking_positions(helped)
