"""Parses untrusted XML into a tree of tags with line numbers.

The parser is that of defusedxml. It forbids document type declarations, entities and external references,
which BPMN documents do not need. Size and depth are limited while parsing, so that no large tree is built.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from defusedxml.common import (
    DTDForbidden,
    EntitiesForbidden,
    ExternalReferenceForbidden,
)
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from uplift.domain.errors import InvalidModel

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
"""The namespace of BPMN 2.0 models, in the form in which ElementTree prefixes local names."""

DEFAULT_MAX_BYTES = 5 * 1024 * 1024
"""Twenty times the size of the largest reference model of the BPMN Model Interchange Working Group."""

MAX_DEPTH = 200
"""The most nested tags. A subprocess takes one level, so processes in practice stay far below."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """A tag with its namespace, its attributes, the line it starts on (from 1) and its content."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list["Node"] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def bpmn_name(self) -> str | None:
        """The local name of a BPMN tag, or None for a tag of another namespace."""
        return self.tag.removeprefix(BPMN) if self.tag.startswith(BPMN) else None

    @property
    def id(self) -> str | None:
        """The id, or None if it is missing or empty."""
        return self.attributes.get("id") or None

    @property
    def title(self) -> str:
        """The id in quotes, or the local name of a tag without an id, for messages."""
        return f"the {self.bpmn_name} without an id" if self.id is None else f"'{self.id}'"

    @property
    def text(self) -> str:
        """The text directly inside, stripped of white space."""
        return "".join(self.texts).strip()

    def children_named(self, *names: str) -> Iterator["Node"]:
        """The BPMN tags directly inside that have one of these local names, in document order."""
        return (node for node in self.children if node.bpmn_name in names)

    def is_true(self, attribute: str, *, default: bool = False) -> bool:
        """The value of a boolean attribute in the notation of XML Schema."""
        value = self.attributes.get(attribute)
        return default if value is None else value.strip() in {"true", "1"}


def read_tree(document: bytes, *, max_bytes: int = DEFAULT_MAX_BYTES) -> Node:
    """Parse an XML document and return its root tag.

    Raises InvalidModel if the document is not well-formed XML in a known encoding, declares a document type
    or entities, is larger than `max_bytes`, or is nested deeper than MAX_DEPTH.
    """
    if len(document) > max_bytes:
        raise InvalidModel(
            f"Expected a BPMN document of at most {max_bytes} bytes, but it has {len(document)} bytes."
        )
    builder = _Builder()
    parser: Any = DefusedXMLParser(target=builder, forbid_dtd=True)
    # Only the expat parser inside knows the current line, which ElementTree does not pass on.
    builder.expat = parser.parser
    return _parse(parser, builder, document)


def _parse(parser: Any, builder: "_Builder", document: bytes) -> Node:
    try:
        parser.feed(document)
        parser.close()
    except ParseError as error:
        raise InvalidModel(
            f"Expected well-formed XML, but the parser says: {error}.", line=error.position[0]
        ) from error
    except (DTDForbidden, EntitiesForbidden, ExternalReferenceForbidden) as error:
        raise InvalidModel(
            "Expected a BPMN document without document type, entities and external references, "
            "but it declares one.",
            line=builder.line,
        ) from error
    # Expat looks up the declared encoding in Python, and lets the errors of that lookup through.
    except (ValueError, LookupError) as error:
        raise InvalidModel(
            f"Expected XML in an encoding that can be read (such as UTF-8), but the parser says: {error}.",
            line=builder.line,
        ) from error
    return builder.root


class _Builder:
    """The target of the parser, which calls it for each tag and text. `_open` is the path to the open tag."""

    __slots__ = ("_open", "expat", "root")

    def __init__(self) -> None:
        self.expat: Any
        self.root: Node
        self._open: list[Node] = []

    @property
    def line(self) -> int:
        """The line at which the parser is."""
        return int(self.expat.CurrentLineNumber)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) == MAX_DEPTH:
            raise InvalidModel(
                f"Expected at most {MAX_DEPTH} tags inside each other, but there are more.", line=self.line
            )
        node = Node(tag=tag, attributes=attributes, line=self.line)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, tag: str) -> None:  # noqa: ARG002 - the parser has matched the tags already
        self._open.pop()

    def data(self, text: str) -> None:
        self._open[-1].texts.append(text)

    def close(self) -> None:
        return None
