"""Large requests are read in a thread, and those of too many values are refused before they are decoded."""

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import strawberry

from uplift.graphql_api.engine.documents import DocumentError
from uplift.graphql_api.engine.execution import LargeParams, Operations, Params
from uplift.graphql_api.engine.large_variables import UnreadableVariablesError, has_more_values
from uplift.graphql_api.engine.limits import Limits
from uplift.web.large_requests import read_large

pytestmark = pytest.mark.anyio


def _thread() -> str:
    return threading.current_thread().name


@strawberry.type
class Counted:
    count: int


@strawberry.type
class Query:
    @strawberry.field
    async def count(self, numbers: list[int]) -> int:
        return len(numbers)

    @strawberry.field
    async def count_all(self, numbers: list[list[int]]) -> int:
        return len(numbers)

    @strawberry.field
    async def counts(self, numbers: list[int]) -> list[Counted]:
        return [Counted(count=len(numbers))]

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


PARAMS: list[Callable[[dict[str, Any]], Params]] = [
    lambda variables: Params(query="", variables=variables),
    lambda variables: LargeParams(
        query="", encoded={name: msgspec.Raw(msgspec.json.encode(value)) for name, value in variables.items()}
    ),
]


@pytest.mark.parametrize("params_of", PARAMS, ids=["decoded", "encoded"])
async def test_errors_of_a_long_list_have_the_index_of_each_item(
    params_of: Callable[[dict[str, Any]], Params],
) -> None:
    document = await OPERATIONS.documents.load("query C($n: [[Int!]!]!) { countAll(numbers: $n) }")
    numbers: list[Any] = [[7]] * 3_000
    numbers[1_234], numbers[2_345] = ["x"], [1, None]
    result = await OPERATIONS.execute(document, params_of({"n": numbers}), None)
    assert [error.message.partition(": ")[0] for error in result.errors or ()] == [
        "Variable '$n' has invalid value at [1234][0]",
        "Variable '$n' has invalid value at [2345][1]",
    ]
    result = await OPERATIONS.execute(document, params_of({"n": [[7]] * 3_000, "unused": [1] * 9}), None)
    assert (result.data, result.errors) == ({"countAll": 3_000}, None)


async def test_refuses_an_item_that_cannot_be_decoded() -> None:
    document = await OPERATIONS.documents.load("query C($n: [Int!]!) { count(numbers: $n) }")
    params = LargeParams(query="", encoded={"n": msgspec.Raw(b"[" + b"1," * 3_000 + b"1e999]")})
    with pytest.raises(UnreadableVariablesError, match="Number out of range"):
        await OPERATIONS.execute(document, params, None)


async def test_decoded_variables_are_freed_once_they_are_coerced() -> None:
    document = await OPERATIONS.documents.load("query C($n: [Int!]!) { count(numbers: $n) }")
    params = Params(query="", variables={"n": [7] * 5_000, "unused": [[1] * 3_000]})
    result = await OPERATIONS.execute(document, params, None)
    assert (result.data, params.variables) == ({"count": 5_000}, {})


@pytest.mark.parametrize("count", [1, 5_000])
async def test_an_operation_leaves_no_cycle_that_keeps_its_context(count: int) -> None:
    class SomeContext:
        """What must not stay."""

    document = await OPERATIONS.documents.load("query C($n: [Int!]!) { counts(numbers: $n) { count } }")
    gc.disable()
    try:
        context = SomeContext()
        kept = weakref.ref(context)
        params = Params(query="", variables={"n": [7] * count})
        result = await OPERATIONS.execute(document, params, context)
        assert result.data == {"counts": [{"count": count}]}
        del context
        await read_large(_thread)  # the thread refers to its last call until then
        assert kept() is None
    finally:
        gc.enable()
