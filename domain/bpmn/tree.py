"""Is this XML that may be trusted, and which line does each of its tags stand on?

The parser is defusedxml's with everything forbidden that a BPMN document does not need: document type
declarations, entities, external references. Size and depth are limited before anything is built.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from defusedxml.common import (  # type: ignore[import-untyped]
    DTDForbidden,
    EntitiesForbidden,
    ExternalReferenceForbidden,
)
from defusedxml.ElementTree import DefusedXMLParser, ParseError  # type: ignore[import-untyped]

from uplift.domain.errors import InvalidModel

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
"""The namespace of BPMN 2.0 models, as it stands before a local name."""

DEFAULT_MAX_BYTES = 5 * 1024 * 1024
"""Twenty times the largest reference model of the interchange working group."""

MAX_DEPTH = 200
"""Tags inside tags; a subprocess costs one level, so no drawn process comes near it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """A tag: its name with namespace, its attributes, the line it starts on (from 1), what is inside."""

    tag: str
    attributes: dict[str, str]
    line: int
    inside: list["Node"] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def bpmn_name(self) -> str | None:
        """The local name of a BPMN tag; None for a vendor's extension."""
        return self.tag.removeprefix(BPMN) if self.tag.startswith(BPMN) else None

    @property
    def id(self) -> str | None:
        """The id; None when it has none or an empty one."""
        return self.attributes.get("id") or None

    @property
    def text(self) -> str:
        """The text directly inside, without the white space around it."""
        return "".join(self.texts).strip()

    def named(self, *names: str) -> Iterator["Node"]:
        """The BPMN tags directly inside with one of these local names, in document order."""
        return (node for node in self.inside if node.bpmn_name in names)

    def states(self, attribute: str, *, default: bool = False) -> bool:
        """The value of a boolean attribute, as XML Schema writes it."""
        value = self.attributes.get(attribute)
        return default if value is None else value.strip() in {"true", "1"}


def read_tree(document: bytes, *, max_bytes: int = DEFAULT_MAX_BYTES) -> Node:
    """The root tag of an XML document.

    Raises InvalidModel for whatever is not well-formed XML in an encoding the parser knows, declares a
    document type or entities, is larger than `max_bytes` or nests deeper than MAX_DEPTH.
    """
    if len(document) > max_bytes:
        raise InvalidModel(
            f"Expected a BPMN document of at most {max_bytes} bytes, but it has {len(document)} bytes."
        )
    builder = _Builder()
    parser: Any = DefusedXMLParser(target=builder, forbid_dtd=True)
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
    # The parser looks up encodings itself and lets the errors of that out as they are.
    except (ValueError, LookupError) as error:
        raise InvalidModel(
            f"Expected XML in an encoding that can be read (such as UTF-8), but the parser says: {error}.",
            line=builder.line,
        ) from error
    return builder.root


class _Builder:
    """What the parser calls for each tag and text; keeps the way from the root to the open tag."""

    __slots__ = ("_open", "expat", "root")

    def __init__(self) -> None:
        self.expat: Any
        self.root: Node
        self._open: list[Node] = []

    @property
    def line(self) -> int:
        """The line the parser has come to."""
        return int(self.expat.CurrentLineNumber)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) == MAX_DEPTH:
            raise InvalidModel(
                f"Expected at most {MAX_DEPTH} tags inside each other, but there are more.", line=self.line
            )
        node = Node(tag=tag, attributes=attributes, line=self.line)
        if self._open:
            self._open[-1].inside.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, tag: str) -> None:  # noqa: ARG002 - the parser has matched the tags already
        self._open.pop()

    def data(self, text: str) -> None:
        self._open[-1].texts.append(text)

    def close(self) -> None:
        return None
