"""GraphQL documents from hypothesis-graphql, half of them restricted to existing data.

A restricted document names processes, versions and pages that exist, so that the reply has data.
"""

from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    IntValueNode,
    NameNode,
    NullValueNode,
    ObjectFieldNode,
    SelectionSetNode,
    StringValueNode,
    Visitor,
    visit,
)
from hypothesis import strategies as st
from hypothesis_graphql import mutations, nodes, queries

from tests.conformance.replies import SCHEMA
from tests.rest_compat.support.rest_world import ORDERS, an_id
from uplift.gateway.demo import PROCESS, document

PROCESSES = [ORDERS, PROCESS]
ANY_CHARACTER = st.characters(exclude_categories=())
"""Any text, with lone surrogates and NUL."""


def documents(upgrade: str) -> st.SearchStrategy[DocumentNode]:
    """Queries and mutations, with `__typename` in every selection set; some ask about this upgrade."""
    known = st.sampled_from([upgrade, *(str(an_id(number)) for number in range(1, 9))])
    scalars = {
        "UUID": (known | st.uuids().map(str)).map(nodes.String),
        "DateTime": st.datetimes().map(lambda moment: nodes.String(f"{moment.isoformat()}Z")),
    }
    made: Any = [kind(SCHEMA, custom_scalars=scalars, print_ast=_as_it_is) for kind in (queries, mutations)]
    return st.builds(_spelled, st.one_of(made), st.none() | st.builds(_Tamer, st.sampled_from(PROCESSES)))


def inputs(name: str) -> st.SearchStrategy[Any]:
    """JSON values, most of them objects whose names are those of the input of a mutation, and no more."""
    kind: Any = SCHEMA.get_type(name)
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    texts = st.text(ANY_CHARACTER, max_size=20) | st.sampled_from(
        [ORDERS.namespace, ORDERS.code, str(an_id(1))]
    )
    return st.recursive(
        leaves | texts,
        lambda values: (
            st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(sorted(kind.fields)), values)
        ),
        max_leaves=20,
    )


def _as_it_is(node: Any) -> Any:
    return node


def _spelled(made: DocumentNode, tamer: "_Tamer | None") -> DocumentNode:
    named: DocumentNode = visit(made, _TypeNames())
    return visit(named, tamer) if tamer else named


class _TypeNames(Visitor):
    """Selects `__typename` in every selection set."""

    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> SelectionSetNode:
        typename = FieldNode(name=NameNode(value="__typename"), arguments=(), directives=())
        return SelectionSetNode(selections=(typename, *node.selections))


class _Tamer(Visitor):
    """Replaces arguments and input fields by existing values."""

    def __init__(self, process: Any) -> None:
        super().__init__()
        self._values = {
            "namespace": StringValueNode(value=process.namespace),
            "code": StringValueNode(value=process.code),
            "bpmn": StringValueNode(value=document(1).decode(), block=True),
            "first": IntValueNode(value="3"),
            "after": NullValueNode(),
            "version": IntValueNode(value="1"),
            "fromVersion": IntValueNode(value="1"),
            "toVersion": IntValueNode(value="2"),
            "fingerprint": NullValueNode(),
        }

    def leave_argument(self, node: ArgumentNode, *_: Any) -> ArgumentNode:
        return ArgumentNode(name=node.name, value=self._values.get(node.name.value, node.value))

    def leave_object_field(self, node: ObjectFieldNode, *_: Any) -> ObjectFieldNode:
        return ObjectFieldNode(name=node.name, value=self._values.get(node.name.value, node.value))
