"""How a process comes to be and gets a better version: create it, save a draft, publish it."""

from collections.abc import Sequence

from uplift.domain.clock import Clock, utc_now
from uplift.domain.errors import InvalidInput, NoDraft, ProcessExists, ProcessNotFound
from uplift.domain.model.access import Caller, require_system_admin
from uplift.domain.model.process import Process, ProcessKey, Version, VersionNumber, VersionState, process_key
from uplift.domain.ports import Store, Transaction
from uplift.domain.rules.migration_path import read_document

MAX_TITLE_LENGTH = 200
MAX_VERSION = 2**31 - 1
MAX_MODEL_BYTES = 5_000_000
"""Largest BPMN document that is kept."""


async def create_process(
    store: Store, *, namespace: str, code: str, title: str | None, caller: Caller, clock: Clock = utc_now
) -> Process:
    """Create a process without versions; the title defaults to the code.

    Raises Forbidden, InvalidInput or ProcessExists.
    """
    require_system_admin(caller)
    process = Process(
        key=process_key(namespace, code), title=_checked_title(title or code), created_at=clock()
    )
    async with store.transaction() as transaction:
        if await transaction.processes.find(process.key) is not None:
            raise ProcessExists(namespace=namespace, process_code=code)
        await transaction.processes.add(process)
    return process


async def save_draft(
    store: Store, *, process: ProcessKey, model: bytes | None, caller: Caller, clock: Clock = utc_now
) -> Version:
    """Save the draft of the next version: a new one above all others, or in place of the present draft.

    Raises Forbidden, ProcessNotFound, InvalidInput, or InvalidModel for a document that cannot be read.
    """
    require_system_admin(caller)
    _check_model(model, process.code)
    async with store.transaction() as transaction:
        versions = await _versions(transaction, process)
        number = _draft_number(versions)
        draft = Version(
            number=number, state=VersionState.DRAFT, has_model=model is not None, created_at=clock()
        )
        await transaction.processes.put_version(process, draft, model)
    return draft


async def publish_version(
    store: Store, *, process: ProcessKey, caller: Caller, clock: Clock = utc_now
) -> Version:
    """Publish the draft, which makes it the upgrade target; returns it as published.

    Raises Forbidden, ProcessNotFound or NoDraft.
    """
    require_system_admin(caller)
    async with store.transaction() as transaction:
        versions = await _versions(transaction, process)
        if not versions or versions[-1].state is not VersionState.DRAFT:
            raise NoDraft(namespace=process.namespace, process_code=process.code)
        await transaction.processes.publish(process, versions[-1].number, clock())
        return (await _versions(transaction, process))[-1]


async def adopt_version(
    store: Store,
    *,
    process: ProcessKey,
    number: VersionNumber,
    state: VersionState,
    model: bytes | None,
    caller: Caller,
    clock: Clock = utc_now,
) -> Version:
    """Take over a version that another system numbered; one that is there with the same content stays.

    Raises Forbidden, ProcessNotFound, InvalidModel, or InvalidInput: for a number that is not positive, for
    a published version that is there with other content, and for a draft below another version.
    """
    require_system_admin(caller)
    _check_model(model, process.code)
    if not 1 <= number <= MAX_VERSION:
        raise InvalidInput(
            f"Expected number to be from 1 to {MAX_VERSION:,}, but got {number}.", field=("number",)
        )
    async with store.transaction() as transaction:
        versions = {version.number: version for version in await _versions(transaction, process)}
        known = versions.get(number)
        if known is not None and known.state is VersionState.PUBLISHED:
            if (
                state is not VersionState.PUBLISHED
                or await transaction.processes.model(process, number) != model
            ):
                raise InvalidInput(
                    f"Expected version {number} of process '{process}' to be as it was published, "
                    "but the content given is another.",
                    field=("number",),
                )
            return known
        if state is VersionState.DRAFT and any(other > number for other in versions):
            raise InvalidInput(
                f"Expected the draft to be above all versions, but {number} is below {max(versions)}.",
                field=("number",),
            )
        now = clock()
        adopted = Version(
            number=number,
            state=state,
            has_model=model is not None,
            created_at=now,
            published_at=now if state is VersionState.PUBLISHED else None,
        )
        await transaction.processes.put_version(process, adopted, model)
    return adopted


async def get_process(store: Store | Transaction, key: ProcessKey) -> Process:
    """The process of this name. Raises ProcessNotFound."""
    found = await store.processes.find(key)
    if found is None:
        raise ProcessNotFound(namespace=key.namespace, process_code=key.code)
    return found


async def _versions(transaction: Transaction, process: ProcessKey) -> Sequence[Version]:
    await get_process(transaction, process)
    return (await transaction.processes.lock_versions([process]))[process]


def _draft_number(versions: Sequence[Version]) -> VersionNumber:
    if not versions:
        return VersionNumber(1)
    newest = versions[-1]
    return newest.number if newest.state is VersionState.DRAFT else VersionNumber(newest.number + 1)


def _checked_title(title: str) -> str:
    if len(title) > MAX_TITLE_LENGTH or not title.isprintable():
        raise InvalidInput(
            f"Expected title to be at most {MAX_TITLE_LENGTH} printable characters, but got {title[:50]!r} "
            f"({len(title)} characters).",
            field=("title",),
        )
    return title


def _check_model(model: bytes | None, code: str) -> None:
    if model is None:
        return
    if len(model) > MAX_MODEL_BYTES:
        raise InvalidInput(
            f"Expected bpmn to be at most {MAX_MODEL_BYTES:,} bytes, but got {len(model):,}.", field=("bpmn",)
        )
    read_document(model, code)
