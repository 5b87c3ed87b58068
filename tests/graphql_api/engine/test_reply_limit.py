"""A reply above the limit is cut off while it is built, over every transport."""

import asyncio
import gc
import weakref
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import strawberry

from uplift.graphql_api.engine.execution import Operations, Params, response
from uplift.graphql_api.engine.limits import Limits

LONG = "ä" * 100
ROWS_OF_EVENTS: list["weakref.ref[Row]"] = []
ENDED: list[str] = []
"""Fields that were awaited, and have ended."""
REPLY_LIMITS = Limits(max_reply_bytes=2_000)


@strawberry.type
class Row:
    text: str
    texts: list[str]
    number: int = 7


@strawberry.type
class Rows:
    @strawberry.field
    def rows(self, count: int) -> list[Row]:
        return [Row(text=LONG, texts=[LONG])] * count

    @strawberry.field
    def nested(self) -> "Rows | None":
        return Rows()

    @strawberry.field
    def empty(self, count: int) -> list[list[int]]:
        return [[]] * count

    @strawberry.field
    async def text(self, length: int) -> str:
        return "x" * length

    @strawberry.field
    async def endless(self) -> str | None:
        try:
            await asyncio.Event().wait()
        finally:
            ENDED.append("endless")
        return None


@strawberry.type
class Growing:
    @strawberry.subscription
    async def pages(self, count: int) -> AsyncGenerator[list[Row], None]:
        for _ in range(count):
            row = Row(text="a", texts=["b"])
            ROWS_OF_EVENTS.append(weakref.ref(row))
            yield [row]

    @strawberry.subscription
    async def texts(self) -> AsyncGenerator[str, None]:
        for length in (1_500, 1_500, 2_500, 1):
            yield "x" * length


ROWS = strawberry.Schema(query=Rows, subscription=Growing)
TOO_LARGE = (
    "Expected a reply of at most 2,000 bytes, but it is larger. Request smaller pages or fewer fields. "
    "A mutation has been carried out nevertheless."
)


async def replies(query: str) -> list[dict[str, Any]]:
    operations = Operations(ROWS, REPLY_LIMITS)
    document = operations.documents.find(query)

    async def recheck() -> None:
        pass

    results = operations.results(document, Params(query=query), None, recheck)
    return [response(result) async for result in results]


def is_cut_off(reply: dict[str, Any]) -> bool:
    if "errors" not in reply:
        return False
    [error] = reply["errors"]
    assert (error["message"], error["extensions"]["code"]) == (TOO_LARGE, "LIMIT_EXCEEDED")
    assert reply["data"] is None
    return True


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "cut_off"),
    [
        ("{rows(count: 8) {text}}", False),
        ("{rows(count: 10) {text}}", True),
        ("{rows(count: 5) {text texts}}", True),
        ("{rows(count: 80) {number}}", False),
        ("{rows(count: 90) {number}}", True),
        ("{empty(count: 10)}", False),
        ("{text(length: 1900)}", False),
        ("{text(length: 2000)}", True),
        ("{a: text(length: 1000) b: text(length: 1000)}", True),
    ],
)
async def test_a_reply_above_the_limit_is_cut_off_while_it_is_built(query: str, cut_off: bool) -> None:
    [reply] = await replies(query)
    assert is_cut_off(reply) is cut_off


@pytest.mark.anyio
@pytest.mark.parametrize(
    "query",
    [
        "{a: endless b: text(length: 2000) c: text(length: 10)}",
        "{nested {a: endless b: text(length: 2000)}}",
    ],
)
async def test_a_reply_that_is_cut_off_leaves_nothing_running(query: str) -> None:
    ENDED.clear()
    before = asyncio.all_tasks()
    [reply] = await replies(query)
    assert is_cut_off(reply)
    assert asyncio.all_tasks() == before
    assert ENDED == ["endless"]


@pytest.mark.anyio
async def test_what_a_reply_that_is_cut_off_held_is_freed_without_a_garbage_collection() -> None:
    class Held:
        pass

    held = Held()
    freed = weakref.ref(held)
    query = "{a: text(length: 1000) b: nested {text(length: 100)} c: text(length: 2000)}"
    operations = Operations(ROWS, REPLY_LIMITS)
    document = operations.documents.find(query)
    gc.collect()
    gc.disable()
    try:
        await operations.execute(document, Params(query=query), held)
        del held
        assert freed() is None
    finally:
        gc.enable()


@pytest.mark.anyio
async def test_the_limit_counts_each_event_of_a_subscription_by_itself() -> None:
    assert [is_cut_off(reply) for reply in await replies("subscription {texts}")] == [False, False, True]


@pytest.mark.anyio
async def test_a_subscription_keeps_nothing_of_its_earlier_events() -> None:
    ROWS_OF_EVENTS.clear()
    query = "subscription {pages(count: 20) {text texts}}"
    operations = Operations(ROWS, REPLY_LIMITS)
    document = operations.documents.find(query)

    async def recheck() -> None:
        pass

    alive = []
    async for _ in operations.results(document, Params(query=query), None, recheck):
        gc.collect()
        alive.append(sum(row() is not None for row in ROWS_OF_EVENTS))
    assert len(alive) == 20
    assert max(alive) <= 2  # the present one, and the one before
