"""How many nodes may one operation ask for?

A page inside a page multiplies: 100 processes with 100 instances each are 10,100 nodes. That is counted from
the page sizes asked for, before anything is read or written, and refused above the limit `max_nodes`. It
happens when a field at the top of the operation is resolved, because page sizes may be variables, which
validation does not know.
"""

from collections.abc import Mapping
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    IntValueNode,
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
from uplift.graphql_api.engine.errors import RequestCode, request_error


class WithinBudget(FieldExtension):
    """Refuses a field at the top of an operation that asks for more nodes in all than one may."""

    async def resolve_async(
        self, next_: AsyncExtensionResolver, source: Any, info: Any, **kwargs: Any
    ) -> Any:
        nodes, most = requested_nodes(info._raw_info), info.context.limits.max_nodes
        if nodes > most:
            raise request_error(
                RequestCode.LIMIT_EXCEEDED,
                f"Expected to read at most {most:,} nodes in one operation, but its page sizes, "
                f"multiplied down the nesting, ask for {nodes:,}.",
            )
        return await next_(source, info, **kwargs)


def counted_as(nodes: int, *, items: int | None = None) -> Mapping[str, int | None]:
    """Metadata of a field that is as dear as this many nodes, and of one that lists about so many items."""
    return {"nodes": nodes, "items": items}


def must_fit_budget(info: Any, *, items: int) -> None:
    """Refuse what this field asks of each of its items, now that it is known how many there are."""
    inside, most = _Counting(info._raw_info).inside_one(info._raw_info), info.context.limits.max_nodes
    if inside and items * (1 + inside) > most:
        raise request_error(
            RequestCode.LIMIT_EXCEEDED,
            f"Expected to read at most {most:,} nodes in one operation, but {info.field_name} has "
            f"{items:,} items, which ask for {1 + inside:,} each.",
        )


def requested_nodes(info: GraphQLResolveInfo[Any]) -> int:
    """How many nodes the whole operation to which this field belongs asks for."""
    root = info.schema.get_root_type(info.operation.operation)
    assert root is not None, "an operation that runs has a root type"
    return _Counting(info).operation(root)


class _Counting:
    """Walks an operation as the executor does, but with page sizes in place of data."""

    def __init__(self, info: GraphQLResolveInfo[Any]) -> None:
        self._schema = info.schema
        self._operation = info.operation
        # Strawberry hands out the coerced values alone, which is all that @skip and @include look at.
        self._variables = VariableValues(sources={}, coerced=cast("dict[str, Any]", info.variable_values))
        self._fragments = {name: FragmentDetails(fragment) for name, fragment in info.fragments.items()}

    def inside_one(self, info: GraphQLResolveInfo[Any]) -> int:
        """How many nodes are asked for inside each object that this field returns."""
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
        own, items = _cost(field)
        if node.selection_set is None:
            return own
        inside = max(self._inside(type_, details) for type_ in self._objects(get_named_type(field.type)))
        if "first" in field.args:
            items = self._page_size(field, node)
        return own + (inside if items is None else items * (1 + inside))

    def _inside(self, type_: GraphQLObjectType, details: FieldDetailsList) -> int:
        collected = collect_subfields(
            self._schema, self._fragments, self._variables, self._operation, type_, details
        )
        return self._fields(type_, collected.grouped_field_set)

    def _objects(self, type_: GraphQLNamedType) -> list[GraphQLObjectType]:
        if is_abstract_type(type_):
            return list(self._schema.get_possible_types(type_))
        return [assert_object_type(type_)]

    def _page_size(self, field: GraphQLField, node: FieldNode) -> int:
        first = self._given(node, "first")
        if first is None:
            first = field.args["first"].default_value
        return min(max(int(first), 0), MAX_PAGE_SIZE)  # other sizes are refused where they stand

    def _given(self, node: FieldNode, name: str) -> Any:
        """The value of an Int argument; None if it was not given, or given as null."""
        value = next((given.value for given in node.arguments or () if given.name.value == name), None)
        if isinstance(value, VariableNode):
            return self._variables.coerced.get(value.name.value)
        return value.value if isinstance(value, IntValueNode) else None


def _cost(field: GraphQLField) -> tuple[int, int | None]:
    """How many nodes the field itself counts as, and how many items it lists where that is assumed."""
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    metadata = definition.metadata if definition else {}
    return metadata.get("nodes", 0), metadata.get("items")
