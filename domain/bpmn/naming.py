"""Gives a stable id to each process, flow node and sequence flow whose document leaves the id out.

The schema of BPMN makes ids optional, and engines run such documents. Some also run a document in which
sequence flows share an id. An id is made from what the element is and what it connects, never from its place
in the document. References are resolved before, so that none finds such an id.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from hashlib import blake2b
from itertools import chain, count

from uplift.domain.bpmn.events import Definitions, read_trigger
from uplift.domain.bpmn.model import SCOPE_KINDS, ElementKind, Trigger, TriggerKind
from uplift.domain.bpmn.nodes import Contents, FlowNode
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


def name_processes(root: Node) -> None:
    """Give an id to each process without one, made from its name."""
    processes = root.children_named("process")
    _Names({process.id for process in processes if process.id is not None}).give(
        (_joined("process", [_shortened(process.attributes.get("name", ""))]), process)
        for process in root.children_named("process")
        if process.id is None
    )


def name_flow_nodes(contents: Contents, definitions: Definitions, taken: Set[str]) -> None:
    """Give an id to each flow node without one, made from its kind, scope, host, trigger and start events.

    Raises InvalidModel for a flow node without an id at which an instance can wait.
    """
    if any(found.node.id is None for found in contents.flow_nodes):
        inside: defaultdict[Node | None, list[FlowNode]] = defaultdict(list)
        for found in contents.flow_nodes:
            inside[found.scope].append(found)
        _name_inside(None, inside, _Names(taken), definitions)


def name_flows(contents: Contents, taken: Set[str]) -> None:
    """Give an id to each sequence flow without an id of its own, made from its source, target and condition.

    `taken` are the ids of the flow nodes and the process.
    """
    counts = Counter(flow.id for flow in contents.flows)
    unnamed = [flow for flow in contents.flows if counts[flow.id] > 1 or flow.id is None or flow.id in taken]
    if unnamed:
        others = {flow_id for flow_id, count_ in counts.items() if flow_id is not None and count_ == 1}
        _Names(taken | others).give((_flow_label(flow), flow) for flow in unnamed)


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
                node.id = next(free)
                self._taken.add(node.id)

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


def _name_inside(
    scope: Node | None,
    inside: defaultdict[Node | None, list[FlowNode]],
    names: _Names,
    definitions: Definitions,
) -> None:
    # Once for all elements inside: an id may be as long as the document.
    around = [] if scope is None else [f"in {_shortened(str(scope.id))}"]
    children = inside[scope]
    names.give(
        (_label(found, around, definitions), found.node) for found in children if found.node.id is None
    )
    for found in sorted(children, key=lambda child: str(child.node.id)):
        if found.node in inside:
            _name_inside(found.node, inside, names, definitions)


def _label(found: FlowNode, around: Sequence[str], definitions: Definitions) -> str:
    node, kind, _ = found
    trigger = read_trigger(node, definitions)
    is_link = trigger is not None and trigger.kind is TriggerKind.LINK
    if kind not in _NEVER_A_POSITION and not (kind is ElementKind.INTERMEDIATE_CATCH_EVENT and is_link):
        raise InvalidModel(
            f"Expected each {node.bpmn_name} to have an id, because instances can wait there, "
            "but one has none. Give it an id.",
            line=node.line,
        )
    facts = [*around]
    if kind is ElementKind.BOUNDARY_EVENT:
        facts.append(f"on {_shortened(node.attributes['attachedToRef'])}")
    if kind in SCOPE_KINDS:
        starts = node.children_named("startEvent")
        facts += sorted(
            _shortened(start.id or "") or _described(read_trigger(start, definitions)) for start in starts
        )
    if trigger is not None:
        facts.append(_described(trigger))
    return _joined(kind, facts)


def _flow_label(flow: Node) -> str:
    ends = [_shortened(flow.attributes[end]) for end in ("sourceRef", "targetRef")]
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
