"""Runs operations, in the same way for HTTP, event streams and WebSockets.

strawberry's own `execute` sets up extensions, a context and a validation for each request. Here a cached
document goes straight to the executor, which makes a small query several times faster. Extensions and
operation directives of a strawberry schema would never run, so a schema that has any is refused.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from traceback import clear_frames
from typing import Any

import msgspec
from graphql import ExecutionResult, OperationType, subscribe
from strawberry import Schema
from strawberry.execution import optimized_is_awaitable

from uplift.domain.errors import UpliftError
from uplift.graphql_api.engine.column_executor import CompilingExecutor, LongLists, ReplyTooLargeError
from uplift.graphql_api.engine.documents import Document, Documents
from uplift.graphql_api.engine.errors import domain_error, formatted, request_error, unexpected_error
from uplift.graphql_api.engine.large_variables import (
    MANY_VALUES,
    draining,
    free_json,
    has_more_values,
    items_shared,
)
from uplift.graphql_api.engine.limits import Limits
from uplift.web.errors import HttpCode
from uplift.web.large_requests import read_large
from uplift.web.request_memory import RequestMemory

Recheck = Callable[[], Awaitable[object]]
"""Raises an UpliftError if the caller of a subscription is no longer allowed."""


class Params(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The parameters of a GraphQL request over any transport."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


class LargeParams(Params, frozen=True, kw_only=True):
    """The parameters of a large request, whose variables are decoded when they are coerced."""

    encoded: dict[str, msgspec.Raw]


class Operations:
    """Runs the operations of one schema. Raises ValueError for a schema with extensions or directives."""

    def __init__(self, schema: Schema, limits: Limits, memory: RequestMemory | None = None) -> None:
        if schema.extensions or schema.directives:
            raise ValueError("Expected a schema without strawberry extensions and operation directives.")
        self._schema = schema._schema  # noqa: SLF001  strawberry keeps the schema of graphql-core private
        self._hide_suggestions = not limits.introspection
        self._max_reply_bytes = limits.max_reply_bytes
        self._executor_class: Any = type(
            "LimitedExecutor",
            (CompilingExecutor,),
            {
                "max_reply_bytes": limits.max_reply_bytes,
                "long_lists": LongLists(memory or RequestMemory(max_body_bytes=0)),
            },
        )
        self.documents = Documents(self._schema, limits)

    async def execute(self, document: Document, params: Params, context: object) -> ExecutionResult:
        """The one result of a query or mutation. Raises UnreadableVariablesError for LargeParams."""
        # Building coerces the variables one by one, which takes a second for the longest lists.
        is_large = isinstance(params, LargeParams) or has_more_values(params.variables, MANY_VALUES)
        build = partial(self._build_from_large if is_large else self._build, document, params, context)
        executor: Any = await read_large(build) if is_large else build()
        if isinstance(executor, list):
            return ExecutionResult(None, executor)
        try:
            running = executor.execute_operation()
            result: ExecutionResult = await running if optimized_is_awaitable(running) else running
        except ReplyTooLargeError as error:
            # Its traceback leads to all that was completed, and back to the error. Such a cycle would stay in
            # memory until a full garbage collection.
            clear_frames(error.__traceback__)
            error.__traceback__ = None
            return self._cut_off()
        finally:
            executor.release()
        return result

    def _build_from_large(self, document: Document, params: Params, context: object) -> Any:
        """Build an executor, and free the variables during that."""
        decoded: dict[str, Any] = params.variables or {}
        received = params.encoded if isinstance(params, LargeParams) else decoded
        variables = draining(self._schema, document.node, params.operation_name, received)
        with items_shared():
            executor = self._build(
                document, Params(query="", variables=variables, operation_name=params.operation_name), context
            )
        if not isinstance(executor, list):
            # The sources are what was received. Only scalars that contain variables would read them.
            executor.variable_values = executor.variable_values._replace(sources={})
        free_json(received)
        return executor

    def _build(self, document: Document, params: Params, context: object) -> Any:
        """An executor, or a list of errors if the variables do not fit."""
        executor_class: Any = self._executor_class
        return executor_class.build(
            self._schema,
            document.node,
            None,
            context,
            params.variables,
            params.operation_name,
            is_awaitable=optimized_is_awaitable,  # untyped: strawberry's predicate is no TypeGuard
            hide_suggestions=self._hide_suggestions,
        )

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
