"""Limits the size of GraphQL requests.

Every limit is checked before the work that it bounds: bytes before the body is decoded, tokens while the text
is parsed, and the shape of the document before its validation, which a hostile text can make quadratic.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from graphql import (
    DefinitionNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from uplift.domain.model.selection import MAX_IDS
from uplift.web.request_slots import MAX_REQUESTS, MAX_REQUESTS_PER_CALLER


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may contain; the defaults fit queries by people and 100,000 ids in one mutation."""

    max_body_bytes: int = 8 * 1024 * 1024
    """Bytes of one POST body or one WebSocket message."""
    max_body_seconds: float = 30.0
    """Seconds from the first to the last byte of a POST body."""
    max_document_characters: int = 500_000
    """Characters of the query text; many, because it may contain a BPMN model as a string."""
    max_tokens: int = 2_000
    """Lexical tokens of the query text, and as many comments."""
    max_depth: int = 12
    """Fields inside fields. graphql-core limits the lists inside `__schema` and `__type` itself."""
    max_aliases: int = 30
    """Aliased fields of an operation, each counted as often as its fragment is spread."""
    max_fields: int = 1_000
    """Fields of an operation, each counted as often as its fragment is spread."""
    max_nodes: int = 10_000
    """Nodes of an operation: its page sizes, multiplied down the nesting (budget.py)."""
    max_reply_bytes: int = 16 * 1024 * 1024
    """Bytes of one reply, or of one event of a subscription: values are counted as they are completed."""
    max_ids: int = MAX_IDS
    """Instances that one request may select, exclude, register or report."""
    max_root_fields: int = 20
    """Fields at the top of an operation."""
    max_directives: int = 5
    """Directives at one place of the document."""
    max_cached_characters: int = 250_000
    """Characters of the query texts of all cached documents; parsed they take up to 280 bytes a character."""
    max_operations: int = MAX_REQUESTS
    """Queries and mutations that this process runs concurrently."""
    max_operations_per_key: int = MAX_REQUESTS_PER_CALLER
    """Those of one caller."""
    max_streams: int = 1_000
    """WebSockets and event streams open in this process."""
    max_streams_per_key: int = 200
    """Those of one caller."""
    max_waiting_sockets: int = 400
    """WebSockets open in this process whose `connection_init` has not arrived."""
    max_operations_per_socket: int = 20
    """Concurrent operations on one WebSocket."""
    socket_init_seconds: float = 5.0
    """Seconds from the opening of a WebSocket to its `connection_init`."""
    introspection: bool = True
    """Whether `__schema` and `__type` may be queried; if not, errors suggest no names either."""


class Size(NamedTuple):
    """The measures of a selection set with its fragments in place."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    root_fields: int = 0
    directives: int = 0
    """The largest number at one place."""


def exceeded(document: DocumentNode, limits: Limits) -> list[str]:
    """A message for each limit that this parsed, not yet validated document exceeds."""
    try:
        size = measure(document)
    except RecursionError:  # a long chain of fragments in fragments
        return ["Expected fragments of limited nesting, but they are nested too deeply."]
    is_exceeded = {
        f"nested fields of depth {limits.max_depth}": size.depth > limits.max_depth,
        f"{limits.max_fields} fields": size.fields > limits.max_fields,
        f"{limits.max_aliases} aliases": size.aliases > limits.max_aliases,
        f"{limits.max_root_fields} fields at the top of an operation": size.root_fields
        > limits.max_root_fields,
        f"{limits.max_directives} directives at one place": size.directives > limits.max_directives,
    }
    return [
        f"Expected at most {limit}, but the document has more."
        for limit, exceeds in is_exceeded.items()
        if exceeds
    ]


def measure(document: DocumentNode) -> Size:
    """The maximum of each measure over all operations; fragments that form a cycle count once."""
    fragments = {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    measuring = _Measuring(fragments)
    sizes = [
        measuring.selection_set(definition.selection_set)
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
    ]
    directives = Size(directives=max(map(_directives_at_definition, document.definitions), default=0))
    return _largest([*sizes, directives])


class _Measuring:
    """Measures each fragment once; else fragments of fragments would take exponential time."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._sizes: dict[str, Size] = {}

    def selection_set(self, selection_set: SelectionSetNode | None) -> Size:
        if selection_set is None:
            return Size()
        return _together([self._selection(selection) for selection in selection_set.selections])

    def fragment(self, name: str) -> Size:
        if name not in self._sizes:
            self._sizes[name] = Size()  # found by a cycle, and by the spread of an undefined fragment
            if name in self._fragments:
                self._sizes[name] = self.selection_set(self._fragments[name].selection_set)
        return self._sizes[name]

    def _selection(self, selection: SelectionNode) -> Size:
        size = self._inside(selection)
        return size._replace(directives=max(size.directives, len(selection.directives or ())))

    def _inside(self, selection: SelectionNode) -> Size:
        if isinstance(selection, FragmentSpreadNode):
            return self.fragment(selection.name.value)
        if isinstance(selection, InlineFragmentNode):
            return self.selection_set(selection.selection_set)
        assert isinstance(selection, FieldNode)
        inside = self.selection_set(selection.selection_set)
        introspects = selection.name.value.startswith("__")
        return inside._replace(
            depth=1 if introspects else 1 + inside.depth,
            fields=1 + inside.fields,
            aliases=inside.aliases + (selection.alias is not None),
            root_fields=1,
        )


def _together(sizes: Collection[Size]) -> Size:
    """The size of selections side by side."""
    return Size(
        depth=max((size.depth for size in sizes), default=0),
        fields=sum(size.fields for size in sizes),
        aliases=sum(size.aliases for size in sizes),
        root_fields=sum(size.root_fields for size in sizes),
        directives=max((size.directives for size in sizes), default=0),
    )


def _largest(sizes: Iterable[Size]) -> Size:
    return Size(*map(max, zip(*sizes, strict=True)))


def _directives_at_definition(definition: DefinitionNode) -> int:
    places: list[Node] = [definition]
    if isinstance(definition, OperationDefinitionNode):
        places += definition.variable_definitions or ()
    return max(len(getattr(place, "directives", None) or ()) for place in places)
