"""Finds the warnings about a mapping, which inform operators and never prevent an upgrade."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice

from uplift.domain.bpmn.model import Element, ElementKind, Trigger, TriggerKind, Wait
from uplift.domain.compatibility.changes import Changes
from uplift.domain.compatibility.finding import (
    MAX_NAMES,
    Code,
    Finding,
    describe,
    quoted,
    quoted_list,
    sentence,
)
from uplift.domain.compatibility.mapping.pairs import Pair, Pairs
from uplift.domain.compatibility.upstream import changes_upstream
from uplift.domain.compatibility.wait_states import (
    event_scope,
    event_subprocess_starts,
    has_subscription,
    is_listener,
    is_position_element,
)


def find_warnings(pairs: Pairs, changes: Changes) -> Iterator[Finding]:
    """Every warning about pairs, about added and removed listeners, and about changes upstream."""
    for pair in pairs:
        yield from name_changed(pair)
        yield from form_changed(pair)
        yield from implementation_changed(pair)
        yield from wait_removed(pair)
        yield from event_definition_changed(pair)
        yield from message_added(pair)
        yield from listener_multiplied(pair, pairs)
    yield from listeners_merged(pairs)
    yield from new_listeners(pairs)
    yield from removed_listeners(pairs)
    yield from path_behind_changed(pairs, changes)


def name_changed(pair: Pair) -> Iterator[Finding]:
    """The element has another name."""
    if pair.source.name != pair.target.name:
        yield _warning(Code.NAME_CHANGED, pair, f"{_new_name(pair.target)} in the target version")


def form_changed(pair: Pair) -> Iterator[Finding]:
    """The element has another form."""
    if pair.source.form != pair.target.form:
        yield _warning(
            Code.FORM_CHANGED,
            pair,
            f"has {_form(pair.target)} instead of {_form(pair.source)}",
        )


def implementation_changed(pair: Pair) -> Iterator[Finding]:
    """The element is run by another class, job type, topic, script, decision or version of a called process.

    What an engine has created already keeps the old one: a job in Camunda 8, an external task in Camunda 7,
    and a called instance in both. A user task that Camunda 8 is to manage itself, and not by a job any more,
    is migrated by Camunda 8.9 and newer.
    """
    before, after = pair.source, pair.target
    if before.implementation != after.implementation:
        fact = f"has {_implementation(after)} instead of {_implementation(before)}"
        consequence = "; a job, external task or called instance that exists already keeps the old one"
        yield _warning(Code.IMPLEMENTATION_CHANGED, pair, fact + consequence)
    if after.is_camunda_user_task and not before.is_camunda_user_task:
        fact = "is a Camunda user task in the target version, but a job before, which Camunda 8.9 can migrate"
        yield _warning(Code.IMPLEMENTATION_CHANGED, pair, fact)


def wait_removed(pair: Pair) -> Iterator[Finding]:
    """An instance could wait before or after the element in a job, and no longer can in the target version.

    A position does not say whether an instance waits before, at or after an element. Camunda 7 refuses those
    that wait in such a job (AsyncMigrationValidator), and migrates the others.
    """
    removed = pair.source.waits - pair.target.waits - {Wait.WORKER}
    if removed:
        places = " or ".join(sorted(removed, reverse=True))
        fact = f"no longer waits in a job {places} it in the target version"
        yield _warning(Code.WAIT_REMOVED, pair, f"{fact}: an instance in such a job cannot go on")


def event_definition_changed(pair: Pair) -> Iterator[Finding]:
    """The trigger has the same kind, but another message, signal, timer expression or condition.

    A subscription keeps its old definition, as in Camunda 7 unless the caller updates event triggers.
    """
    before, after = pair.source.trigger, pair.target.trigger
    if before and after and before.kind is after.kind and before.detail != after.detail:
        old = quoted(before.detail) if before.detail else "the old one"
        consequence = (
            f", but {old} stays armed unless the event trigger is updated"
            if has_subscription(pair.source)
            else f" instead of {old}"
        )
        fact = f"waits for {_awaited(after)} in the target version{consequence}"
        yield _warning(Code.EVENT_DEFINITION_CHANGED, pair, fact)


def message_added(pair: Pair) -> Iterator[Finding]:
    """A receive task had no message and has one now.

    Camunda 7 subscribes when it migrates the instance. Uplift only changes the position.
    """
    after = pair.target.trigger
    if pair.source.kind is ElementKind.RECEIVE_TASK and pair.source.trigger is None and after is not None:
        fact = (
            f"waits for {_awaited(after)} in the target version, but an upgraded instance is not subscribed "
            "to it until it enters the task again"
        )
        yield _warning(Code.EVENT_DEFINITION_CHANGED, pair, fact)


def listener_multiplied(pair: Pair, pairs: Pairs) -> Iterator[Finding]:
    """The host of a boundary event drops its multi-instance marker, so that each instance has its own event.

    Camunda 7 does not map such an event, and subscribes anew for each instance.
    """
    if not _is_subscribed_boundary_event(pair):
        return
    source = pairs.source_model.elements[str(pair.source.host)]
    target = pairs.target_model.elements[str(pair.target.host)]
    if source.multi_instance is not None and target.multi_instance is None:
        fact = (
            f"listens once for all instances of {describe(source)}, which is no longer multi-instance: each "
            "instance that still runs may listen on its own, so that one event matches several of them"
        )
        yield _warning(Code.LISTENER_MULTIPLIED, pair, fact)


def listeners_merged(pairs: Pairs) -> Iterator[Finding]:
    """Several listeners of one activity or scope are mapped to one.

    As in Camunda 7, all subscriptions stay, and each triggers the one event.
    """
    listeners = [
        (pair, event_scope(pair.source, pairs.source_model))
        for pair in pairs
        if is_listener(pair.source, pairs.source_model) and has_subscription(pair.source)
    ]
    counts = Counter((pair.target.id, scope_id) for pair, scope_id in listeners)
    for pair, scope_id in listeners:
        if counts[pair.target.id, scope_id] > 1:
            fact = (
                f"is mapped to {quoted(pair.target.id)} like another event of the same activity or scope: an "
                "upgraded instance keeps the subscriptions of both, and each triggers this one event"
            )
            yield _warning(Code.LISTENERS_MERGED, pair, fact)


def new_listeners(pairs: Pairs) -> Iterator[Finding]:
    """A boundary event or event subprocess is new at an element or in a scope that an instance may be in.

    Camunda 7 subscribes to such events when it migrates an instance. Uplift only changes the position, so the
    engine subscribes when the instance enters the element or scope again.
    """
    for event in event_subprocess_starts(None, pairs.target_model):
        yield from _new_listener(event, None, pairs)
    first_pairs: set[str] = set()
    for pair in pairs:
        target = pair.target.id
        found = chain(
            pairs.target_model.boundary_events(target), event_subprocess_starts(target, pairs.target_model)
        )
        # Thousands of sources may share a target with thousands of events: only the first one lists them all.
        listed = found if target not in first_pairs else islice(found, MAX_NAMES)
        first_pairs.add(target)
        for event in listed:
            yield from _new_listener(event, pair, pairs)


def removed_listeners(pairs: Pairs) -> Iterator[Finding]:
    """A boundary event or event subprocess is removed, while its event scope still has a pair.

    A removed compensation event may be an error instead (see `compensation`).
    """
    for element in pairs.source_model.elements.values():
        if (
            is_listener(element, pairs.source_model)
            and element.trigger_kind is not TriggerKind.COMPENSATION
            and pairs.by_source(element.id) is None
            and element.id not in pairs.target_model.elements
            and _has_paired_event_scope(element, pairs)
        ):
            yield Finding(
                code=Code.LISTENER_REMOVED,
                source=element.id,
                name=element.name,
                message=sentence(
                    f"{describe(element)} is gone in the target version: "
                    "an upgraded instance no longer listens for it"
                ),
            )


def path_behind_changed(pairs: Pairs, changes: Changes) -> Iterator[Finding]:
    """Elements that an instance may have passed are removed, or changed in what they are or where.

    SpiffWorkflow refuses such instances. Camunda 7 does not check this.
    """
    changed = {change.source for change in changes.changed if change.changes_path} | {*changes.removed}
    if not changed:
        return
    upstream = changes_upstream(pairs.source_model, changed, limit=MAX_NAMES + 1)
    for pair in pairs:
        passed = upstream[pair.source.id]
        if passed and is_position_element(pair.source, pairs.source_model):
            yield _warning(
                Code.PATH_BEHIND_CHANGED,
                pair,
                f"has elements before it that were removed or changed: {quoted_list(passed)}",
            )


def _warning(code: Code, pair: Pair, fact: str) -> Finding:
    return Finding(
        code=code,
        source=pair.source.id,
        target=pair.target.id,
        name=pair.source.name,
        message=sentence(f"{describe(pair.source)} {fact}"),
    )


def _is_subscribed_boundary_event(pair: Pair) -> bool:
    if {pair.source.kind, pair.target.kind} != {ElementKind.BOUNDARY_EVENT}:
        return False
    return has_subscription(pair.source) and pair.source.trigger_kind is not TriggerKind.COMPENSATION


def _new_listener(event: Element, pair: Pair | None, pairs: Pairs) -> Iterator[Finding]:
    if event.trigger_kind is TriggerKind.COMPENSATION or not has_subscription(event):
        return
    if pairs.all_by_target(event.id) or event.id in pairs.source_model.elements:
        return
    yield Finding(
        code=Code.NEW_BOUNDARY_EVENT,
        source=pairs.source_model.id if pair is None else pair.source.id,
        target=event.id,
        name=event.name,
        message=sentence(
            f"{describe(event)} is new in the target version: an upgraded instance will not listen "
            f"for it until it enters {'the process' if pair is None else describe(pair.target)} again"
        ),
    )


def _has_paired_event_scope(listener: Element, pairs: Pairs) -> bool:
    scope_id = event_scope(listener, pairs.source_model)
    return scope_id is None or pairs.by_source(scope_id) is not None


def _new_name(element: Element) -> str:
    return "has no name" if element.name is None else f"is called {quoted(element.name)}"


def _form(element: Element) -> str:
    return "no form" if element.form is None else f"form {quoted(element.form)}"


def _implementation(element: Element) -> str:
    if element.implementation is None:
        return "no implementation"
    return f"implementation {quoted(element.implementation)}"


def _awaited(trigger: Trigger) -> str:
    return (
        f"an unspecified {trigger.kind}"
        if trigger.detail is None
        else f"{trigger.kind} {quoted(trigger.detail)}"
    )
