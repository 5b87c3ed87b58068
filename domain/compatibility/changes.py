"""What is different between two versions, element by element?"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from uplift.domain.bpmn.model import Element
from uplift.domain.compatibility.pairs import Pairs


class Aspect(StrEnum):
    """What may change of an element."""

    NAME = "name"
    FORM = "form"
    KIND = "kind"
    TRIGGER = "trigger"
    EVENT_DEFINITION = "event definition"
    INTERRUPTING = "interrupting"
    MULTI_INSTANCE = "multi-instance"
    CALLED_PROCESS = "called process"
    HOST = "host"
    SCOPE = "scope"


_LOOKS = frozenset({Aspect.NAME, Aspect.FORM})
"""Aspects that change nothing in how the process runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An element that both versions have, and the aspects in which they differ."""

    source: str
    target: str
    aspects: tuple[Aspect, ...]

    @property
    def changes_behaviour(self) -> bool:
        """Whether more than its looks changed."""
        return not _LOOKS.issuperset(self.aspects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Elements (by id, sorted) that only the target has, that only the source has, that differ."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]


def find_changes(pairs: Pairs) -> Changes:
    """Compare all elements, by their pair where they have one, else by the id."""
    source, target = pairs.source_model.elements, pairs.target_model.elements
    counterparts = {
        element: counterpart
        for element in source
        if (counterpart := _counterpart(element, pairs)) is not None
    }
    changes = (
        Change(
            source=element,
            target=after,
            aspects=tuple(_aspects(source[element], target[after], counterparts)),
        )
        for element, after in sorted(counterparts.items())
    )
    return Changes(
        added=tuple(sorted(target.keys() - counterparts.values())),
        removed=tuple(sorted(source.keys() - counterparts.keys())),
        changed=tuple(change for change in changes if change.aspects),
    )


def _counterpart(element: str, pairs: Pairs) -> str | None:
    pair = pairs.of(element)
    if pair is not None:
        return pair.target.id
    return element if element in pairs.target_model.elements else None


def _aspects(before: Element, after: Element, counterparts: dict[str, str]) -> Iterator[Aspect]:
    for aspect, this, that in (
        (Aspect.NAME, before.name, after.name),
        (Aspect.FORM, before.form_key, after.form_key),
        (Aspect.KIND, before.kind, after.kind),
        (Aspect.TRIGGER, before.trigger_kind, after.trigger_kind),
        (Aspect.INTERRUPTING, before.interrupting, after.interrupting),
        (Aspect.MULTI_INSTANCE, before.multi_instance, after.multi_instance),
        (Aspect.CALLED_PROCESS, before.called_process, after.called_process),
        (Aspect.HOST, _moved(before.host, counterparts), after.host),
        (Aspect.SCOPE, _moved(before.scope, counterparts), after.scope),
    ):
        if this != that:
            yield aspect
    if before.trigger_kind is after.trigger_kind and before.trigger != after.trigger:
        yield Aspect.EVENT_DEFINITION


def _moved(element: str | None, counterparts: dict[str, str]) -> str | None:
    return None if element is None else counterparts.get(element, element)
