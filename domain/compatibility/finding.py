"""Defines the findings on elements that compare differently in two versions of a process."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import islice

from uplift.domain.bpmn.model import Element, ElementKind


class Severity(StrEnum):
    """The effect of a finding: an ERROR prevents an upgrade, a WARNING never does."""

    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """The stable codes of findings (rules.md#the-pair), in reading order: errors first, then warnings."""

    ELEMENT_MISSING = "ELEMENT_MISSING"
    MAPPED_TWICE = "MAPPED_TWICE"
    TYPE_CHANGED = "TYPE_CHANGED"
    EVENT_TYPE_CHANGED = "EVENT_TYPE_CHANGED"
    SCOPE_CHANGED = "SCOPE_CHANGED"
    HOST_CHANGED = "HOST_CHANGED"
    TARGET_TAKEN = "TARGET_TAKEN"
    MULTI_INSTANCE_ADDED = "MULTI_INSTANCE_ADDED"
    MULTI_INSTANCE_CHANGED = "MULTI_INSTANCE_CHANGED"
    MULTI_INSTANCE_SPLIT = "MULTI_INSTANCE_SPLIT"
    GATEWAY_NARROWED = "GATEWAY_NARROWED"
    CALLED_PROCESS_CHANGED = "CALLED_PROCESS_CHANGED"
    NOT_A_WAIT_STATE = "NOT_A_WAIT_STATE"
    COMPENSATION_HANDLER = "COMPENSATION_HANDLER"
    COMPENSATION_LOST = "COMPENSATION_LOST"
    NAME_CHANGED = "NAME_CHANGED"
    NEW_BOUNDARY_EVENT = "NEW_BOUNDARY_EVENT"
    LISTENER_REMOVED = "LISTENER_REMOVED"
    LISTENERS_MERGED = "LISTENERS_MERGED"
    LISTENER_MULTIPLIED = "LISTENER_MULTIPLIED"
    EVENT_DEFINITION_CHANGED = "EVENT_DEFINITION_CHANGED"
    PATH_BEHIND_CHANGED = "PATH_BEHIND_CHANGED"
    FORM_CHANGED = "FORM_CHANGED"
    IMPLEMENTATION_CHANGED = "IMPLEMENTATION_CHANGED"
    WAIT_REMOVED = "WAIT_REMOVED"
    NO_MODEL = "NO_MODEL"
    ENGINE_OBJECTS = "ENGINE_OBJECTS"
    ENGINE_NOT_ASKED = "ENGINE_NOT_ASKED"

    @property
    def severity(self) -> Severity:
        """The severity of every finding with this code."""
        return Severity.WARNING if self in WARNING_CODES else Severity.ERROR


WARNING_CODES = frozenset(
    {
        Code.NAME_CHANGED,
        Code.NEW_BOUNDARY_EVENT,
        Code.LISTENER_REMOVED,
        Code.LISTENERS_MERGED,
        Code.LISTENER_MULTIPLIED,
        Code.EVENT_DEFINITION_CHANGED,
        Code.PATH_BEHIND_CHANGED,
        Code.FORM_CHANGED,
        Code.IMPLEMENTATION_CHANGED,
        Code.WAIT_REMOVED,
        Code.NO_MODEL,
        Code.ENGINE_OBJECTS,
        Code.ENGINE_NOT_ASKED,
    }
)

MAX_NAMES = 3
"""The most elements that a message names."""

_MAX_TEXT = 500
"""The longest id, name or other text of a document that a message repeats, in characters."""

_MAX_MESSAGES = 20
"""The most findings that one message repeats."""

_READING_ORDER = {code: index for index, code in enumerate(Code)}

_LABELS = {
    ElementKind.CALL_ACTIVITY: "call activity",
    ElementKind.SUB_PROCESS: "subprocess",
    ElementKind.EVENT_SUB_PROCESS: "event subprocess",
    ElementKind.AD_HOC_SUB_PROCESS: "ad-hoc subprocess",
    ElementKind.EVENT_BASED_GATEWAY: "event-based gateway",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An error or warning about one element of the source version.

    `source` is the id of the element (None if a version has no model, or if an engine names no element),
    `target` the id of its counterpart and `name` the name of the element; either is None if there is none.
    """

    code: Code
    source: str | None
    target: str | None = None
    name: str | None = None
    message: str

    @property
    def severity(self) -> Severity:
        """The severity of the code."""
        return self.code.severity


def in_reading_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once: errors first, then by source element, then in the order of the codes."""
    return tuple(sorted(set(findings), key=_reading_key))


def joined_messages(findings: Sequence[Finding]) -> str:
    """The messages of the first findings as one text; it counts the others."""
    text = " ".join(finding.message for finding in findings[:_MAX_MESSAGES])
    more = len(findings) - _MAX_MESSAGES
    return f"{text} And {more:,} more." if more > 0 else text


def describe(element: Element) -> str:
    """The element as messages name it, such as "user task 'approve' (Approve the invoice)"."""
    name = f" ({shortened(element.name)})" if element.name else ""
    return f"{label(element.kind)} {quoted(element.id)}{name}"


def quoted(text: str) -> str:
    """An id or another text of the document, in quotes."""
    return f"'{shortened(text)}'"


def shortened(text: str) -> str:
    """The beginning of a long text: thousands of messages may repeat the id or name of one scope."""
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def quoted_list(texts: Iterable[str], *, conjunction: str = ", ") -> str:
    """The first texts in quotes: "'a', 'b', 'c' and others"."""
    first = list(islice(texts, MAX_NAMES + 1))
    names = conjunction.join(map(quoted, first[:MAX_NAMES]))
    return f"{names} and others" if len(first) > MAX_NAMES else names


@cache
def label(kind: ElementKind) -> str:
    """The kind in words, such as "user task" or "event subprocess"."""
    return _LABELS.get(kind) or "".join(
        f" {letter.lower()}" if letter.isupper() else letter for letter in kind.value
    )


def sentence(text: str) -> str:
    """The text as a sentence: with a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def with_article(noun: str) -> str:
    """The noun with its indefinite article, such as "a user task" or "an end event"."""
    # "user" starts with a vowel letter, but not with a vowel sound.
    return f"an {noun}" if noun[0] in "aeio" else f"a {noun}"


def without_model(version: str) -> Finding:
    """The warning that a version has no BPMN model; `version` names it, such as "Version 3"."""
    return Finding(
        code=Code.NO_MODEL,
        source=None,
        message=f"{version} has no BPMN model, so nothing was compared; only the version changes.",
    )


def _reading_key(finding: Finding) -> tuple[bool, str, int, str]:
    return (
        finding.severity is Severity.WARNING,
        finding.source or "",
        _READING_ORDER[finding.code],
        finding.message,
    )
