"""Any two versions of a process are compared, or one with the latest published version."""

import pytest

from tests.support.bpmn_builder import ProcessBuilder
from tests.support.bpmn_builder import a_process as a_document
from tests.support.process_shapes import chain
from uplift.domain import VersionNumber, save_draft
from uplift.domain.compatibility import Code, MigratedPosition, Severity
from uplift.domain.errors import ErrorCode
from uplift.domain.model.instance import ElementId
from uplift.domain.ports import Store
from uplift.domain.rules.migration_path import MigrationPath
from uplift.domain.use_cases.compare import ComparedVersions, compare_versions, find_mapping_targets
from uplift.testing.builders import (
    ADMIN,
    ORDERS,
    UNKNOWN_PROCESS,
    a_clock,
    a_modelled_process,
    a_process,
    an_instruction,
)
from uplift.testing.refusals import refused

pytestmark = pytest.mark.anyio

APPROVE, APPROVE_AND_PAY, PAY = chain("approve"), chain("approve", "pay"), chain("pay")


async def compared(store: Store, from_version: int, to_version: int | None = None) -> ComparedVersions | None:
    to = None if to_version is None else VersionNumber(to_version)
    return await compare_versions(
        store, process=ORDERS, from_version=VersionNumber(from_version), to_version=to
    )


async def draft(store: Store, model: ProcessBuilder) -> None:
    await save_draft(store, process=ORDERS, model=model.xml(), caller=ADMIN, clock=a_clock())


async def test_a_version_is_compared_with_the_latest_published_one(store: Store) -> None:
    await a_modelled_process(store, APPROVE_AND_PAY.xml(), PAY.xml(), APPROVE.xml())
    await draft(store, PAY)
    found = await compared(store, 1)
    assert found is not None
    assert (found.target, dict(found.mapping)) == (3, {"approve": "approve"})
    assert [(finding.code, finding.source) for finding in found.errors] == [(Code.ELEMENT_MISSING, "pay")]
    assert found.warnings == ()


async def test_of_several_processes_in_a_document_the_one_of_the_code_is_compared(store: Store) -> None:
    def beside_another(model: ProcessBuilder) -> bytes:
        return model.xml().replace(b"</bpmn:definitions>", b'<bpmn:process id="other" /></bpmn:definitions>')

    ours = [a_document("orders").user_task(task) for task in ("approve", "pay")]
    await a_modelled_process(store, *map(beside_another, ours))
    found = await compared(store, 1)
    assert found is not None
    assert [(finding.code, finding.source) for finding in found.errors] == [(Code.ELEMENT_MISSING, "approve")]


async def test_any_two_versions_are_compared_either_way_and_drafts_too(store: Store) -> None:
    await a_modelled_process(store, APPROVE.xml(), PAY.xml())
    await draft(store, APPROVE_AND_PAY)
    forwards, backwards = await compared(store, 1, 3), await compared(store, 3, 1)
    assert forwards is not None
    assert backwards is not None
    assert (forwards.target, forwards.errors) == (3, ())
    assert backwards.target == 1
    assert [(finding.code, finding.source) for finding in backwards.errors] == [(Code.ELEMENT_MISSING, "pay")]


@pytest.mark.parametrize("documents", [[None, PAY], [PAY, None]], ids=["source", "target"])
async def test_a_version_without_a_model_is_named(
    store: Store, documents: list[ProcessBuilder | None]
) -> None:
    await a_modelled_process(store, *(None if document is None else document.xml() for document in documents))
    found = await compared(store, 1)
    assert found is not None
    without = documents.index(None) + 1
    assert (found.differences, found.without_model) == (None, without)
    assert (found.mapping, found.errors) == ({}, ())
    [warning] = found.warnings
    assert warning.code is Code.NO_MODEL
    assert warning.message.startswith(f"Version {without} has no BPMN model")


async def test_there_is_no_comparison_with_a_version_that_does_not_exist(store: Store) -> None:
    await a_process(store, published=2)
    assert await compared(store, 1, 2) is not None
    assert await compared(store, 1, 3) is None
    assert await compared(store, 3, 1) is None
    assert await compared(store, 3) is None


async def test_there_is_no_comparison_with_the_latest_version_before_one_is_published(store: Store) -> None:
    await a_process(store, published=0, draft=True)
    assert await compared(store, 1) is None
    assert await compared(store, 1, 1) is not None


async def test_an_unknown_process_is_refused(store: Store) -> None:
    message = "Expected to find process 'crm/nothing_like_it', but there is none."
    async with refused(store, ErrorCode.PROCESS_NOT_FOUND, message):
        await compare_versions(store, process=UNKNOWN_PROCESS, from_version=VersionNumber(1))


def test_the_latest_version_has_no_mapping_and_every_position_stays() -> None:
    path, position = MigrationPath(target=VersionNumber(2)), frozenset([ElementId("a")])
    assert (path.mapping, path.migrate(position)) == ({}, MigratedPosition(position=position))


async def test_each_instruction_has_what_it_breaks(store: Store) -> None:
    await a_modelled_process(store, APPROVE_AND_PAY.xml(), PAY.xml())
    instructions = [
        an_instruction("approve", "pay"),
        an_instruction("pay", "nowhere"),
        an_instruction("x", "pay"),
    ]
    found = await compare_versions(
        store, process=ORDERS, from_version=VersionNumber(1), instructions=instructions
    )
    assert found is not None
    assert found.mapping == {"approve": "pay"}
    assert [checked.instruction for checked in found.instructions] == instructions
    assert [
        [finding.code for finding in checked.findings if finding.severity is Severity.ERROR]
        for checked in found.instructions
    ] == [[], [Code.ELEMENT_MISSING], [Code.ELEMENT_MISSING]]


async def test_two_instructions_for_one_element_are_refused(store: Store) -> None:
    await a_modelled_process(store, APPROVE_AND_PAY.xml(), PAY.xml())
    instructions = [an_instruction("approve", "pay"), an_instruction("approve", "approve")]
    message = "Expected to map each element once, but the instructions for version 1 map 'approve' twice."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("instructions", "1", "source")):
        await compare_versions(
            store, process=ORDERS, from_version=VersionNumber(1), instructions=instructions
        )


@pytest.mark.parametrize(
    ("source", "to_version", "targets"),
    [("approve", 2, ["pay"]), ("nothing", 2, None), ("approve", 3, None), ("approve", 9, None)],
)
async def test_the_targets_of_an_element_are_those_of_the_other_version(
    store: Store, source: str, to_version: int, targets: list[str] | None
) -> None:
    await a_modelled_process(store, APPROVE.xml(), PAY.xml(), None)
    found = await find_mapping_targets(
        store,
        process=ORDERS,
        from_version=VersionNumber(1),
        to_version=VersionNumber(to_version),
        source=ElementId(source),
    )
    assert (None if found is None else [candidate.element.id for candidate in found]) == targets
