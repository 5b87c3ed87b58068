"""Reads what the extensions of vendors say about an element, by the tables in `vendors`."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from uplift.domain.bpmn.model import ElementKind, Wait
from uplift.domain.bpmn.tree import Node, bounded
from uplift.domain.bpmn.vendors import FLOWABLE, VENDORS, Fact, Vendor

_THROW_EVENTS = frozenset({ElementKind.INTERMEDIATE_THROW_EVENT, ElementKind.END_EVENT})
_VENDORS = {namespace: vendor for vendor in VENDORS for namespace in vendor.namespaces}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """What the extensions of an element say; each field is as in `Element`."""

    form: str | None = None
    implementation: str | None = None
    called_process: str | None = None
    waits: frozenset[Wait] = frozenset()
    is_camunda_user_task: bool = False


_NONE = Extensions()
"""What most elements have."""


def read_extensions(node: Node, kind: ElementKind) -> Extensions:
    """Read the extensions of an element. The order of its tags does not matter."""
    if _is_plain(node):
        return _NONE
    called = node.attributes.get("calledElement") or None
    standard = _standard_implementations(node)
    found = _find(node)
    if not found:
        return Extensions(implementation=_joined(standard), called_process=called)
    return Extensions(
        form=_joined(form for vendor, own in found.items() for form in _forms(vendor, own)),
        implementation=_joined(
            (*(text for vendor, own in found.items() for text in _implementations(vendor, own)), *standard)
        ),
        called_process=_called_process(called, found),
        waits=frozenset(wait for vendor, own in found.items() for wait in _waits(vendor, own, kind)),
        is_camunda_user_task=kind is ElementKind.USER_TASK
        and any(vendor.user_task in own.tags for vendor, own in found.items()),
    )


def _is_plain(node: Node) -> bool:
    """Whether an element has nothing inside and no attribute that decides, like most in large documents."""
    attributes = node.attributes
    # ElementTree writes the namespace of an attribute in braces.
    return not (
        node.children
        or "calledElement" in attributes
        or "operationRef" in attributes
        or "{" in "".join(attributes)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """The extensions of one vendor: attributes by local name, and extension elements by local name."""

    attributes: dict[str, str] = field(default_factory=dict)
    tags: defaultdict[str | None, list[Node]] = field(default_factory=lambda: defaultdict(list))

    def values(self, fact: Fact) -> Iterator[str]:
        """The values of a fact with what belongs to it, such as "check, version, 3"."""
        if fact.tag is None:
            yield from _value(fact, self.attributes)
        else:
            for tag in self.tags.get(fact.tag, ()):
                yield from _value(fact, tag.attributes) if fact.attribute else filter(None, [tag.text])


def _find(node: Node) -> Mapping[Vendor, _Own]:
    """The extensions of an element, of its event definitions, and of its loop, by vendor."""
    found: defaultdict[Vendor, _Own] = defaultdict(_Own)
    ranked: dict[tuple[Vendor, str], tuple[bool, str]] = {}
    for bearer in (node, *_inside(node)):
        for name, value in bearer.attributes.items():
            if name[0] != "{":
                continue
            namespace, _, local_name = name[1:].partition("}")
            vendor = _VENDORS.get(namespace)
            if vendor is not None:
                # Of several values the least counts, so that the order of event definitions does not matter.
                rank = (namespace != vendor.namespaces[0], value)
                ranked[vendor, local_name] = min(rank, ranked.get((vendor, local_name), rank))
        for child in bearer.children:
            if child.bpmn_name == "extensionElements":
                _keep_tags(child, found)
    for (vendor, name), (_, value) in ranked.items():
        found[vendor].attributes[name] = value
    return found


def _inside(node: Node) -> Iterator[Node]:
    for child in node.children:
        name = child.bpmn_name
        if name is not None and (
            name.endswith("EventDefinition") or name == "multiInstanceLoopCharacteristics"
        ):
            yield child


def _keep_tags(extensions: Node, found: defaultdict[Vendor, _Own]) -> None:
    for tag in extensions.children:
        namespace, _, local_name = tag.tag[1:].partition("}")
        vendor = _VENDORS.get(namespace)
        if vendor is not None:
            found[vendor].tags[local_name].append(tag)
            _keep_tags(tag, found)


def _forms(vendor: Vendor, own: _Own) -> Iterator[str]:
    for fact in vendor.forms:
        yield from own.values(fact)
    fields = sorted(
        f"{tag.attributes.get('id', '')} ({tag.attributes.get('type', '')})"
        for name in vendor.form_fields
        for tag in own.tags.get(name, ())
    )
    if fields:
        yield f"fields {', '.join(fields)}"


def _implementations(vendor: Vendor, own: _Own) -> Iterator[str]:
    for fact in vendor.implementations:
        for value in own.values(fact):
            yield f"{fact.label} {value}"
    for tag in own.tags.get("field", ()) if vendor.injected_fields else ():
        label = vendor.injected_fields.get(tag.attributes.get("name", ""))
        if label is not None:
            text = tag.attributes.get("stringValue") or "".join(child.text for child in tag.children)
            yield f"{label} {text}"


def _standard_implementations(node: Node) -> list[str]:
    """What runs an element in the standard itself: its script, or the operation of its service."""
    scripts = [
        f"{node.attributes.get('scriptFormat', '')} script {script.text}".strip()
        for script in node.children_named("script")
    ]
    operation = node.attributes.get("operationRef")
    return [*scripts, f"operation {operation}"] if operation else scripts


def _called_process(standard: str | None, found: Mapping[Vendor, _Own]) -> str | None:
    for vendor, own in found.items():
        called = [] if vendor.called is None else sorted(own.values(vendor.called))
        if called:
            return called[0]
    flowable = found.get(FLOWABLE)
    if standard is not None and flowable and flowable.attributes.get("calledElementType") == "id":
        # The id of a definition starts with the key of its process: "order:3:25001".
        return standard.partition(":")[0]
    return standard


def _waits(vendor: Vendor, own: _Own, kind: ElementKind) -> Iterator[Wait]:
    for name, wait in vendor.waits.items():
        if own.attributes.get(name, "").strip() in {"true", "1"}:
            yield wait
    if kind in _THROW_EVENTS:
        for fact, value in vendor.workers:
            if any(value in (None, found) for found in own.values(fact)):
                yield Wait.WORKER


def _value(fact: Fact, attributes: Mapping[str, str]) -> Iterator[str]:
    value = attributes.get(fact.attribute, "").strip()
    if value and value != fact.default:
        further = (attributes.get(name, "").strip() for name in fact.further)
        yield ", ".join((value, *(text for text in further if text not in ("", "latest"))))


def _joined(facts: Iterable[str]) -> str | None:
    return bounded("; ".join(sorted(facts))) or None
