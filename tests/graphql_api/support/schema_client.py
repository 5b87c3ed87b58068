"""A client of the schema, with a new context for each operation."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from graphql import ExecutionResult
from strawberry import Schema

from tests.support.long_mode import IS_LONG
from uplift.domain import Caller, Role, Worker
from uplift.domain.ports import Store
from uplift.graphql_api.context import Context
from uplift.graphql_api.engine.documents import DocumentError
from uplift.graphql_api.engine.errors import formatted
from uplift.graphql_api.engine.execution import Operations, Params, response
from uplift.graphql_api.engine.limits import Limits
from uplift.graphql_api.loaders import Loaders

Execute = Callable[[Schema, str, dict[str, Any], Context], Awaitable[ExecutionResult]]


async def execute_stock(
    schema: Schema, query: str, variables: dict[str, Any], context: Context
) -> ExecutionResult:
    """Execute with strawberry's own executor."""
    result = await schema.execute(query, variable_values=variables, context_value=context)
    return ExecutionResult(result.data, result.errors or None)


async def execute_served(
    schema: Schema, query: str, variables: dict[str, Any], context: Context
) -> ExecutionResult:
    """Execute as the HTTP endpoint does."""
    operations = _operations(schema)
    try:
        document = operations.documents.find(query)
    except DocumentError as refused:
        return ExecutionResult(None, refused.errors)
    # The endpoint empties the variables that it has read, to return their memory.
    params = Params(query=query, variables=deepcopy(variables))
    return await operations.execute(document, params, context)


@cache
def _operations(schema: Schema) -> Operations:
    """Kept, as an endpoint keeps it: reading a document takes longer than most tests do."""
    return Operations(schema, Limits())


class Way(NamedTuple):
    """The executor and the store that a test uses."""

    execute: Execute
    kind: str


STOCK = {"stock": Way(execute_stock, "sqlite")}
WAYS = {
    # tests/graphql_api/engine/test_column_executor.py compares both executors on any data in every run.
    **(STOCK if IS_LONG else {}),
    "served": Way(execute_served, "sqlite"),
    "postgres": Way(execute_served, "postgres"),
    **({"buckets": Way(execute_served, "buckets")} if IS_LONG else {}),
}
ON_SQLITE = [name for name, way in WAYS.items() if way.kind == "sqlite"]
"""Enough for requests that are refused before a store is used."""


@dataclass(frozen=True, kw_only=True)
class Client:
    schema: Schema
    store: Store
    execute: Execute
    caller: Caller = Caller(name="ops", role=Role.SYSTEM_ADMIN)  # noqa: RUF009 - immutable
    worker: Worker = Worker(name="front door")  # noqa: RUF009 - immutable
    wait_seconds: float = 30

    def reader(self) -> "Client":
        return replace(self, caller=Caller(name="dashboard", role=Role.READER))

    def on(self, store: Store) -> "Client":
        return replace(self, store=store)

    async def ask(self, query: str, **variables: Any) -> Any:
        """The data of an operation that succeeds."""
        data, errors = await self.answer(query, **variables)
        assert errors == []
        return data

    async def refused(self, query: str, **variables: Any) -> dict[str, Any]:
        """The only top-level error of an operation that is refused."""
        _, errors = await self.answer(query, **variables)
        assert len(errors) == 1
        error: dict[str, Any] = errors[0]
        return error

    async def answer(self, query: str, **variables: Any) -> tuple[Any, list[Any]]:
        """The data, and the errors formatted as in a response."""
        result = await self.execute(self.schema, query, variables, self.context())
        return result.data, formatted(result.errors or [])

    async def follow(self, query: str, **variables: Any) -> AsyncGenerator[Any, None]:
        """The responses of a subscription, formatted as by the endpoint."""
        operations = Operations(self.schema, Limits())
        params = Params(query=query, variables=variables)
        document = operations.documents.find(query)
        results = operations.results(document, params, self.context(), _recheck)
        async with aclosing(results):
            async for result in results:
                yield response(result)

    def context(self) -> Context:
        return Context(
            store=self.store,
            caller=self.caller,
            worker=self.worker,
            wait_seconds=self.wait_seconds,
            loaders=Loaders(self.store),
        )


async def _recheck() -> None:
    """Accept the key of a subscription again."""
