"""Coerces large variables, and frees each decoded item as soon as it is coerced.

A decoded item of a list takes as much memory as the coerced one. What a request takes at most, the program
keeps for long: a few small objects that live on prevent Python from returning the memory between them. So
lists in the body of a request are decoded item by item, too.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import repeat
from typing import Any

import msgspec
from graphql import (
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    type_from_ast,
)

from uplift.web.json_limits import unreadable_reason

_decode = msgspec.json.Decoder().decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
MANY_VALUES = 1_000
"""Variables of more values are coerced in the thread for large requests."""
_VALUE_CHARACTERS = 64
"""Characters that a value has in the count of values."""
_shared_items: ContextVar[dict[Any, Any] | None] = ContextVar("shared_items", default=None)
"""A context variable, because graphql-core passes no context to what constructs an item. Each thread and task
has its own, so requests coerced on the event loop in between do not see it."""


class UnreadableVariablesError(Exception):
    """JSON that cannot be decoded."""


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


def draining(
    schema: GraphQLSchema, document: DocumentNode, operation_name: str | None, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """The variables of an operation, with long lists that lose each item when it is coerced.

    The variables are decoded JSON, or JSON to decode. Using the result raises UnreadableVariablesError, too.
    """
    types = {
        definition.variable.name.value: type_from_ast(schema, definition.type)
        for operation in document.definitions
        if isinstance(operation, OperationDefinitionNode)
        and (operation_name is None or (operation.name and operation.name.value == operation_name))
        for definition in operation.variable_definitions or ()
    }
    return {name: _draining(value, types[name]) for name, value in variables.items() if name in types}


@contextmanager
def items_shared() -> Iterator[None]:
    """Let the items of the request that is coerced inside share what is equal."""
    token = _shared_items.set({})
    try:
        yield
    finally:
        _shared_items.reset(token)


def shared_items() -> dict[Any, Any] | None:
    """What the items of the request that is coerced now share; None if they share nothing."""
    return _shared_items.get()


def _draining(value: Any, type_: Any) -> Any:
    if is_non_null_type(type_):
        type_ = type_.of_type
    if is_input_object_type(type_):
        fields = _read(_decode_object, value) if _is_raw(value, b"{") else value
        if isinstance(fields, dict):
            types = {name: field.type for name, field in type_.fields.items()}
            return {name: _draining(item, types.get(name)) for name, item in fields.items()}
    if is_list_type(type_):
        items = _read(_decode_list, value) if _is_raw(value, b"[") else value
        if isinstance(items, list) and len(items) > MANY_VALUES:
            return _Draining(items)
    return _decoded(value)


def _is_raw(value: Any, first: bytes) -> bool:
    return isinstance(value, msgspec.Raw) and memoryview(value)[:1] == first


def _decoded(value: Any) -> Any:
    return _read(_decode, value) if isinstance(value, msgspec.Raw) else value


def _read(decode: Callable[[msgspec.Raw], Any], value: msgspec.Raw) -> Any:
    try:
        return decode(value)
    except (ValueError, RecursionError) as error:
        raise UnreadableVariablesError(unreadable_reason(error)) from None


class _Draining:
    """Iterates over a list whose items are coerced, and lets each of them go when the next one is taken.

    Coercion ends at an invalid item. Then graphql-core iterates again and validates all items. In place of
    those that are gone it gets a valid one, so that errors are those of the whole list, with their indexes.
    """

    def __init__(self, items: list[Any]) -> None:
        self._items = items
        self._items.reverse()
        self._valid: Any = None
        self._gone = 0
        self._is_begun = False

    def __iter__(self) -> Iterator[Any]:
        if self._is_begun:
            yield from repeat(self._valid, self._gone)
            yield from map(_decoded, reversed(self._items))
            return
        self._is_begun = True
        while self._items:
            item = _decoded(self._items[-1])
            yield item
            self._items.pop()
            self._valid = item
            self._gone += 1


def free_json(value: dict[str, Any] | list[Any]) -> None:
    """Empty decoded JSON a piece at a time: freeing a long list at once stops all threads."""
    remaining: list[dict[str, Any] | list[Any]] = [value]
    while remaining:
        emptied = remaining.pop()
        if isinstance(emptied, list):
            while len(emptied) > MANY_VALUES:
                del emptied[-MANY_VALUES:]
        inside = emptied.values() if isinstance(emptied, dict) else emptied
        remaining.extend(item for item in inside if isinstance(item, dict | list))
        emptied.clear()
