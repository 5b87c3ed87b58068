"""How is one operation run? The same way for HTTP, event streams and WebSockets.

strawberry's own `execute` sets up extensions, a context and a validation for each request; here a known
document goes straight to the executor, which makes a small query several times faster. A schema with
strawberry extensions or operation directives is therefore refused: they would never run.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from graphql import ExecutionResult, GraphQLError, OperationType, subscribe
from strawberry import Schema
from strawberry.execution import optimized_is_awaitable

from uplift.domain.errors import UpliftError
from uplift.graphql_api.engine.column_executor import CompilingExecutor
from uplift.graphql_api.engine.documents import Document, Documents
from uplift.graphql_api.engine.errors import formatted, refusal, unexpected
from uplift.graphql_api.engine.limits import Limits

Recheck = Callable[[], Awaitable[object]]
"""Raises what the domain refuses a caller with who may no longer ask."""


class Params(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a GraphQL request consists of, whichever way it comes."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


class Operations:
    """Runs the operations of one schema within its limits; raises ValueError for a schema it cannot serve."""

    def __init__(self, schema: Schema, limits: Limits) -> None:
        if schema.extensions or schema.directives:
            raise ValueError("Expected a schema without strawberry extensions and operation directives.")
        self._schema = schema._schema
        self._hide_suggestions = not limits.introspection
        self.documents = Documents(self._schema, limits)

    async def execute(self, document: Document, params: Params, context: object) -> ExecutionResult:
        """The one result of a query or mutation."""
        build: Any = (
            CompilingExecutor.build
        )  # strawberry's predicate is a plain bool, not the TypeGuard asked for
        executor = build(
            self._schema,
            document.node,
            None,
            context,
            params.variables,
            params.operation_name,
            is_awaitable=optimized_is_awaitable,
            hide_suggestions=self._hide_suggestions,
        )
        if isinstance(executor, list):
            return ExecutionResult(None, executor)
        running = executor.execute_operation()
        result: ExecutionResult = await running if optimized_is_awaitable(running) else running
        return result

    async def results(
        self, document: Document, params: Params, context: object, recheck: Recheck
    ) -> AsyncGenerator[ExecutionResult, None]:
        """The results of any operation: many of a subscription, one of the others.

        `recheck` is called before each further one; a subscription whose caller it refuses ends.
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
            yield ExecutionResult(None, [refusal(error)])
        except Exception as error:  # graphql-core lets through what a running subscription raises
            message, extensions = unexpected(error)
            yield ExecutionResult(None, [GraphQLError(message, extensions=extensions)])

    async def _events(
        self, document: Document, params: Params, context: object
    ) -> AsyncGenerator[ExecutionResult, None]:
        found: Any = subscribe(
            self._schema,
            document.node,
            context_value=context,
            variable_values=params.variables,
            operation_name=params.operation_name,
            executor_class=CompilingExecutor,
            hide_suggestions=self._hide_suggestions,
        )
        source = await found if optimized_is_awaitable(found) else found
        if isinstance(source, ExecutionResult):
            yield source
            return
        async with aclosing(source):
            async for event in source:
                yield event


def is_request_error(result: ExecutionResult) -> bool:
    """Whether nothing ran: such a response has no `data` entry at all."""
    return (
        result.data is None
        and bool(result.errors)
        and all(error.path is None for error in result.errors or ())
    )


def response(result: ExecutionResult) -> dict[str, Any]:
    """The response as the client gets it; call it once a result, because it logs what is not the client's."""
    if not result.errors:
        return {"data": result.data}
    errors = formatted(result.errors)
    return {"errors": errors} if is_request_error(result) else {"errors": errors, "data": result.data}
