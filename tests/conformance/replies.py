"""Checks that the reply to a GraphQL document agrees with the schema."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    is_abstract_type,
)

from tests.support.project import ROOT
from uplift.domain.errors import ErrorCode
from uplift.graphql_api.engine.errors import GraphQLCode
from uplift.web.errors import HttpCode

SCHEMA: GraphQLSchema = build_schema((ROOT / "graphql_api" / "schema.graphql").read_text(encoding="utf-8"))
CODES = {*GraphQLCode, *HttpCode, *ErrorCode} - {HttpCode.INTERNAL, ErrorCode.STORE_UNAVAILABLE}
"""The codes of errors that a client can cause."""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_IS_LEAF: Mapping[str, Callable[[Any], bool]] = {
    "Boolean": lambda value: isinstance(value, bool),
    "DateTime": lambda value: isinstance(value, str) and bool(_MOMENT.fullmatch(value)),
    "Float": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "ID": lambda value: isinstance(value, str) and bool(value),
    "Int": lambda value: type(value) is int and abs(value) < 2**31,
    "String": lambda value: isinstance(value, str),
    "UUID": lambda value: isinstance(value, str) and bool(_ID.fullmatch(value)),
}


def must_be_a_response(status: int, reply: Any) -> None:
    """Check that a reply is an answer or a refusal, never a server error."""
    assert status in (200, 400), reply
    assert reply.keys() <= {"data", "errors"}
    assert "data" in reply or reply["errors"]
    for error in reply.get("errors", ()):
        assert error["message"]
        assert error["extensions"]["code"] in CODES, error


def must_fit(reply: Any, document: DocumentNode) -> None:
    """Check that the data has exactly the selected fields, in the types of the schema.

    The document has one operation, `__typename` in every selection set, and no named fragments.
    """
    if reply.get("data") is None:
        assert reply["errors"]
        return
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    root = SCHEMA.get_root_type(operation.operation)
    assert root is not None
    _must_be_object(reply["data"], root, operation.selection_set)


def _must_be(value: Any, kind: GraphQLOutputType, selections: SelectionSetNode | None) -> None:
    if isinstance(kind, GraphQLNonNull):
        assert value is not None
        _must_be(value, kind.of_type, selections)
    elif value is None:
        return
    elif isinstance(kind, GraphQLList):
        assert isinstance(value, list)
        for item in value:
            _must_be(item, kind.of_type, selections)
    elif isinstance(kind, GraphQLEnumType):
        assert value in kind.values
    elif isinstance(kind, GraphQLScalarType):
        assert _IS_LEAF[kind.name](value), (kind.name, value)
    else:
        concrete = SCHEMA.get_type(value["__typename"])
        assert isinstance(concrete, GraphQLObjectType)
        assert concrete is kind or (is_abstract_type(kind) and SCHEMA.is_sub_type(kind, concrete))
        assert selections is not None
        _must_be_object(value, concrete, selections)


def _must_be_object(value: Any, kind: GraphQLObjectType, selections: SelectionSetNode) -> None:
    requested = list(_fields(kind, selections))
    assert value.keys() == {_key(field) for field in requested}
    for field in requested:
        if field.name.value == "__typename":
            assert value[_key(field)] == kind.name
        else:
            _must_be(value[_key(field)], kind.fields[field.name.value].type, field.selection_set)


def _fields(kind: GraphQLObjectType, selections: SelectionSetNode) -> Iterator[FieldNode]:
    """The fields requested of an object of this type, those in fragments included."""
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            yield selection
            continue
        assert isinstance(selection, InlineFragmentNode)
        condition = selection.type_condition
        about = SCHEMA.get_type(condition.name.value) if condition else kind
        if about is kind or (is_abstract_type(about) and SCHEMA.is_sub_type(about, kind)):
            yield from _fields(kind, selection.selection_set)


def _key(field: FieldNode) -> str:
    return field.alias.value if field.alias else field.name.value
