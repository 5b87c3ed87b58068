"""Processes are created, drafts saved and versions published, or refused."""

from datetime import UTC, datetime

import pytest

from tests.support.process_shapes import chain
from uplift.domain import (
    Process,
    Version,
    VersionModel,
    VersionNumber,
    VersionState,
    create_process,
    get_process,
    publish_version,
    save_draft,
)
from uplift.domain.errors import ErrorCode
from uplift.domain.model.process import process_key
from uplift.domain.ports import Store
from uplift.domain.use_cases.versions import (
    MAX_MODEL_BYTES,
    MAX_PROCESS_ID_LENGTH,
    MAX_TITLE_LENGTH,
    MAX_VERSION,
    adopt_version,
)
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    NOON,
    ORDERS,
    READER,
    UNKNOWN_PROCESS,
    a_clock,
    a_key,
    a_process,
)
from uplift.testing.refusals import refused

pytestmark = pytest.mark.anyio

DRAFT, PUBLISHED = VersionState.DRAFT, VersionState.PUBLISHED
MODEL = chain("approve").xml()
NOT_FOUND = "Expected to find process 'crm/nothing_like_it', but there is none."


async def versions_of(store: Store) -> list[tuple[int, VersionState]]:
    return [(version.number, version.state) for version in (await store.processes.versions([ORDERS]))[ORDERS]]


async def create(
    store: Store, namespace: str = "crm", code: str = "orders", title: str | None = None
) -> Process:
    return await create_process(
        store, namespace=namespace, code=code, title=title, caller=ADMIN, clock=a_clock()
    )


async def adopt(
    store: Store,
    number: int,
    state: VersionState = PUBLISHED,
    model: bytes | None = None,
    process_id: str | None = None,
) -> Version:
    return await adopt_version(
        store,
        process=ORDERS,
        number=VersionNumber(number),
        state=state,
        model=model,
        process_id=process_id,
        caller=ADMIN,
        clock=a_clock(),
    )


@pytest.mark.parametrize(
    ("title", "stored_title"),
    [(None, "orders"), ("", "orders"), ("Größe 'x'", "Größe 'x'"), ("t" * 200, "t" * 200)],
)
async def test_a_new_process_has_a_title_and_no_versions(
    store: Store, title: str | None, stored_title: str
) -> None:
    created = await create(store, title=title)
    assert created == Process(key=ORDERS, title=stored_title, created_at=NOON)
    assert await store.processes.find(ORDERS) == created
    assert await versions_of(store) == []


async def test_times_are_in_utc_by_default(store: Store) -> None:
    began = datetime.now(UTC)
    created = await create_process(store, namespace="crm", code="orders", title=None, caller=ADMIN)
    assert began <= created.created_at <= datetime.now(UTC)
    assert created.created_at.tzinfo is UTC


async def test_the_same_code_may_be_used_in_another_namespace(store: Store) -> None:
    await create(store)
    await create(store, namespace="hr")
    assert await store.processes.find(a_key("orders", "hr")) is not None


async def test_a_process_that_exists_is_not_created_again(store: Store) -> None:
    await create(store)
    message = "Expected to create process 'crm/orders', but it exists already."
    async with refused(store, ErrorCode.PROCESS_EXISTS, message, ("code",)):
        await create(store, title="Another")


NO_NAMES = [
    "",
    " ",
    "a b",
    "a/b",
    "/",
    ".",
    "..",
    "a\tb",
    "a\nb",
    "\0",
    "\ud800",
    "a\u00a0b",
    "\u200b",
    "n" * 201,
]


@pytest.mark.parametrize("name", NO_NAMES)
@pytest.mark.parametrize("field", ["namespace", "code"])
async def test_a_name_that_could_not_stand_in_a_path_is_refused(store: Store, field: str, name: str) -> None:
    message = (
        f"Expected {field} to be 1 to 200 printable characters without spaces and '/', but got {name!r}."
    )
    async with refused(store, ErrorCode.INVALID_INPUT, message, (field,)):
        await create(store, **{field: name})


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "...", ".a", "a..", "заявка", "订单", "%2F", "n" * 200])
def test_any_other_name_is_taken(name: str) -> None:
    assert process_key(name, name).code == name


@pytest.mark.parametrize("title", ["t" * (MAX_TITLE_LENGTH + 1), "a\nb", "\0", "\ud800"])
async def test_a_title_that_cannot_be_shown_is_refused(store: Store, title: str) -> None:
    message = (
        f"Expected title to be at most 200 printable characters, but got {title[:50]!r} "
        f"({len(title)} characters)."
    )
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("title",)):
        await create(store, title=title)


async def test_the_first_draft_is_version_one(store: Store) -> None:
    await create(store)
    saved = await save_draft(store, process=ORDERS, model=None, caller=ADMIN, clock=a_clock())
    assert saved == Version(number=VersionNumber(1), state=DRAFT, created_at=NOON)
    assert (await store.processes.versions([ORDERS]))[ORDERS] == (saved,)


