"""An engine registers and reports instances; an invalid request is refused as a whole."""

import pytest

from uplift.domain import Instance, Status, register_instances, report_instances
from uplift.domain.errors import ErrorCode
from uplift.domain.model.instance import ElementId
from uplift.domain.ports import Store
from uplift.domain.use_cases.instances import MAX_BATCH, MAX_POSITIONS
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    ORDERS,
    READER,
    UNKNOWN_PROCESS,
    a_process,
    a_report,
    an_id,
    an_instance,
    at,
    instances,
)
from uplift.testing.refusals import refused
from uplift.testing.stores import everything_in, instances_of

pytestmark = pytest.mark.anyio

POSITION_FAULTS = [
    (at(""), "name elements by 1 to 500 printable characters, but it names ''"),
    (at("a\nb"), r"name elements by 1 to 500 printable characters, but it names 'a\nb'"),
    (at("\0"), r"name elements by 1 to 500 printable characters, but it names '\x00'"),
    (at("\ud800"), r"name elements by 1 to 500 printable characters, but it names '\ud800'"),
    (at("e" * 501), f"name elements by 1 to 500 printable characters, but it names '{'e' * 100}'"),
    (frozenset(ElementId(f"e{n}") for n in range(201)), "name at most 200 elements, but it names 201"),
    (
        frozenset(ElementId(f"{n:0>101}") for n in range(100)),
        "name elements by at most 10,000 characters in all, but their ids have 10,100",
    ),
]
FAULTS = pytest.mark.parametrize(
    ("position", "fault"),
    POSITION_FAULTS,
    ids=["empty", "line", "nul", "surrogate", "long", "many", "together"],
)


async def register(store: Store, *new: Instance) -> int:
    return await register_instances(store, process=ORDERS, instances=new, caller=ADMIN)


async def test_instances_are_registered_and_counted(store: Store) -> None:
    await a_process(store)
    new = [
        an_instance(1, position=at()),
        an_instance(2, version=2, status=Status.FAILED, position=at("e" * 500)),
    ]
    assert await register(store, *new) == 2
    assert await instances_of(store, ORDERS) == new
    assert await register(store) == 0


async def test_a_registration_may_be_repeated_and_changes_no_version(store: Store) -> None:
    await a_process(store, holding=[an_instance(1, version=2)])
    assert await register(store, an_instance(1, version=1, status=Status.RUNNING, position=at("x"))) == 1
    assert await instances_of(store, ORDERS) == [
        an_instance(1, version=2, status=Status.RUNNING, position=at("x"))
    ]


@pytest.mark.parametrize("version", [0, -1, 3, 4, 2**70])
async def test_an_instance_of_a_version_that_is_not_published_is_refused(store: Store, version: int) -> None:
    await a_process(store, draft=True)
    message = (
        f"Expected instances[1].version to be a published version of process 'crm/orders', but got {version}."
    )
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("instances", "1", "version")):
        await register(store, an_instance(1), an_instance(2, version=version))


async def test_an_instance_of_another_process_is_refused(store: Store) -> None:
    await a_process(store, INVOICES, holding=[an_instance(2, process=INVOICES)])
    await a_process(store)
    message = (
        f"Expected instances[1].id to be new or of process 'crm/orders', "
        f"but {an_id(2)} belongs to another process."
    )
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("instances", "1", "id")):
        await register(store, an_instance(1), an_instance(2))


async def test_an_instance_that_names_another_process_is_refused(store: Store) -> None:
    await a_process(store, INVOICES)
    await a_process(store)
    message = "Expected to register instances of process 'crm/orders', but instances[1] is of 'crm/invoices'."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("instances", "1", "process")):
        await register(store, an_instance(1), an_instance(2, process=INVOICES))


@FAULTS
async def test_a_registration_with_a_position_that_cannot_be_is_refused(
    store: Store, position: frozenset[ElementId], fault: str
) -> None:
    await a_process(store)
    message = f"Expected instances[1].position to {fault}."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("instances", "1", "position")):
        await register(store, an_instance(1), an_instance(2, position=position))


@FAULTS
async def test_a_report_with_a_position_that_cannot_be_is_refused(
    store: Store, position: frozenset[ElementId], fault: str
) -> None:
    await a_process(store, holding=instances([1, 2]))
    reports = [a_report(1, status=Status.FAILED), a_report(2, position=position)]
    message = f"Expected instances[1].position to {fault}."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("instances", "1", "position")):
        await report_instances(store, reports=reports, caller=ADMIN)


