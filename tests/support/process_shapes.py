"""Builds the small processes that the tests of compatibility compare, named for their shapes."""

from collections.abc import Callable
from typing import Any

from tests.support.bpmn_builder import ProcessBuilder, ScopeBuilder, a_process

Fill = Callable[[ScopeBuilder], object]


def one_task(task: str = "task", kind: str = "userTask", **facts: object) -> ProcessBuilder:
    """A process: start -> task -> end."""
    return a_process().start().node(kind, task, **facts).end()


def chain(*tasks: str) -> ProcessBuilder:
    """A process: start -> each task -> end."""
    process = a_process().start()
    for task in tasks:
        process.user_task(task)
    return process.end()


def nested(*scopes: str, task: str = "task", **facts: object) -> ProcessBuilder:
    """The task inside the scopes, the outermost named first; the facts are those of the task."""
    process = a_process().start("start")
    _nest(process, scopes, lambda scope: scope.user_task(task, **facts))
    return process.end("end")


def scope_of(kind: str, scope: str = "scope", task: str = "task", **facts: object) -> ProcessBuilder:
    """The task in one scope of this kind; the facts are those of the scope."""
    return a_process().start().scope(kind, scope, around(task), **facts).end()


def around(*tasks: str) -> Fill:
    """Fill a scope with start -> each task -> end, named after the first task."""

    def fill(scope: ScopeBuilder) -> None:
        scope.start(f"{tasks[0]}Start")
        for task in tasks:
            scope.user_task(task)
        scope.end(f"{tasks[0]}End")

    return fill


def side_by_side(first: str, second: str) -> ProcessBuilder:
    """Two subprocesses after a fork, with the named task in each."""
    process = a_process().start().parallel("fork").sub("left", around(first)).end("leftEnd")
    return process.after("fork").sub("right", around(second)).end("rightEnd")


def with_boundary(task: str = "task", event: str = "event", **trigger: Any) -> ProcessBuilder:
    """A task with a boundary event."""
    return one_task(task).boundary(event, on=task, **trigger).end("afterEvent")


def with_event_sub(event_sub: str = "watch", start: str = "heard", **trigger: Any) -> ProcessBuilder:
    """A task beside an event subprocess that contains the task 'react'."""
    return one_task().event_sub(event_sub, start, lambda scope: scope.user_task("react"), **trigger)


def joined(kind: str = "parallelGateway", ways: int = 2) -> ProcessBuilder:
    """A process: fork -> way1, way2, … -> join -> after."""
    process = a_process().start()
    fork_and_join(process, kind, ways)
    return process


def fork_and_join(scope: ScopeBuilder, kind: str = "parallelGateway", ways: int = 2) -> None:
    """Add fork -> way1, way2, … -> join -> after to a scope."""
    scope.node(kind, "fork").user_task("way1").node(kind, "join").user_task("after")
    for way in range(2, ways + 1):
        scope.after("fork").user_task(f"way{way}").join(f"way{way}", "join")


def waiting_for(event: str = "event", gateway: str | None = None, **trigger: object) -> ProcessBuilder:
    """A catch event, behind an event-based gateway if one is named."""
    process = a_process().start()
    if gateway is not None:
        process.event_based(gateway)
    return process.catch(event, **trigger).user_task("next").end()


def compensated(host: str = "book", event: str = "undo", handler: str = "cancel") -> ProcessBuilder:
    """book, which 'cancel' compensates through the boundary event 'undo', then 'pay'."""
    process = a_process().start().user_task(host).user_task("pay").end()
    return process.boundary(event, on=host, compensation=True).handler(handler, of=event)


def _nest(scope: ScopeBuilder, scopes: tuple[str, ...], fill: Fill) -> None:
    if not scopes:
        fill(scope)
        return

    def inside(inner: ScopeBuilder) -> None:
        inner.start(f"{scopes[0]}Start")
        _nest(inner, scopes[1:], fill)
        inner.end(f"{scopes[0]}End")

    scope.sub(scopes[0], inside)
