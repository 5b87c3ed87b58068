"""Gives a stable id to each process, flow node and sequence flow whose document leaves the id out.

The schema of BPMN makes ids optional, and engines run such documents. An id is made from what the element
is and what it connects, never from its place in the document. Each of these ids has a colon, so that no
reference of the document can find it: references are read without their namespace prefix.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from hashlib import blake2b
from itertools import chain, count

from uplift.domain.bpmn.events import Definitions, local_name, read_trigger
from uplift.domain.bpmn.model import SCOPE_KINDS, ElementKind, Trigger, TriggerKind
from uplift.domain.bpmn.nodes import flow_nodes_inside, nodes_named
from uplift.domain.bpmn.tree import Node
from uplift.domain.errors import InvalidModel

# A gateway joins only if sequence flows name it as their target, which they cannot do without its id.
_NEVER_A_POSITION = frozenset(
    {
        ElementKind.SUB_PROCESS,
        ElementKind.EVENT_SUB_PROCESS,
        ElementKind.TRANSACTION,
        ElementKind.START_EVENT,
        ElementKind.END_EVENT,
        ElementKind.INTERMEDIATE_THROW_EVENT,
        ElementKind.BOUNDARY_EVENT,
        ElementKind.EXCLUSIVE_GATEWAY,
        ElementKind.INCLUSIVE_GATEWAY,
        ElementKind.PARALLEL_GATEWAY,
        ElementKind.COMPLEX_GATEWAY,
    }
)
"""Kinds at which no instance waits if they have no id; it may wait at an element inside."""

_MAX_FACT = 80
"""The longest part of an id, in characters. Without a limit, the long id of one scope would be repeated in
the id of each element inside, and a document could take much more memory than its size."""


def name_processes(root: Node, document_ids: Set[str]) -> None:
    """Give an id to each process without one, made from its name."""
    _Names(document_ids).give(
        (_joined("process", [_shortened(process.attributes.get("name", ""))]), process)
        for process in root.children_named("process")
        if process.id is None
    )


def name_flow_nodes(process: Node, definitions: Definitions, document_ids: Set[str]) -> None:
    """Give an id to each flow node without one, made from its kind, scope, host, trigger and start events.

    Raises InvalidModel for a flow node without an id at which an instance can wait.
    """
    _name_inside(process, None, _Names(document_ids), definitions)


def name_flows(process: Node, document_ids: Set[str]) -> None:
    """Give an id to each sequence flow without one, made from its source, target and condition."""
    _Names(document_ids).give(
        (_flow_label(flow), flow) for flow in nodes_named(process, "sequenceFlow") if flow.id is None
    )


class _Names:
    """Gives ids that are not taken. Nodes with the same label are numbered in the order of their content."""

    __slots__ = ("_digests", "_taken")

    def __init__(self, taken: Set[str]) -> None:
        self._taken = set(taken)
        self._digests: dict[Node, bytes] = {}

    def give(self, labelled: Iterable[tuple[str, Node]]) -> None:
        nodes: defaultdict[str, list[Node]] = defaultdict(list)
        for label, node in labelled:
            nodes[label].append(node)
        for label, alike in sorted(nodes.items()):
            free = self._free(label)
            for node in sorted(alike, key=self._digest) if len(alike) > 1 else alike:
                node.attributes["id"] = next(free)
                self._taken.add(str(node.id))

    def _free(self, label: str) -> Iterator[str]:
        names = chain([label], (f"{label} #{number}" for number in count(2)))
        return (name for name in names if name not in self._taken)

    def _digest(self, node: Node) -> bytes:
        """A digest of a tag and its content, in any order. It is kept, so that nested tags are read once."""
        if node not in self._digests:
            inside = sorted(self._digest(child) for child in node.children)
            content = (node.tag, sorted(node.attributes.items()), node.text, inside)
            self._digests[node] = blake2b(repr(content).encode(), digest_size=16).digest()
        return self._digests[node]


def _name_inside(scope: Node, scope_id: str | None, names: _Names, definitions: Definitions) -> None:
    children = list(flow_nodes_inside(scope))
    # Once for all elements inside: an id may be as long as the document.
    around = [] if scope_id is None else [f"in {_shortened(scope_id)}"]
    names.give((_label(node, kind, around, definitions), node) for node, kind in children if node.id is None)
    for node, _ in sorted(children, key=lambda child: str(child[0].id)):
        _name_inside(node, node.id, names, definitions)


def _label(node: Node, kind: ElementKind, around: list[str], definitions: Definitions) -> str:
    trigger = read_trigger(node, definitions)
    is_link = trigger is not None and trigger.kind is TriggerKind.LINK
    if kind not in _NEVER_A_POSITION and not (kind is ElementKind.INTERMEDIATE_CATCH_EVENT and is_link):
        raise InvalidModel(
            f"Expected each {node.bpmn_name} to have an id, because instances can wait there, "
            "but one has none. Give it an id.",
            line=node.line,
        )
    facts = around.copy()
    if kind is ElementKind.BOUNDARY_EVENT:
        facts.append(f"on {_shortened(local_name(node.attributes.get('attachedToRef', '')))}")
    if kind in SCOPE_KINDS:
        starts = node.children_named("startEvent")
        facts += sorted(
            _shortened(start.id or "") or _described(read_trigger(start, definitions)) for start in starts
        )
    if trigger is not None:
        facts.append(_described(trigger))
    return _joined(kind, facts)


def _flow_label(flow: Node) -> str:
    ends = [_shortened(local_name(flow.attributes[end])) for end in ("sourceRef", "targetRef")]
    conditions = sorted(_shortened(node.text) for node in flow.children_named("conditionExpression"))
    return _joined(
        "sequenceFlow", [f"from {ends[0]}", f"to {ends[1]}", *(f"if {text}" for text in conditions)]
    )


def _described(trigger: Trigger | None) -> str:
    if trigger is None:
        return "no trigger"
    return trigger.kind.value if trigger.detail is None else f"{trigger.kind} {_shortened(trigger.detail)}"


def _joined(kind: str, facts: Iterable[str]) -> str:
    return f"{kind}: {', '.join(facts)}".strip()


def _shortened(fact: str) -> str:
    if len(fact) <= _MAX_FACT:
        return fact
    # Many events may share one long name, so it is not read to its end. Content tells apart what is alike.
    return f"{fact[:_MAX_FACT]}… ({len(fact)} characters)"
