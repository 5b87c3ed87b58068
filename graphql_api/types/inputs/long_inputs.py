"""Constructs and converts the items of long inputs off the event loop, with little memory."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from graphql import FieldNode, GraphQLInputObjectType, GraphQLSchema
from strawberry.types.base import get_object_definition

from uplift import domain
from uplift.domain.use_cases.instances import MAX_POSITIONS
from uplift.graphql_api.context import Info
from uplift.graphql_api.engine.large_variables import shared_items
from uplift.web.large_requests import read_large

Input = TypeVar("Input")
Value = TypeVar("Value")

_MANY = 1_000
"""Longer lists are converted in the thread for large requests."""
_CONSTRUCTED: list[type] = []
_SHARED_ELEMENTS = 20
"""The elements of the longest position that is shared. Longer ones take long to compare, and few occur."""


def constructed_when_coerced(cls: type[Input]) -> type[Input]:
    """Construct objects of this input while graphql-core coerces the variables.

    Strawberry converts inputs later, field by field, on the event loop: half a second for 75,000 instances.
    Coercion runs in the thread for large requests, and what it returns is passed on as it is. Use it only for
    inputs of scalars, enums and such inputs, whose optional fields have defaults.
    """
    get_object_definition(cls, strict=True).from_input = lambda _, value, __: value
    _CONSTRUCTED.append(cls)
    return cls


def construct_when_coerced(schema: GraphQLSchema) -> None:
    """Let a schema construct the inputs that are marked for it."""
    for cls in _CONSTRUCTED:
        definition = get_object_definition(cls, strict=True)
        type_ = schema.get_type(definition.name)
        assert isinstance(type_, GraphQLInputObjectType), "the input is a type of the schema"
        type_.out_type = partial(_construct, cls)  # type: ignore[method-assign]
        for field, of_class in zip(type_.fields.values(), definition.fields, strict=True):
            field.out_name = of_class.python_name


def _construct(cls: type, values: dict[str, Any]) -> Any:
    if "position" in values:
        values["position"] = _shared(values["position"])
    return cls(**values)


def _shared(elements: list[str]) -> list[str]:
    """The same list for equal positions of a large request: thousands of instances share a few of them."""
    known = shared_items()
    if known is None or len(elements) > _SHARED_ELEMENTS:
        return elements
    position = frozenset(elements)
    # Each of several lists of a request may have as many positions. Those above the limit share nothing.
    shared: list[str] = (known.get if len(known) >= MAX_POSITIONS else known.setdefault)(position, elements)
    return shared


class Positions:
    """The positions of one list, each distinct one only once: thousands of instances share a position."""

    def __init__(self) -> None:
        self._known: dict[domain.Position, domain.Position] = {}

    def of(self, elements: list[str]) -> domain.Position:
        position = frozenset(map(domain.ElementId, elements))
        if len(self._known) <= MAX_POSITIONS:
            return self._known.setdefault(position, position)
        # The use case refuses the list for the first position above the limit, whatever the later ones are.
        return self._known.get(position, next(iter(self._known)))


async def converted(info: Info, inputs: list[Input], convert: Callable[[Input], Value]) -> list[Value]:
    """Convert each input to a value of the domain, many of them in the thread for large requests.

    Many are removed from the list during that, to free their memory, unless another field may use them.
    """
    if len(inputs) <= _MANY:
        return list(map(convert, inputs))
    # graphql-core's info has the operation; strawberry keeps it private.
    selections = info._raw_info.operation.selection_set.selections  # noqa: SLF001
    is_only_field = len(selections) == 1 and isinstance(selections[0], FieldNode)

    def work() -> list[Value]:
        remaining = inputs if is_only_field else inputs.copy()
        remaining.reverse()
        return [convert(remaining.pop()) for _ in range(len(remaining))]

    return await read_large(work)
