"""Large requests are read in a thread, and those of too many values are refused before they are decoded."""

import threading
from typing import Any

import pytest
import strawberry

from uplift.graphql_api.engine.documents import DocumentError
from uplift.graphql_api.engine.execution import Operations, Params, has_more_values
from uplift.graphql_api.engine.limits import Limits

pytestmark = pytest.mark.anyio


def _thread() -> str:
    return threading.current_thread().name


@strawberry.type
class Query:
    @strawberry.field
    async def count(self, numbers: list[int]) -> int:
        return len(numbers)

    @strawberry.field
    async def thread(self) -> str:
        return _thread()


OPERATIONS = Operations(strawberry.Schema(query=Query), Limits())


@pytest.mark.parametrize(
    ("variables", "limit", "has_more"),
    [
        (None, 1, False),
        ({"a": 1}, 2, False),
        ({"a": 1, "b": 2}, 2, True),
        ({"a": [1, 2]}, 4, False),
        ({"a": [1, 2]}, 3, True),
        ({"a": {"b": {"c": [[], []]}}}, 6, False),
        ({"a": {"b": {"c": [[], []]}}}, 5, True),
        ({"a": "x" * 639}, 11, False),
        ({"a": "x" * 640}, 11, True),
        ({"x" * 640: 1}, 11, True),
    ],
)
def test_counts_values_up_to_the_limit(variables: Any, limit: int, has_more: bool) -> None:
    assert has_more_values(variables, limit) is has_more


@pytest.mark.parametrize("count", [1, 5_000])
async def test_many_variables_are_coerced_like_few(count: int) -> None:
    document = await OPERATIONS.documents.load("query C($n: [Int!]!) { count(numbers: $n) thread }")
    result = await OPERATIONS.execute(document, Params(query="", variables={"n": [7] * count}), None)
    # Resolvers always run in the event loop.
    assert (result.data, result.errors) == ({"count": count, "thread": _thread()}, None)

    params = Params(query="", variables={"n": [7] * count + ["x"]})
    refused = await OPERATIONS.execute(document, params, None)
    assert refused.errors is not None
    assert "Int cannot represent non-integer value" in refused.errors[0].message


async def test_a_long_document_is_read_like_a_short_one() -> None:
    documents = OPERATIONS.documents
    text = "{ thread } # " + "x" * 100_000
    misses = documents.misses
    assert (await documents.load(text)).operation_type(None) is not None
    assert (await documents.load(text)).text == text
    assert documents.misses == misses + 2
    with pytest.raises(DocumentError, match="Syntax Error"):
        await documents.load("{" + " " * 100_000)
