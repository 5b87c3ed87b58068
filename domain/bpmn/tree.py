"""Parses untrusted XML into a tree of tags with line numbers.

The parser is that of defusedxml. It forbids document type declarations, entities and external references,
which BPMN documents do not need. Size and depth are limited while parsing, so that no large tree is built.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from defusedxml.common import (
    DTDForbidden,
    EntitiesForbidden,
    ExternalReferenceForbidden,
)
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from uplift.domain.bpmn.encoding import decode_document
from uplift.domain.errors import InvalidModel

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
"""The namespace of BPMN 2.0 models, in the form in which ElementTree prefixes local names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLimits:
    """What a BPMN document may contain. All limits are checked while it is parsed, before other work."""

    max_bytes: int = 5_000_000
    """Twenty times the size of the largest reference model of the BPMN Model Interchange Working Group."""
    max_tags: int = 50_000
    """Tags outside of diagrams. An element with its flows takes about five, so these are 10,000 elements."""
    max_depth: int = 200
    """The most nested tags. A subprocess takes one level, so processes in practice stay far below."""


DEFAULT_LIMITS = DocumentLimits()


_MAX_SHOWN = 80
"""The most characters of an id or another text of the document that a message shows."""


_MAX_KEPT = 500
"""The longest text that a model keeps of names and extensions, in characters. Thousands of events may share
one long name, and messages repeat both."""


def bounded(text: str) -> str:
    """The text, or the beginning of a long one with a digest, which tells it from others."""
    if len(text) <= _MAX_KEPT:
        return text
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{text[:_MAX_KEPT]}… ({digest})"


def quoted(text: str) -> str:
    """The beginning of a text of the document, in quotes, for messages."""
    return f"'{text}'" if len(text) <= _MAX_SHOWN else f"'{text[:_MAX_SHOWN]}…'"


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """A tag with its namespace, its attributes, the line it starts on (from 1) and its content.

    `bpmn_name` is the local name of a BPMN tag, or None for a tag of another namespace. `id` is None if it is
    missing or empty. White space before
    the first other text is not kept: it indents the tags.
    """

    tag: str
    bpmn_name: str | None
    id: str | None
    attributes: dict[str, str]
    line: int
    children: "Sequence[Node]" = ()
    texts: list[str] | None = None

    @property
    def title(self) -> str:
        """The id in quotes, or the local name of a tag without an id, for messages."""
        return f"the {self.bpmn_name} without an id" if self.id is None else quoted(self.id)

    @property
    def text(self) -> str:
        """The text directly inside, stripped of white space."""
        return "" if self.texts is None else "".join(self.texts).strip()

    def children_named(self, *names: str) -> Iterator["Node"]:
        """The BPMN tags directly inside that have one of these local names, in document order."""
        if not self.children:
            return iter(())
        return (node for node in self.children if node.bpmn_name in names)

    def is_true(self, attribute: str, *, default: bool = False) -> bool:
        """The value of a boolean attribute in the notation of XML Schema."""
        value = self.attributes.get(attribute)
        return default if value is None else value.strip() in {"true", "1"}


def read_tree(document: bytes, *, limits: DocumentLimits = DEFAULT_LIMITS) -> Node:
    """Parse an XML document and return its root tag, without diagrams.

    Raises InvalidModel if the document is not well-formed XML in an encoding that `decode_document` knows,
    declares a document type or entities, or exceeds a limit.
    """
    if len(document) > limits.max_bytes:
        raise InvalidModel(
            f"Expected a BPMN document of at most {limits.max_bytes:,} bytes, "
            f"but it has {len(document):,} bytes."
        )
    text = decode_document(document)
    builder = _Builder(limits)
    parser: Any = DefusedXMLParser(target=builder, forbid_dtd=True)
    # Only the expat parser inside knows the current line, which ElementTree does not pass on.
    builder.expat = parser.parser
    return _parse(parser, builder, text)


def _parse(parser: Any, builder: "_Builder", text: str) -> Node:
    try:
        # The parser ignores the declared encoding of text.
        parser.feed(text)
        parser.close()
    except ParseError as error:
        raise InvalidModel(
            f"Expected well-formed XML, but the parser says: {error}.", line=error.position[0]
        ) from error
    except (DTDForbidden, EntitiesForbidden, ExternalReferenceForbidden) as error:
        raise InvalidModel(
            "Expected a BPMN document without document type, entities and external references, "
            "but it declares one. Remove it.",
            line=builder.line,
        ) from error
    return builder.root


class _Builder:
    """The target of the parser, which calls it for each tag and text. `_open` is the path to the open tag.

    Tags of other namespaces directly inside the root, which are diagrams, are parsed but not kept.
    """

    __slots__ = ("_limits", "_names", "_open", "_skipped", "_tags", "expat", "root")

    def __init__(self, limits: DocumentLimits) -> None:
        self.expat: Any
        self.root: Node
        self._limits = limits
        # The local names of BPMN tags, by tag: each name is in memory once.
        self._names: dict[str, str] = {}
        self._open: list[Node] = []
        self._skipped = 0
        self._tags = 0

    @property
    def line(self) -> int:
        """The line at which the parser is."""
        return int(self.expat.CurrentLineNumber)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) + self._skipped == self._limits.max_depth:
            raise self._exceeds(f"{self._limits.max_depth:,} tags inside each other")
        if self._skipped or (len(self._open) == 1 and not tag.startswith(BPMN)):
            self._skipped += 1
            return
        self._tags += 1
        if self._tags > self._limits.max_tags:
            raise self._exceeds(f"{self._limits.max_tags:,} tags outside of diagrams")
        if tag not in self._names and tag.startswith(BPMN):
            self._names[tag] = tag.removeprefix(BPMN)
        node = Node(
            tag=tag,
            bpmn_name=self._names.get(tag),
            # XML Schema strips ids, and so do engines that validate documents.
            id=attributes.get("id", "").strip() or None,
            attributes=attributes,
            line=self.expat.CurrentLineNumber,
        )
        if self._open:
            self._keep_child(self._open[-1], node)
        else:
            self.root = node
        self._open.append(node)

    def _keep_child(self, parent: Node, child: Node) -> None:
        # Most tags have nothing inside, so a list is made for the others only.
        if isinstance(parent.children, list):
            parent.children.append(child)
        else:
            parent.children = [child]

    def end(self, tag: str) -> None:  # noqa: ARG002 - the parser has matched the tags already
        if self._skipped:
            self._skipped -= 1
        else:
            self._open.pop()

    def data(self, text: str) -> None:
        if self._skipped:
            return
        texts = self._open[-1].texts
        if texts is not None:
            texts.append(text)
        elif not text.isspace():
            self._open[-1].texts = [text]

    def close(self) -> None:
        return None

    def _exceeds(self, limit: str) -> InvalidModel:
        return InvalidModel(f"Expected at most {limit}, but the document has more.", line=self.line)