async def test_a_draft_saved_again_takes_the_place_of_the_former(store: Store) -> None:
    await a_process(store, published=1, draft=True)
    saved = await save_draft(store, process=ORDERS, model=None, caller=ADMIN, clock=a_clock(EVENING))
    assert saved.created_at == EVENING
    assert await versions_of(store) == [(1, PUBLISHED), (2, DRAFT)]
    assert (await store.processes.versions([ORDERS]))[ORDERS][-1] == saved


async def test_publishing_makes_the_draft_the_upgrade_target(store: Store) -> None:
    await a_process(store, published=1, draft=True)
    published = await publish_version(store, process=ORDERS, caller=ADMIN, clock=a_clock(EVENING))
    assert published == Version(
        number=VersionNumber(2), state=PUBLISHED, created_at=NOON, published_at=EVENING
    )
    assert (await get_process(store, ORDERS)).latest_published == 2
    assert await versions_of(store) == [(1, PUBLISHED), (2, PUBLISHED)]


@pytest.mark.parametrize("published", [0, 1])
async def test_without_a_draft_there_is_nothing_to_publish(store: Store, published: int) -> None:
    await a_process(store, published=published)
    message = "Expected to publish the draft of process 'crm/orders', but it has no draft."
    async with refused(store, ErrorCode.NO_DRAFT, message):
        await publish_version(store, process=ORDERS, caller=ADMIN)


async def test_of_a_model_with_several_processes_the_one_of_the_code_counts(store: Store) -> None:
    await create(store)
    other = b'<bpmn:process id="orders" isExecutable="true"><bpmn:task id="own" /></bpmn:process>'
    model = MODEL.replace(b"</bpmn:definitions>", other + b"</bpmn:definitions>")
    assert (await save_draft(store, process=ORDERS, model=model, caller=ADMIN)).has_model
    assert (await adopt(store, 3, model=model)).has_model
    invoices = await create(store, code="invoices")
    async with refused(store, ErrorCode.INVALID_MODEL, field=("process_id",)):
        await save_draft(store, process=invoices.key, model=model, caller=ADMIN)


async def test_the_process_of_a_model_may_be_named_and_is_stored(store: Store) -> None:
    await create(store)
    other = b'<bpmn:process id="orders" isExecutable="true"><bpmn:task id="own" /></bpmn:process>'
    model = MODEL.replace(b"</bpmn:definitions>", other + b"</bpmn:definitions>")
    chosen = [
        await save_draft(store, process=ORDERS, model=model, process_id=process_id, caller=ADMIN)
        for process_id in (None, "orders", "process")
    ]
    assert [version.model_process_id for version in chosen] == ["orders", "orders", "process"]
    assert (await store.processes.versions([ORDERS]))[ORDERS] == (chosen[-1],)
    assert await store.processes.model(ORDERS, chosen[-1].number) == VersionModel(
        document=model, process_id="process"
    )
    async with refused(store, ErrorCode.INVALID_MODEL, field=("process_id",)):
        await save_draft(store, process=ORDERS, model=model, process_id="gone", caller=ADMIN)
    message = "Expected a process id only together with a BPMN document, but there is no document."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("process_id",)):
        await save_draft(store, process=ORDERS, model=None, process_id="process", caller=ADMIN)


async def test_an_adopted_version_keeps_its_process(store: Store) -> None:
    await create(store)
    other = b'<bpmn:process id="other"><bpmn:task id="own" /></bpmn:process>'
    model = MODEL.replace(b"</bpmn:definitions>", other + b"</bpmn:definitions>")
    adopted = await adopt(store, 3, model=model, process_id="other")
    assert adopted.model_process_id == "other"
    assert await adopt(store, 3, model=model, process_id="other") == adopted
    assert await adopt(store, 3, model=model) == adopted
    async with refused(store, ErrorCode.INVALID_INPUT, field=("number",)):
        await adopt(store, 3, model=model, process_id="process")


async def test_a_process_with_a_very_long_id_is_refused(store: Store) -> None:
    await create(store)
    longest = MODEL.replace(b'id="process"', b'id="%s"' % (b"p" * MAX_PROCESS_ID_LENGTH))
    saved = await save_draft(store, process=ORDERS, model=longest, caller=ADMIN)
    assert saved.model_process_id == "p" * MAX_PROCESS_ID_LENGTH
    longer = longest.replace(b'id="p', b'id="pp')
    message = (
        "Expected the process to have an id of at most 500 characters, "
        f"but got {'p' * 50!r} (501 characters)."
    )
    async with refused(store, ErrorCode.INVALID_MODEL, message):
        await save_draft(store, process=ORDERS, model=longer, caller=ADMIN)


async def test_a_model_that_is_too_large_is_refused(store: Store) -> None:
    await a_process(store)
    largest = MODEL.ljust(MAX_MODEL_BYTES)
    assert (await save_draft(store, process=ORDERS, model=largest, caller=ADMIN)).has_model
    model = largest + b" "
    message = "Expected a BPMN document of at most 5,000,000 bytes, but it has 5,000,001 bytes."
    async with refused(store, ErrorCode.INVALID_MODEL, message, ("bpmn",)):
        await save_draft(store, process=ORDERS, model=model, caller=ADMIN)
    async with refused(store, ErrorCode.INVALID_MODEL, message, ("bpmn",)):
        await adopt(store, 3, model=model)


