"""Creates processes, saves drafts of their versions, and publishes them."""

from collections.abc import Sequence

from uplift.domain.bpmn import DocumentLimits
from uplift.domain.clock import Clock, utc_now
from uplift.domain.errors import (
    InvalidInput,
    InvalidModel,
    NoDraft,
    ProcessExists,
    ProcessLinked,
    ProcessNotFound,
)
from uplift.domain.model.access import Caller, require_system_admin
from uplift.domain.model.link import LinkKind
from uplift.domain.model.process import (
    Process,
    ProcessKey,
    Version,
    VersionModel,
    VersionNumber,
    VersionState,
    process_key,
)
from uplift.domain.ports import Store, Transaction
from uplift.domain.rules.comparer import IN_PROCESS, Comparer

MAX_TITLE_LENGTH = 200
MAX_VERSION = 2**31 - 1
MAX_MODEL_BYTES = DocumentLimits().max_bytes
"""The largest BPMN document by default, in bytes."""
MAX_PROCESS_ID_LENGTH = 500
"""The longest id of the process in a BPMN document, in characters."""


async def create_process(
    store: Store, *, namespace: str, code: str, title: str | None, caller: Caller, clock: Clock = utc_now
) -> Process:
    """Create a process without versions. The title defaults to the code.

    Raises Forbidden, InvalidInput or ProcessExists.
    """
    require_system_admin(caller)
    process = Process(key=process_key(namespace, code), title=_valid_title(title or code), created_at=clock())
    async with store.transaction() as transaction:
        if await transaction.processes.find(process.key) is not None:
            raise ProcessExists(namespace=namespace, process_code=code)
        await transaction.processes.add(process)
    return process


async def save_draft(
    store: Store,
    *,
    process: ProcessKey,
    model: bytes | None,
    process_id: str | None = None,
    caller: Caller,
    clock: Clock = utc_now,
    comparer: Comparer = IN_PROCESS,
) -> Version:
    """Save the draft of the next version, or replace the present draft.

    `model` is a BPMN document, and `process_id` the id of the process in it. By default that is the process
    with the code of `process`, or else the only one, the only executable one, or the only one with elements.

    Raises Forbidden, ProcessNotFound, ProcessLinked, InvalidInput, or InvalidModel if the BPMN document is
    invalid or does not have this process.
    """
    require_system_admin(caller)
    chosen = await _version_model(model, process_id, process.code, comparer)
    async with store.transaction() as transaction:
        versions = await _lock_versions(transaction, process, "save a draft")
        number = _draft_number(versions)
        draft = Version(
            number=number,
            state=VersionState.DRAFT,
            created_at=clock(),
            model_process_id=None if chosen is None else chosen.process_id,
        )
        await transaction.processes.put_version(process, draft, model)
    return draft


async def publish_version(
    store: Store, *, process: ProcessKey, caller: Caller, clock: Clock = utc_now
) -> Version:
    """Publish the draft, which becomes the upgrade target, and return the published version.

    Raises Forbidden, ProcessNotFound, ProcessLinked or NoDraft.
    """
    require_system_admin(caller)
    async with store.transaction() as transaction:
        versions = await _lock_versions(transaction, process, "publish a version")
        if not versions or versions[-1].state is not VersionState.DRAFT:
            raise NoDraft(namespace=process.namespace, process_code=process.code)
        await transaction.processes.publish(process, versions[-1].number, clock())
        return (await transaction.processes.lock_versions([process]))[process][-1]


