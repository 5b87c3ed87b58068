"""Generates random processes for the laws.

A recipe is drawn first and then written by the builder, so that the same recipe can be written again with
something added.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

from hypothesis import strategies as st

from tests.support.bpmn_builder import ProcessBuilder, ScopeBuilder, a_process

Step = tuple[str, Any]  # each writer below types what it takes
Recipe = tuple[Step, ...]

TRIGGERS = {
    "message": "Paid",
    "timer": "PT5M",
    "signal": "Stop",
    "condition": "${late}",
    "error": "E1",
    "escalation": "Boss",
}
CATCHABLE = ("message", "timer", "signal", "condition")
TASKS = ("task", "userTask", "serviceTask", "receiveTask", "callActivity", "businessRuleTask")
SCOPES = ("subProcess", "transaction", "adHocSubProcess")
ORDERS = (None, None, "parallel", "sequential")

_flat = st.one_of(
    st.tuples(st.just("task"), st.tuples(st.sampled_from(TASKS), st.sampled_from(ORDERS))),
    st.tuples(st.just("catch"), st.sampled_from(CATCHABLE)),
    st.tuples(st.just("choice"), st.sampled_from(CATCHABLE)),
    st.tuples(st.just("fork"), st.sampled_from(("parallelGateway", "inclusiveGateway"))),
    st.tuples(st.just("passed"), st.sampled_from(("exclusiveGateway", "intermediateThrowEvent"))),
    st.tuples(st.just("guarded"), st.tuples(st.sampled_from(sorted(TRIGGERS)), st.booleans())),
    st.tuples(st.just("compensated"), st.none()),
)


def _deeper(inner: st.SearchStrategy[Recipe]) -> st.SearchStrategy[Recipe]:
    nested = st.one_of(
        _flat,
        st.tuples(st.just("scope"), st.tuples(st.sampled_from(SCOPES), st.sampled_from(ORDERS), inner)),
        st.tuples(st.just("watch"), st.tuples(st.sampled_from(sorted(TRIGGERS)), inner)),
    )
    return st.lists(nested, max_size=4).map(tuple)


recipes = st.recursive(st.lists(_flat, max_size=4).map(tuple), _deeper, max_leaves=4)
"""Recipes with subprocesses, event subprocesses, boundary events, gateways and compensation."""


def written(recipe: Recipe) -> ProcessBuilder:
    """The process of a recipe; ids are numbered along the way, so a longer recipe keeps those before."""
    process = a_process()
    _write(process.start("start"), recipe, count())
    return process


def _write(scope: ScopeBuilder, recipe: Recipe, numbers: "count[int]") -> None:
    for what, how in recipe:
        _WRITERS[what](scope, how, next(numbers), numbers)


def _task(scope: ScopeBuilder, how: tuple[str, str | None], number: int, numbers: "count[int]") -> None:
    kind, many = how
    scope.node(kind, f"task{number}", **({} if many is None else {"many": many}))


def _catch(scope: ScopeBuilder, how: str, number: int, numbers: "count[int]") -> None:
    scope.catch(f"catch{number}", **{how: TRIGGERS[how]})


def _choice(scope: ScopeBuilder, how: str, number: int, numbers: "count[int]") -> None:
    scope.event_based(f"choice{number}").catch(f"chosen{number}", **{how: TRIGGERS[how]})


def _fork(scope: ScopeBuilder, how: str, number: int, numbers: "count[int]") -> None:
    scope.node(how, f"fork{number}").user_task(f"one{number}").node(how, f"join{number}")
    scope.after(f"fork{number}").user_task(f"two{number}").join(f"two{number}", f"join{number}")
    scope.after(f"join{number}")


def _passed(scope: ScopeBuilder, how: str, number: int, numbers: "count[int]") -> None:
    scope.node(how, f"passed{number}")


def _guarded(scope: ScopeBuilder, how: tuple[str, bool], number: int, numbers: "count[int]") -> None:
    trigger, interrupting = how
    scope.user_task(f"guarded{number}").boundary(
        f"event{number}", on=f"guarded{number}", interrupting=interrupting, **{trigger: TRIGGERS[trigger]}
    )
    scope.user_task(f"after{number}").after(f"guarded{number}")


def _compensated(scope: ScopeBuilder, how: None, number: int, numbers: "count[int]") -> None:
    scope.user_task(f"done{number}").boundary(f"undo{number}", on=f"done{number}", compensation=True)
    scope.handler(f"handler{number}", of=f"undo{number}").after(f"done{number}")


def _scope(
    scope: ScopeBuilder, how: tuple[str, str | None, Recipe], number: int, numbers: "count[int]"
) -> None:
    kind, many, recipe = how
    facts = {} if many is None else {"many": many}
    scope.scope(kind, f"scope{number}", lambda inside: _write(inside, recipe, numbers), **facts)


def _watch(scope: ScopeBuilder, how: tuple[str, Recipe], number: int, numbers: "count[int]") -> None:
    trigger, recipe = how
    scope.event_sub(
        f"watch{number}",
        f"heard{number}",
        lambda inside: _write(inside, recipe, numbers),
        interrupting=True,
        **{trigger: TRIGGERS[trigger]},
    )


_WRITERS: dict[str, Callable[[ScopeBuilder, Any, int, "count[int]"], None]] = {
    "task": _task,
    "catch": _catch,
    "choice": _choice,
    "fork": _fork,
    "passed": _passed,
    "guarded": _guarded,
    "compensated": _compensated,
    "scope": _scope,
    "watch": _watch,
}