@pytest.mark.parametrize("model", [b"", b"<a>", b"no XML", b"<a/>"])
async def test_a_model_that_cannot_be_read_is_refused(store: Store, model: bytes) -> None:
    await a_process(store)
    async with refused(store, ErrorCode.INVALID_MODEL):
        await save_draft(store, process=ORDERS, model=model, caller=ADMIN)
    async with refused(store, ErrorCode.INVALID_MODEL):
        await adopt(store, 3, model=model)


async def test_no_version_is_drawn_or_published_of_an_unknown_process(store: Store) -> None:
    async with refused(store, ErrorCode.PROCESS_NOT_FOUND, NOT_FOUND):
        await save_draft(store, process=UNKNOWN_PROCESS, model=None, caller=ADMIN)
    async with refused(store, ErrorCode.PROCESS_NOT_FOUND, NOT_FOUND):
        await publish_version(store, process=UNKNOWN_PROCESS, caller=ADMIN)
    async with refused(store, ErrorCode.PROCESS_NOT_FOUND, NOT_FOUND):
        await get_process(store, UNKNOWN_PROCESS)
    async with refused(store, ErrorCode.PROCESS_NOT_FOUND):
        await adopt(store, 1)


async def test_a_reader_changes_no_process(store: Store) -> None:
    await a_process(store, draft=True)
    async with refused(store, ErrorCode.FORBIDDEN):
        await create_process(store, namespace="crm", code="new", title=None, caller=READER)
    async with refused(store, ErrorCode.FORBIDDEN):
        await save_draft(store, process=ORDERS, model=None, caller=READER)
    async with refused(store, ErrorCode.FORBIDDEN):
        await publish_version(store, process=ORDERS, caller=READER)
    async with refused(store, ErrorCode.FORBIDDEN):
        await adopt_version(
            store, process=ORDERS, number=VersionNumber(9), state=PUBLISHED, model=None, caller=READER
        )


async def test_a_version_is_adopted_with_the_number_it_has_elsewhere(store: Store) -> None:
    await create(store)
    for number in (7, 3):
        await adopt(store, number)
    await adopt(store, 8, DRAFT)
    assert await versions_of(store) == [(3, PUBLISHED), (7, PUBLISHED), (8, DRAFT)]
    assert (await get_process(store, ORDERS)).latest_published == 7


@pytest.mark.parametrize("state", [DRAFT, PUBLISHED])
@pytest.mark.parametrize("model", [None, MODEL])
async def test_an_adopted_version_is_kept_with_its_model_from_now_on(
    store: Store, state: VersionState, model: bytes | None
) -> None:
    await create(store)
    adopted = await adopt(store, MAX_VERSION, state, model)
    assert adopted == Version(
        number=VersionNumber(MAX_VERSION),
        state=state,
        created_at=NOON,
        published_at=NOON if state is PUBLISHED else None,
        model_process_id=None if model is None else "process",
    )
    assert (await store.processes.versions([ORDERS]))[ORDERS] == (adopted,)
    expected = None if model is None else VersionModel(document=model, process_id="process")
    assert await store.processes.model(ORDERS, adopted.number) == expected


@pytest.mark.parametrize("model", [None, MODEL])
async def test_to_adopt_a_version_again_changes_nothing(store: Store, model: bytes | None) -> None:
    await create(store)
    first = await adopt(store, 3, model=model)
    again = await adopt_version(
        store, process=ORDERS, number=first.number, state=PUBLISHED, model=model, caller=ADMIN
    )
    assert again == first
    assert (await store.processes.versions([ORDERS]))[ORDERS] == (first,)


async def test_an_adopted_draft_may_change_and_be_published(store: Store) -> None:
    await create(store)
    await adopt(store, 2, DRAFT)
    await adopt(store, 2, DRAFT)
    await adopt(store, 2)
    assert await versions_of(store) == [(2, PUBLISHED)]


async def test_a_published_version_is_fixed_for_ever(store: Store) -> None:
    await a_process(store, published=1)
    message = "Expected version 1 of process 'crm/orders' to be as it was published, but its content differs."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("number",)):
        await adopt(store, 1, DRAFT)
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("number",)):
        await adopt(store, 1, model=MODEL)


async def test_an_adopted_draft_is_above_all_versions(store: Store) -> None:
    await create(store)
    await adopt(store, 7)
    message = "Expected the draft to be above all versions, but 3 is below 7."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("number",)):
        await adopt(store, 3, DRAFT)


@pytest.mark.parametrize("number", [0, -1, MAX_VERSION + 1])
async def test_an_adopted_version_has_a_number_that_fits(store: Store, number: int) -> None:
    await create(store)
    message = f"Expected number to be from 1 to 2,147,483,647, but got {number}."
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("number",)):
        await adopt(store, number)