async def test_refuses_an_instance_that_occurs_twice(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    message = f"Expected each instance once, but {an_id(1)} occurs twice."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("instances",)):
        await register(store, an_instance(2), an_instance(1), an_instance(1, status=Status.FAILED))
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("instances",)):
        await report_instances(store, reports=[a_report(1), a_report(1, status=Status.FAILED)], caller=ADMIN)


async def test_more_instances_than_a_request_may_carry_are_refused(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    message = "Expected at most 100,000 instances in one request, but got 100,001."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("instances",)):
        await register(store, *([an_instance(1)] * (MAX_BATCH + 1)))
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("instances",)):
        await report_instances(store, reports=[a_report(1)] * (MAX_BATCH + 1), caller=ADMIN)


async def test_more_positions_than_a_request_may_name_are_refused(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    positions = [frozenset({ElementId(f"task-{number}")}) for number in range(MAX_POSITIONS + 1)]
    message = (
        "Expected at most 10,000 different positions in one request, but instances[10000].position is one "
        "more. Send the instances in several requests."
    )
    field = ("instances", "10000", "position")
    many = [an_instance(number, position=position) for number, position in enumerate(positions)]
    async with refused(store, ErrorCode.INVALID_INPUT, message, field):
        await register(store, *many)
    reports = [a_report(number, position=position) for number, position in enumerate(positions)]
    async with refused(store, ErrorCode.INVALID_INPUT, message, field):
        await report_instances(store, reports=reports, caller=ADMIN)


async def test_as_many_instances_as_a_request_may_carry_are_taken(store: Store) -> None:
    await a_process(store)
    few = instances(range(2))
    assert await register_instances(store, process=ORDERS, instances=few, caller=ADMIN, limit=2) == 2
    reports = [a_report(instance, status=Status.RUNNING) for instance in few]
    assert await report_instances(store, reports=reports, caller=ADMIN, limit=2) == [ORDERS]
    message = "Expected at most 1 instances in one request, but got 2."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("instances",)):
        await report_instances(store, reports=reports, caller=ADMIN, limit=1)


async def test_instances_of_an_unknown_process_are_refused(store: Store) -> None:
    message = "Expected to find process 'crm/nothing_like_it', but there is none."
    async with refused(store, ErrorCode.PROCESS_NOT_FOUND, message):
        await register_instances(store, process=UNKNOWN_PROCESS, instances=[], caller=ADMIN)


async def test_reports_of_several_processes_are_taken_over(store: Store) -> None:
    await a_process(store, INVOICES, holding=[an_instance(2, process=INVOICES)])
    await a_process(store, holding=instances([1, 3], version=2))
    reports = [
        a_report(3, status=Status.RUNNING, position=at("x")),
        a_report(2, status=Status.COMPLETED, position=at()),
    ]
    assert await report_instances(store, reports=reports, caller=ADMIN) == [INVOICES, ORDERS]
    assert await instances_of(store, ORDERS) == [
        an_instance(1, version=2),
        an_instance(3, version=2, status=Status.RUNNING, position=at("x")),
    ]
    assert await instances_of(store, INVOICES) == [
        an_instance(2, process=INVOICES, status=Status.COMPLETED, position=at())
    ]


async def test_a_report_of_nothing_changes_nothing(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    before = await everything_in(store)
    assert await report_instances(store, reports=[], caller=ADMIN) == []
    assert await everything_in(store) == before


async def test_a_report_with_an_unknown_instance_is_refused_whole(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    message = f"Expected to report known instances, but instances[1].id {an_id(9)} is unknown."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("instances", "1", "id")):
        await report_instances(store, reports=[a_report(1, status=Status.FAILED), a_report(9)], caller=ADMIN)


async def test_a_reader_registers_and_reports_nothing(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    async with refused(store, ErrorCode.FORBIDDEN):
        await register_instances(store, process=ORDERS, instances=[an_instance(2)], caller=READER)
    async with refused(store, ErrorCode.FORBIDDEN):
        await report_instances(store, reports=[a_report(1, status=Status.FAILED)], caller=READER)
