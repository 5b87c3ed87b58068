"""Serializes the values of one field of many objects with the results of its scalar's own serializer.

Where a serializer has an equivalent for whole columns of one class, that one is used: it is up to ten times
as fast.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import NoneType
from typing import Any
from uuid import UUID

import msgspec
from graphql import GraphQLBoolean, GraphQLID, GraphQLInt, GraphQLLeafType, GraphQLString
from graphql.pyutils import UndefinedType
from graphql.type.scalars import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT

JOINED_BYTES = 64 * 1024
"""Texts of so many characters are joined to see whether they are ASCII, which is faster than one by one."""

encode_json = msgspec.json.Encoder().encode
decode_texts = msgspec.json.Decoder(list[str]).decode


class NotPlainError(Exception):
    """The selection or the data is not plain."""


class ColumnSerializer(ABC):
    """A serializer that also serializes many values of one class at once."""

    @abstractmethod
    def __call__(self, value: Any) -> Any:
        """The serialized value."""

    @abstractmethod
    def column(self, values: Sequence[Any], class_: type) -> list[Any] | None:
        """What the calls with each of these values return; None if they must be made one by one."""


def serialize_leaves(type_: GraphQLLeafType, values: Sequence[Any], classes: set[type]) -> list[Any]:
    """The serialized values, none of which is null. Raises NotPlainError, and what the serializer raises."""
    if len(classes) == 1:
        [class_] = classes
        if issubclass(class_, Enum):
            return _serialize_members(type_, values)
        serialize = type_.coerce_output_value
        if isinstance(serialize, ColumnSerializer):
            column = serialize.column(values, class_)
        else:
            of_class = _COLUMNS.get((serialize, class_))
            column = None if of_class is None else of_class(values)
        if column is not None:
            return column
    completed = list(map(type_.coerce_output_value, values))
    if not {NoneType, UndefinedType}.isdisjoint(map(type, completed)):
        raise NotPlainError
    return completed


def text_bytes(values: Sequence[Any]) -> int:
    """The bytes in UTF-8 of those values that are texts."""
    classes = set(map(type, values))
    if str not in classes:
        return 0
    texts = values if len(classes) == 1 else [value for value in values if type(value) is str]
    length = sum(map(len, texts))
    is_ascii = "".join(texts).isascii() if length <= JOINED_BYTES else all(map(str.isascii, texts))
    return length if is_ascii else sum(len(text.encode("utf-8", "replace")) for text in texts)


def _serialize_members(type_: GraphQLLeafType, members: Sequence[Any]) -> list[Any]:
    """Serializes each member once, by identity: a column of 1,000 statuses has five members."""
    keys = list(map(id, members))
    distinct = dict(zip(keys, members, strict=True))
    names = {key: type_.coerce_output_value(member) for key, member in distinct.items()}
    return list(map(names.__getitem__, keys))


def _integers(values: Sequence[int]) -> list[int] | None:
    """GraphQL's Int has 32 bits. The scalar itself refuses what has more."""
    return list(values) if min(values) >= GRAPHQL_MIN_INT and max(values) <= GRAPHQL_MAX_INT else None


def _uuids(values: Sequence[UUID]) -> list[str]:
    return decode_texts(encode_json(values))


_COLUMNS: Mapping[tuple[object, type], Callable[[Sequence[Any]], list[Any] | None]] = {
    (GraphQLString.coerce_output_value, str): list,
    (GraphQLID.coerce_output_value, str): list,
    (GraphQLBoolean.coerce_output_value, bool): list,
    (GraphQLInt.coerce_output_value, int): _integers,
    (str, UUID): _uuids,
}
"""What serializers do with values of exactly these classes."""
