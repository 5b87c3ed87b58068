"""Lists the elements that differ between two versions of a process."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from uplift.domain.bpmn.model import Element
from uplift.domain.compatibility.mapping.pairs import Pairs


class Aspect(StrEnum):
    """The aspects of an element that two versions may define differently."""

    NAME = "name"
    FORM = "form"
    IMPLEMENTATION = "implementation"
    WAITS = "waits"
    KIND = "kind"
    TRIGGER = "trigger"
    EVENT_DEFINITION = "event definition"
    INTERRUPTING = "interrupting"
    MULTI_INSTANCE = "multi-instance"
    CALLED_PROCESS = "called process"
    HOST = "host"
    SCOPE = "scope"


_BESIDE_THE_PATH = frozenset({Aspect.NAME, Aspect.FORM, Aspect.IMPLEMENTATION, Aspect.WAITS})
"""Aspects that leave the path of an instance as it was. An instance that has passed an element has its
result, whichever form or worker it came from. The element itself has a warning about them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An element of both versions, and the aspects in which its definitions differ."""

    source: str
    target: str
    aspects: tuple[Aspect, ...]

    @property
    def changes_path(self) -> bool:
        """Whether the change affects the path of an instance, not only how one element looks or runs."""
        return not _BESIDE_THE_PATH.issuperset(self.aspects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The elements that only the target version has, that only the source version has, and that differ.

    `added` and `removed` hold ids. All three are sorted by id.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]


def find_changes(pairs: Pairs) -> Changes:
    """Compare each source element with the target of its pair, or else with the element of the same id."""
    source, target = pairs.source_model.elements, pairs.target_model.elements
    counterparts = {
        element: counterpart
        for element in source
        if (counterpart := _counterpart(element, pairs)) is not None
    }
    changes = (
        Change(
            source=element,
            target=counterpart,
            aspects=tuple(_aspects(source[element], target[counterpart], counterparts)),
        )
        for element, counterpart in sorted(counterparts.items())
    )
    return Changes(
        added=tuple(sorted(target.keys() - counterparts.values())),
        removed=tuple(sorted(source.keys() - counterparts.keys())),
        changed=tuple(change for change in changes if change.aspects),
    )


def _counterpart(element: str, pairs: Pairs) -> str | None:
    pair = pairs.by_source(element)
    if pair is not None:
        return pair.target.id
    return element if element in pairs.target_model.elements else None


def _aspects(before: Element, after: Element, counterparts: dict[str, str]) -> Iterator[Aspect]:
    for aspect, source_value, target_value in (
        (Aspect.NAME, before.name, after.name),
        (Aspect.FORM, before.form, after.form),
        (Aspect.IMPLEMENTATION, _runs_by(before), _runs_by(after)),
        (Aspect.WAITS, before.waits, after.waits),
        (Aspect.KIND, before.kind, after.kind),
        (Aspect.TRIGGER, before.trigger_kind, after.trigger_kind),
        (Aspect.INTERRUPTING, before.interrupting, after.interrupting),
        (Aspect.MULTI_INSTANCE, before.multi_instance, after.multi_instance),
        (Aspect.CALLED_PROCESS, before.called_process, after.called_process),
        (Aspect.HOST, _counterpart_id(before.host, counterparts), after.host),
        (Aspect.SCOPE, _counterpart_id(before.scope, counterparts), after.scope),
    ):
        if source_value != target_value:
            yield aspect
    if before.trigger_kind is after.trigger_kind and before.trigger != after.trigger:
        yield Aspect.EVENT_DEFINITION


def _runs_by(element: Element) -> tuple[str | None, bool]:
    return element.implementation, element.is_camunda_user_task


def _counterpart_id(element: str | None, counterparts: dict[str, str]) -> str | None:
    return None if element is None else counterparts.get(element, element)
