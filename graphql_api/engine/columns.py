"""Completes columns: the raw values of one field in all objects of a plain list.

The functions raise NotPlainError where graphql-core must complete the list.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate, chain, pairwise, repeat
from types import GeneratorType, NoneType
from typing import Any

from graphql import GraphQLField, GraphQLObjectType
from graphql.pyutils import UndefinedType
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE
from strawberry.types.field import StrawberryField

from uplift.graphql_api.engine.leaf_columns import NotPlainError

Values = Sequence[Any]
Complete = Callable[[Values], list[Any]]
"""From the raw values of one field in all objects to the completed ones, in the same order."""
CompletePlain = Callable[[Values, set[type]], list[Any]]
"""The same for values of these classes only; none of them is null, an exception or awaitable."""


def plain_attribute(field: GraphQLField) -> str:
    """The attribute that this field passes on unchanged. Raises NotPlainError if the field does more."""
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryField) or not definition.is_basic_field:
        raise NotPlainError
    if definition.default_resolver is not getattr:
        raise NotPlainError
    return definition.python_name


def complete_all(complete: CompletePlain, values: Values) -> list[Any]:
    """The completed values of a field that cannot be null."""
    return _complete_plain(complete, values, set(map(type, values)))


def complete_present(complete: CompletePlain, values: Values) -> list[Any]:
    """The completed values of a field that can be null."""
    classes = set(map(type, values))
    if NoneType not in classes:
        return _complete_plain(complete, values, classes)
    present = [value for value in values if value is not None]
    completed = iter(_complete_plain(complete, present, classes - {NoneType}))
    return [None if value is None else next(completed) for value in values]


def _complete_plain(complete: CompletePlain, values: Values, classes: set[type]) -> list[Any]:
    if not all(map(_is_plain_class, classes)):
        raise NotPlainError
    return complete(values, classes)


@lru_cache(maxsize=1024)
def _is_plain_class(cls: type) -> bool:
    """Whether values of this class are not null, and graphql-core neither raises nor awaits them."""
    return not (
        issubclass(cls, (NoneType, UndefinedType, Exception, GeneratorType)) or hasattr(cls, "__await__")
    )


def complete_lists(complete_items: Complete, values: Values) -> list[Any]:
    """Completes the items of all lists as one column, and divides them into lists again."""
    items = complete_items(list(chain.from_iterable(values)))
    ends = list(accumulate(map(len, values), initial=0))
    return [items[begin:end] for begin, end in pairwise(ends)]


def complete_objects(
    type_: GraphQLObjectType, columns: dict[str, Complete], objects: Values, classes: set[type]
) -> list[Any]:
    """Completes objects of a type, each column of them by its function."""
    if not _are_of_type(type_, objects, classes):
        raise NotPlainError
    completed: list[dict[str, Any]] = [{} for _ in objects]
    for key, complete in columns.items():
        for row, value in zip(completed, complete(objects), strict=True):
            row[key] = value
    return completed


def _are_of_type(type_: GraphQLObjectType, objects: Values, classes: set[type]) -> bool:
    """Whether strawberry takes all objects for ones of the type."""
    is_type_of: Any = type_.is_type_of  # strawberry's own ignores its second argument
    if is_type_of is None:
        return True
    definition: StrawberryObjectDefinition = type_.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    # Without a cast the class of an object decides.
    if classes == {definition.origin} and not any(map(hasattr, objects, repeat(TYPE_CAST_ATTRIBUTE))):
        return True
    return all(is_type_of(value, None) is True for value in objects)
