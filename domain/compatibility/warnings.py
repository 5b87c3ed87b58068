"""What should an operator know about an upgrade that nothing stands in the way of?"""

from collections.abc import Iterator

from uplift.domain.bpmn.model import Element, TriggerKind
from uplift.domain.compatibility.changes import Changes
from uplift.domain.compatibility.finding import Code, Finding, describe
from uplift.domain.compatibility.pairs import Pair, Pairs
from uplift.domain.compatibility.upstream import changes_behind
from uplift.domain.compatibility.wait_states import (
    event_subprocess_starts,
    holds_instances,
    is_armed,
    is_listener,
    listens_with,
)

_NAMED = 3
"""How many passed elements a message names before it only counts."""


def find_warnings(pairs: Pairs, changes: Changes) -> Iterator[Finding]:
    """Every warning about a pair, about listeners that are new or gone, about the way behind."""
    for pair in pairs:
        yield from name_changed(pair)
        yield from form_changed(pair)
        yield from event_definition_changed(pair)
    yield from new_listeners(pairs)
    yield from removed_listeners(pairs)
    yield from path_behind_changed(pairs, changes)


def name_changed(pair: Pair) -> Iterator[Finding]:
    """The element is called something else."""
    if pair.source.name != pair.target.name:
        yield _warning(
            Code.NAME_CHANGED, pair, f"is called {_quoted(pair.target.name)} in the target version"
        )


def form_changed(pair: Pair) -> Iterator[Finding]:
    """The element shows another form."""
    if pair.source.form_key != pair.target.form_key:
        yield _warning(
            Code.FORM_CHANGED,
            pair,
            f"has form {_quoted(pair.target.form_key)} instead of {_quoted(pair.source.form_key)}",
        )


def event_definition_changed(pair: Pair) -> Iterator[Finding]:
    """The trigger is of the same kind, but means another message, signal or time."""
    before, after = pair.source.trigger, pair.target.trigger
    if before and after and before.kind is after.kind and before.detail != after.detail:
        stale = (
            f", but {_quoted(before.detail)} stays armed unless the event trigger is updated"
            if is_armed(pair.source)
            else f" instead of {_quoted(before.detail)}"
        )
        fact = f"waits for {before.kind} {_quoted(after.detail)} in the target version{stale}"
        yield _warning(Code.EVENT_DEFINITION_CHANGED, pair, fact)


def new_listeners(pairs: Pairs) -> Iterator[Finding]:
    """A boundary event or event subprocess is new around where an instance may be."""
    for event in event_subprocess_starts(None, pairs.target_model):
        yield from _new_listener(event, None, pairs)
    for pair in pairs:
        for event in pairs.target_model.boundary_events(pair.target.id):
            yield from _new_listener(event, pair, pairs)
        for event in event_subprocess_starts(pair.target.id, pairs.target_model):
            yield from _new_listener(event, pair, pairs)


def removed_listeners(pairs: Pairs) -> Iterator[Finding]:
    """A boundary event, or the start of an event subprocess, is gone while what it belongs to is left."""
    for element in pairs.source_model.elements.values():
        if (
            is_listener(element, pairs.source_model)
            and pairs.of(element.id) is None
            and element.id not in pairs.target_model.elements
            and _belongs_to_something_left(element, pairs)
        ):
            yield Finding(
                code=Code.LISTENER_REMOVED,
                source=element.id,
                name=element.name,
                message=f"{describe(element)} is gone in the target version: "
                "an upgraded instance no longer listens for it.",
            )


def path_behind_changed(pairs: Pairs, changes: Changes) -> Iterator[Finding]:
    """Elements that an instance may have passed were removed or changed in how they run."""
    changed = {change.source for change in changes.changed if change.changes_behaviour} | {*changes.removed}
    if not changed:
        return
    behind = changes_behind(pairs.source_model, changed)
    names = sorted(changed)
    for pair in pairs:
        passed = behind[pair.source.id]
        if passed and holds_instances(pair.source, pairs.source_model):
            yield _warning(
                Code.PATH_BEHIND_CHANGED,
                pair,
                f"has elements before it that were removed or changed: {_first_of(passed, names)}",
            )


def _warning(code: Code, pair: Pair, fact: str) -> Finding:
    return Finding(
        code=code,
        source=pair.source.id,
        target=pair.target.id,
        name=pair.source.name,
        message=f"{describe(pair.source)} {fact}.",
    )


def _new_listener(event: Element, pair: Pair | None, pairs: Pairs) -> Iterator[Finding]:
    if event.trigger_kind is TriggerKind.COMPENSATION or not is_armed(event):
        return
    if pairs.onto(event.id) or event.id in pairs.source_model.elements:
        return
    yield Finding(
        code=Code.NEW_BOUNDARY_EVENT,
        source=pairs.source_model.id if pair is None else pair.source.id,
        target=event.id,
        name=event.name,
        message=f"{describe(event)} is new in the target version: an upgraded instance will not listen "
        f"for it until it enters {'the process' if pair is None else describe(pair.target)} again.",
    )


def _belongs_to_something_left(listener: Element, pairs: Pairs) -> bool:
    belongs_to = listens_with(listener, pairs.source_model)
    return belongs_to is None or pairs.of(belongs_to) is not None


def _first_of(passed: int, names: list[str]) -> str:
    shown: list[str] = []
    while passed and len(shown) < _NAMED:
        lowest = passed & -passed
        shown.append(f"'{names[lowest.bit_length() - 1]}'")
        passed ^= lowest
    return ", ".join(shown) + (f" and {passed.bit_count()} more" if passed else "")


def _quoted(value: str | None) -> str:
    return "nothing" if value is None else f"'{value}'"
