"""Runs operations, in the same way for HTTP, event streams and WebSockets.

strawberry's own `execute` sets up extensions, a context and a validation for each request. Here a cached
document goes straight to the executor, which makes a small query several times faster. Extensions and
operation directives of a strawberry schema would never run, so a schema that has any is refused.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any

import msgspec
from graphql import ExecutionResult, OperationType, subscribe
from strawberry import Schema
from strawberry.execution import optimized_is_awaitable

from uplift.domain.errors import UpliftError
from uplift.graphql_api.engine.column_executor import CompilingExecutor, ReplyTooLargeError
from uplift.graphql_api.engine.documents import Document, Documents
from uplift.graphql_api.engine.errors import domain_error, formatted, request_error, unexpected_error
from uplift.graphql_api.engine.limits import Limits
from uplift.web.errors import HttpCode
from uplift.web.large_requests import read_large

Recheck = Callable[[], Awaitable[object]]
"""Raises an UpliftError if the caller of a subscription is no longer allowed."""


_MANY_VALUES = 1_000
"""Variables of more values are coerced in the thread for large requests."""
_VALUE_CHARACTERS = 64
"""Characters that a value has in the count of values."""


class Params(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The parameters of a GraphQL request over any transport."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


class Operations:
    """Runs the operations of one schema. Raises ValueError for a schema with extensions or directives."""

    def __init__(self, schema: Schema, limits: Limits) -> None:
        if schema.extensions or schema.directives:
            raise ValueError("Expected a schema without strawberry extensions and operation directives.")
        self._schema = schema._schema  # noqa: SLF001  strawberry keeps the schema of graphql-core private
        self._hide_suggestions = not limits.introspection
        self._max_reply_bytes = limits.max_reply_bytes
        self._executor_class: Any = type(
            "LimitedExecutor", (CompilingExecutor,), {"max_reply_bytes": limits.max_reply_bytes}
        )
        self.documents = Documents(self._schema, limits)

    async def execute(self, document: Document, params: Params, context: object) -> ExecutionResult:
        """The one result of a query or mutation."""
        build = partial(
            self._executor_class.build,  # untyped: strawberry's predicate is no TypeGuard
            self._schema,
            document.node,
            None,
            context,
            params.variables,
            params.operation_name,
            is_awaitable=optimized_is_awaitable,
            hide_suggestions=self._hide_suggestions,
        )
        # Building coerces the variables one by one, which takes a second for the longest lists.
        is_large = has_more_values(params.variables, _MANY_VALUES)
        executor: Any = await read_large(build) if is_large else build()
        if isinstance(executor, list):
            return ExecutionResult(None, executor)
        try:
            running = executor.execute_operation()
            result: ExecutionResult = await running if optimized_is_awaitable(running) else running
        except ReplyTooLargeError:
            return self._cut_off()
        return result

    async def results(
        self, document: Document, params: Params, context: object, recheck: Recheck
    ) -> AsyncGenerator[ExecutionResult, None]:
        """The results of any operation: many of a subscription, one of a query or mutation.

        A subscription calls `recheck` before each result but the first, and ends with the error it raises.
        """
        if document.operation_type(params.operation_name) is not OperationType.SUBSCRIPTION:
            yield await self.execute(document, params, context)
            return
        try:
            async with aclosing(self._events(document, params, context)) as events:
                is_first = True
                async for event in events:
                    if not is_first:
                        await recheck()
                    is_first = False
                    yield event
        except UpliftError as error:
            yield ExecutionResult(None, [domain_error(error)])
        except Exception as error:  # graphql-core does not catch what a running subscription raises
            yield ExecutionResult(None, [unexpected_error(error)])

    async def _events(
        self, document: Document, params: Params, context: object
    ) -> AsyncGenerator[ExecutionResult, None]:
        subscribed: Any = subscribe(
            self._schema,
            document.node,
            context_value=context,
            variable_values=params.variables,
            operation_name=params.operation_name,
            executor_class=self._executor_class,
            hide_suggestions=self._hide_suggestions,
        )
        source = await subscribed if optimized_is_awaitable(subscribed) else subscribed
        if isinstance(source, ExecutionResult):
            yield source
            return
        async with aclosing(source):
            try:
                async for event in source:
                    yield event
            except ReplyTooLargeError:
                yield self._cut_off()

    def _cut_off(self) -> ExecutionResult:
        message = (
            f"Expected a reply of at most {self._max_reply_bytes:,} bytes, but it is larger. Request smaller "
            "pages or fewer fields. A mutation has been carried out nevertheless."
        )
        return CutOffResult(None, [request_error(HttpCode.LIMIT_EXCEEDED, message)])


def has_more_values(variables: Mapping[str, Any] | None, limit: int) -> bool:
    """Whether decoded JSON has more values than the limit. It looks at no more than that.

    A long text counts as several values: an error that shows it takes as long.
    """
    remaining: list[Any] = [variables]
    count = 0
    while remaining:
        value = remaining.pop()
        count += 1 + len(value) // _VALUE_CHARACTERS if isinstance(value, str) else 1
        if count > limit:
            return True
        if isinstance(value, dict):
            count -= len(value)  # a name is no value of its own, but it may be long
            value = [*value, *value.values()]
        if isinstance(value, list):
            if count + len(value) > limit:
                return True
            remaining.extend(value)
    return False


class CutOffResult(ExecutionResult):
    """The result of an operation that was run, but whose reply is too large."""


def is_request_error(result: ExecutionResult) -> bool:
    """Whether nothing was run; such a response has no `data` entry."""
    return (
        result.data is None
        and not isinstance(result, CutOffResult)
        and bool(result.errors)
        and all(error.path is None for error in result.errors or ())
    )


def response(result: ExecutionResult) -> dict[str, Any]:
    """The response to the client. Call it once for each result, because it logs errors of the server."""
    if not result.errors:
        return {"data": result.data}
    errors = formatted(result.errors)
    return {"errors": errors} if is_request_error(result) else {"errors": errors, "data": result.data}