async def adopt_version(
    store: Store,
    *,
    process: ProcessKey,
    number: VersionNumber,
    state: VersionState,
    model: bytes | None,
    process_id: str | None = None,
    caller: Caller,
    clock: Clock = utc_now,
    comparer: Comparer = IN_PROCESS,
) -> Version:
    """Add a version with the number that another system gave it. Repeating this changes nothing.

    `model` and `process_id` are as in `save_draft`.

    Raises Forbidden, ProcessNotFound, ProcessLinked, InvalidModel, or InvalidInput if the number is not
    positive, if a published version of this number has another content, or if a draft is not above all other
    versions.
    """
    require_system_admin(caller)
    chosen = await _version_model(model, process_id, process.code, comparer)
    if not 1 <= number <= MAX_VERSION:
        raise InvalidInput(
            f"Expected number to be from 1 to {MAX_VERSION:,}, but got {number}.", field=("number",)
        )
    async with store.transaction() as transaction:
        known = await _lock_versions(transaction, process, "add a version")
        versions = {version.number: version for version in known}
        existing = versions.get(number)
        if existing is not None and existing.state is VersionState.PUBLISHED:
            stored = await transaction.processes.model(process, number)
            if stored is not None and process_id is None and stored.document == model:
                chosen = stored
            if state is not VersionState.PUBLISHED or stored != chosen:
                raise InvalidInput(
                    f"Expected version {number} of process '{process}' to be as it was published, "
                    "but its content differs.",
                    field=("number",),
                )
            return existing
        if state is VersionState.DRAFT and any(other > number for other in versions):
            raise InvalidInput(
                f"Expected the draft to be above all versions, but {number} is below {max(versions)}.",
                field=("number",),
            )
        now = clock()
        adopted = Version(
            number=number,
            state=state,
            created_at=now,
            published_at=now if state is VersionState.PUBLISHED else None,
            model_process_id=None if chosen is None else chosen.process_id,
        )
        await transaction.processes.put_version(process, adopted, model)
    return adopted


async def get_process(store: Store | Transaction, process_key: ProcessKey) -> Process:
    """Read a process. Raises ProcessNotFound."""
    found = await store.processes.find(process_key)
    if found is None:
        raise ProcessNotFound(namespace=process_key.namespace, process_code=process_key.code)
    return found


async def require_own_data(store: Store | Transaction, process: Process, attempt: str) -> None:
    """Raise ProcessLinked if versions and instances of the process come from a linked engine.

    An engine that pulls its orders is not read by Uplift: it reports versions and instances itself.
    """
    link = None if process.link is None else await store.links.find(process.link)
    if link is not None and link.kind is not LinkKind.PULL:
        raise ProcessLinked(attempt=attempt, namespace=process.key.namespace, process_code=process.key.code)


async def _lock_versions(
    transaction: Transaction, process_key: ProcessKey, attempt: str
) -> Sequence[Version]:
    await require_own_data(transaction, await get_process(transaction, process_key), attempt)
    # The lock makes concurrent drafts and publications of a process wait, so that no number is given twice.
    return (await transaction.processes.lock_versions([process_key]))[process_key]


def _draft_number(versions: Sequence[Version]) -> VersionNumber:
    if not versions:
        return VersionNumber(1)
    newest = versions[-1]
    return newest.number if newest.state is VersionState.DRAFT else VersionNumber(newest.number + 1)


def _valid_title(title: str) -> str:
    if len(title) > MAX_TITLE_LENGTH or not title.isprintable():
        raise InvalidInput(
            f"Expected title to be at most {MAX_TITLE_LENGTH} printable characters, but got {title[:50]!r} "
            f"({len(title)} characters).",
            field=("title",),
        )
    return title


async def _version_model(
    model: bytes | None, process_id: str | None, code: str, comparer: Comparer
) -> VersionModel | None:
    if model is None:
        if process_id is not None:
            raise InvalidInput(
                "Expected a process id only together with a BPMN document, but there is no document.",
                field=("process_id",),
            )
        return None
    chosen = await comparer.choose_process(model, process_id=process_id, preferred_id=code)
    if len(chosen) > MAX_PROCESS_ID_LENGTH:
        raise InvalidModel(
            f"Expected the process to have an id of at most {MAX_PROCESS_ID_LENGTH} characters, "
            f"but got {chosen[:50]!r} ({len(chosen):,} characters)."
        )
    # The choice is stored, so that the version means the same process whatever later releases choose.
    return VersionModel(document=model, process_id=chosen)
