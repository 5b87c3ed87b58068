"""Limits the number of nodes that one operation requests.

A page inside a page multiplies: 100 processes with 100 instances each are 10,100 nodes. The number follows
from the requested page sizes, so an operation above the limit `max_nodes` is refused before anything is read
or written. This happens when a field at the top of the operation is resolved, because page sizes may be
variables, whose values validation does not know.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    VariableNode,
    assert_object_type,
    get_named_type,
    is_abstract_type,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from strawberry.extensions.field_extension import AsyncExtensionResolver, FieldExtension
from strawberry.schema.schema_converter import GraphQLCoreConverter

from uplift.domain.model.paging import MAX_PAGE_SIZE
from uplift.graphql_api.engine.errors import request_error
from uplift.web.errors import HttpCode

ITEMS_OF_PAGE = frozenset({"nodes", "edges"})
"""The fields of a connection that list its items. All others count once a page."""


class WithinBudget(FieldExtension):
    """Refuses a field at the top of an operation that requests too many nodes in all."""

    async def resolve_async(
        self, next_: AsyncExtensionResolver, source: Any, info: Any, **kwargs: Any
    ) -> Any:
        # graphql-core's info holds fragments and variables; strawberry keeps it private.
        nodes, limit = requested_nodes(info._raw_info), info.context.limits.max_nodes  # noqa: SLF001
        if nodes > limit:
            raise request_error(
                HttpCode.LIMIT_EXCEEDED,
                f"Expected to read at most {limit:,} nodes in one operation, but its page sizes, "
                f"multiplied down the nesting, ask for {nodes:,}.",
            )
        return await next_(source, info, **kwargs)


def counted_as(
    nodes: int, *, items: int | None = None, per: Mapping[str, float] | None = None
) -> Mapping[str, Any]:
    """Metadata of a field that costs as much as this many nodes, or that lists about this many items.

    `per` adds to the cost for each value of an argument, such as 0.1 for "input.instructions". The path leads
    through input objects, and through lists of them. Each item of a list is a value; null is none.
    """
    return {"nodes": nodes, "items": items, "per": per or {}}


def require_within_budget(info: Any, *, items: int) -> None:
    """Refuses the fields requested of each item, once the number of items is known."""
    raw_info = info._raw_info  # noqa: SLF001  as above
    inside, limit = _Counting(raw_info).inside_item(raw_info), info.context.limits.max_nodes
    if inside and items * (1 + inside) > limit:
        raise request_error(
            HttpCode.LIMIT_EXCEEDED,
            f"Expected to read at most {limit:,} nodes in one operation, but {info.field_name} has "
            f"{items:,} items, which ask for {1 + inside:,} each.",
        )


def requested_nodes(info: GraphQLResolveInfo[Any]) -> int:
    """The number of nodes that the operation of this field requests."""
    root = info.schema.get_root_type(info.operation.operation)
    assert root is not None, "an operation that runs has a root type"
    return _Counting(info).operation(root)


class _Counting:
    """Walks an operation like the executor, with page sizes in place of data."""

    def __init__(self, info: GraphQLResolveInfo[Any]) -> None:
        self._schema = info.schema
        self._operation = info.operation
        # strawberry passes on the coerced values only; @skip and @include need nothing else.
        self._variables = VariableValues(sources={}, coerced=cast("dict[str, Any]", info.variable_values))
        self._fragments = {name: FragmentDetails(fragment) for name, fragment in info.fragments.items()}

    def inside_item(self, info: GraphQLResolveInfo[Any]) -> int:
        """The number of nodes requested inside each object that this field returns."""
        details = [FieldDetails(node, None) for node in info.field_nodes]
        return self._inside(assert_object_type(get_named_type(info.return_type)), details)

    def operation(self, root: GraphQLObjectType) -> int:
        collected = collect_fields(self._schema, self._fragments, self._variables, root, self._operation)
        return self._fields(root, collected.grouped_field_set)

    def _fields(self, parent: GraphQLObjectType, fields: GroupedFieldSet) -> int:
        return sum(self._field(parent, details) for details in fields.values())

    def _field(self, parent: GraphQLObjectType, details: FieldDetailsList) -> int:
        node = details[0].node
        field = parent.fields.get(node.name.value)
        if field is None:  # introspection
            return 0
        own, items, per = _cost(field)
        own += sum(math.ceil(cost * self._values(node, path)) for path, cost in per.items())
        if node.selection_set is None:
            return own
        if "first" in field.args and _is_connection(get_named_type(field.type)):
            each, once = self._inside_page(field, details)
            return own + once + self._page_size(field, node) * (1 + each)
        inside = max(self._inside(type_, details) for type_ in self._objects(get_named_type(field.type)))
        if "first" in field.args:
            items = self._page_size(field, node)
        return own + (inside if items is None else items * (1 + inside))

    def _inside_page(self, field: GraphQLField, details: FieldDetailsList) -> tuple[int, int]:
        """The number of nodes requested inside each item of a connection, and of it as a whole."""
        connection = assert_object_type(get_named_type(field.type))
        fields = self._subfields(connection, details)
        each = {key: value for key, value in fields.items() if value[0].node.name.value in ITEMS_OF_PAGE}
        once = {key: value for key, value in fields.items() if key not in each}
        return self._fields(connection, each), self._fields(connection, once)

    def _inside(self, type_: GraphQLObjectType, details: FieldDetailsList) -> int:
        return self._fields(type_, self._subfields(type_, details))

    def _subfields(self, type_: GraphQLObjectType, details: FieldDetailsList) -> GroupedFieldSet:
        collected = collect_subfields(
            self._schema, self._fragments, self._variables, self._operation, type_, details
        )
        return collected.grouped_field_set

    def _objects(self, type_: GraphQLNamedType) -> list[GraphQLObjectType]:
        if is_abstract_type(type_):
            return list(self._schema.get_possible_types(type_))
        return [assert_object_type(type_)]

    def _page_size(self, field: GraphQLField, node: FieldNode) -> int:
        first = self._int_argument(node, "first")
        if first is None:
            first = field.args["first"].default_value
        return min(max(int(first), 0), MAX_PAGE_SIZE)  # the resolver refuses other sizes

    def _values(self, node: FieldNode, path: str) -> int:
        """How many values an argument has, at the end of a path of names."""
        name, *names = path.split(".")
        arguments = {argument.name.value: argument.value for argument in node.arguments or ()}
        return _count_values(arguments.get(name), names, self._variables.coerced)

    def _int_argument(self, node: FieldNode, name: str) -> Any:
        """The value of an Int argument; None if it is absent or null."""
        arguments = {argument.name.value: argument.value for argument in node.arguments or ()}
        value = arguments.get(name)
        if isinstance(value, VariableNode):
            return self._variables.coerced.get(value.name.value)
        return value.value if isinstance(value, IntValueNode) else None


def _is_connection(type_: GraphQLNamedType) -> bool:
    return isinstance(type_, GraphQLObjectType) and type_.fields.keys() >= ITEMS_OF_PAGE


def _count_values(value: Any, names: Sequence[str], variables: Mapping[str, Any]) -> int:
    """How many values there are below a literal or the value of a variable."""
    if isinstance(value, VariableNode):
        value = variables.get(value.name.value)
    if value is None or isinstance(value, NullValueNode):
        return 0
    if isinstance(value, list | ListValueNode):
        items = value if isinstance(value, list) else value.values
        return sum(_count_values(item, names, variables) for item in items) if names else len(items)
    if not names:
        return 1
    if isinstance(value, ObjectValueNode):
        value = {member.name.value: member.value for member in value.fields}
    # An input of a long list is an object from its coercion on, with the same names.
    member = value.get(names[0]) if isinstance(value, Mapping) else getattr(value, names[0], None)
    return _count_values(member, names[1:], variables)


def _cost(field: GraphQLField) -> tuple[int, int | None, Mapping[str, float]]:
    """The nodes that the field itself counts as, the number of items that its metadata assumes, and `per`."""
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    metadata = definition.metadata if definition else {}
    return metadata.get("nodes", 0), metadata.get("items"), metadata.get("per", {})
