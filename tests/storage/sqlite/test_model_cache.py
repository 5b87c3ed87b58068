"""Models of published versions are read once, and the cache is bounded by bytes."""

import pytest

from tests.storage.recording import statements_on
from uplift.domain import VersionNumber, VersionState
from uplift.storage.statements.processes import model_cache
from uplift.storage.store import SqlStore
from uplift.testing.builders import ORDERS, a_stored_process, a_version

pytestmark = pytest.mark.anyio

NUMBERS = [VersionNumber(number) for number in range(1, 5)]


async def populate(store: SqlStore, document: bytes) -> None:
    """Three published versions and a draft, each with a document of this size."""
    async with store.transaction() as transaction:
        await transaction.processes.add(a_stored_process())
        for number in NUMBERS:
            state = VersionState.DRAFT if number == NUMBERS[-1] else VersionState.PUBLISHED
            version = a_version(number, state, has_model=True)
            await transaction.processes.put_version(ORDERS, version, document)


async def reads(store: SqlStore, *numbers: VersionNumber) -> int:
    """The number of documents that are read from the database."""
    async with store.database.reading() as connection:
        pass
    with statements_on(connection) as sent:
        for number in numbers:
            assert await store.processes.model(ORDERS, number) is not None
    return sum("version.model" in statement.sql for statement in sent)


async def test_a_published_document_is_read_once_and_a_draft_each_time(store: SqlStore) -> None:
    await populate(store, b"<document/>")
    assert await reads(store, *NUMBERS) == 4
    assert await reads(store, *NUMBERS) == 1


async def test_documents_are_kept_up_to_a_number_of_bytes(
    file: object, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_cache, "MAX_BYTES", 2 * (1_000 + model_cache.OVERHEAD))
    await populate(store, b"x" * 1_000)
    small = SqlStore(store.database)
    first, second, third, _ = NUMBERS
    assert await reads(small, first, second, first, second) == 2
    assert await reads(small, third, second) == 1
    assert await reads(small, first) == 1
