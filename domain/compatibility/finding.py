"""What is there to say about an element when an instance moves from one version to another?"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from uplift.domain.bpmn.model import Element, ElementKind


class Severity(StrEnum):
    """Whether a finding stands in the way of an upgrade; a warning never does."""

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
    NAME_CHANGED = "NAME_CHANGED"
    NEW_BOUNDARY_EVENT = "NEW_BOUNDARY_EVENT"
    LISTENER_REMOVED = "LISTENER_REMOVED"
    EVENT_DEFINITION_CHANGED = "EVENT_DEFINITION_CHANGED"
    PATH_BEHIND_CHANGED = "PATH_BEHIND_CHANGED"
    FORM_CHANGED = "FORM_CHANGED"
    NO_MODEL = "NO_MODEL"

    @property
    def severity(self) -> Severity:
        """Whether what it says stands in the way of an upgrade."""
        return Severity.WARNING if self in WARNING_CODES else Severity.ERROR


WARNING_CODES = frozenset(
    {
        Code.NAME_CHANGED,
        Code.NEW_BOUNDARY_EVENT,
        Code.LISTENER_REMOVED,
        Code.EVENT_DEFINITION_CHANGED,
        Code.PATH_BEHIND_CHANGED,
        Code.FORM_CHANGED,
        Code.NO_MODEL,
    }
)

_READING_ORDER = {code: place for place, code in enumerate(Code)}

_LABELS = {
    ElementKind.CALL_ACTIVITY: "call activity",
    ElementKind.SUB_PROCESS: "subprocess",
    ElementKind.EVENT_SUB_PROCESS: "event subprocess",
    ElementKind.AD_HOC_SUB_PROCESS: "ad-hoc subprocess",
    ElementKind.EVENT_BASED_GATEWAY: "event-based gateway",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to know about an element of the source version.

    `source` is the id of the element it concerns (None only when there is no model to have elements),
    `target` that of its counterpart where there is one, `name` the element's name where it has one.
    """

    code: Code
    source: str | None
    target: str | None = None
    name: str | None = None
    message: str

    @property
    def severity(self) -> Severity:
        """Whether it stands in the way of an upgrade."""
        return self.code.severity

    def to_json(self) -> dict[str, str | None]:
        """The finding as `uplift diff --json` prints it."""
        return {
            "severity": self.severity.value,
            "code": self.code.value,
            "source": self.source,
            "target": self.target,
            "message": self.message,
        }


def in_reading_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once; errors first, then by element, then in the order of the rules."""
    return tuple(sorted(set(findings), key=_reading_place))


def describe(element: Element) -> str:
    """An element as messages name it: user task 'approve' (Approve the invoice)."""
    name = f" ({element.name})" if element.name else ""
    return f"{label(element.kind)} '{element.id}'{name}"


def label(kind: ElementKind) -> str:
    """A kind in words: user task, event subprocess."""
    return _LABELS.get(kind) or "".join(f" {sign.lower()}" if sign.isupper() else sign for sign in kind.value)


def without_model(version: str) -> Finding:
    """The warning that a version (as a person would call it) has no BPMN model to compare."""
    return Finding(
        code=Code.NO_MODEL,
        source=None,
        message=f"{version} has no BPMN model, so nothing was compared; only the version changes.",
    )


def _reading_place(finding: Finding) -> tuple[bool, str, int, str]:
    return (
        finding.severity is Severity.WARNING,
        finding.source or "",
        _READING_ORDER[finding.code],
        finding.message,
    )
