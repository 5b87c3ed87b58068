"""Each rule of a pair, once kept and once broken, with the message for operators."""

from typing import NamedTuple

import pytest

from tests.support.bpmn_builder import ProcessBuilder, a_process
from tests.support.process_shapes import (
    chain,
    compensated,
    fork_and_join,
    joined,
    nested,
    one_task,
    waiting_for,
    with_boundary,
)
from uplift.domain.compatibility import Code
from uplift.domain.compatibility.mapping.pair_rules import (
    PAIR_RULES,
    PairRule,
    must_be_a_wait_state,
    must_be_mapped_once,
    must_call_the_same_process,
    must_have_an_exclusive_target,
    must_keep_its_event_scope,
    must_keep_its_joining_flows,
    must_keep_its_kind,
    must_keep_its_multi_instance_order,
    must_keep_its_trigger,
    must_keep_the_scope_of_a_join,
    must_not_be_a_compensation_handler,
    must_not_become_multi_instance,
    must_stay_in_its_scope,
)
from uplift.domain.compatibility.mapping.pairs import Pair, Pairs


class Breach(NamedTuple):
    """A rule with a set of pairs "a>b c": the first of them breaks the rule, each of `holding` keeps it."""

    rule: PairRule
    source: ProcessBuilder
    target: ProcessBuilder
    breaking: str
    code: Code
    message: str
    holding: str


BREACHES = [
    Breach(
        must_be_mapped_once,
        chain("a"),
        chain("a", "b"),
        "a>a a>b",
        Code.MAPPED_TWICE,
        "Expected user task 'a' to be mapped once, but instructions map it to 'a', 'b'.",
        holding="a>b",
    ),
    Breach(
        must_keep_its_kind,
        one_task("a", name="Approve"),
        chain("z").service_task("b", name="Approve it"),
        "a>b",
        Code.TYPE_CHANGED,
        "Expected user task 'a' (Approve) to stay a user task, "
        "but in the target version it is service task 'b' (Approve it).",
        holding="a>z",
    ),
    Breach(
        must_keep_its_trigger,
        with_boundary(message="M"),
        with_boundary(timer="PT1M").boundary("other", on="task", message="N"),
        "event>event",
        Code.EVENT_TYPE_CHANGED,
        "Expected boundary event 'event' to keep its message trigger, "
        "but in the target version 'event' has a timer trigger.",
        holding="event>other",
    ),
    Breach(
        must_stay_in_its_scope,
        nested("outer"),
        a_process().sub("outer", lambda scope: scope.user_task("inside")).user_task("task"),
        "task>task outer>outer",
        Code.SCOPE_CHANGED,
        "Expected user task 'task' to stay inside subprocess 'outer', which is mapped to 'outer', "
        "but 'task' is not inside that.",
        holding="task>inside outer>outer",
    ),
    Breach(
        must_keep_its_event_scope,
        with_boundary(message="M"),
        chain("task", "other").boundary("event", on="other", message="M"),
        "event>event task>task",
        Code.HOST_CHANGED,
        "Expected boundary event 'event' to stay attached to the counterpart of 'task', "
        "but 'event' is attached to 'other'.",
        holding="event>event task>other",
    ),
    Breach(
        must_have_an_exclusive_target,
        a_process().catch("event", message="M").catch("second", message="N"),
        waiting_for(message="M"),
        "event>event second>event",
        Code.TARGET_TAKEN,
        "Expected intermediate catch event 'event' to be the only element mapped to 'event', "
        "but 'second' is mapped to it as well.",
        holding="event>event",
    ),
    Breach(
        must_not_become_multi_instance,
        one_task(),
        one_task(many="parallel").user_task("plain"),
        "task>task",
        Code.MULTI_INSTANCE_ADDED,
        "Expected user task 'task' to stay outside of new multi-instance activities, "
        "but in the target version it is multi-instance.",
        holding="task>plain",
    ),
    Breach(
        must_keep_its_multi_instance_order,
        one_task(many="parallel"),
        one_task(many="sequential").user_task("plain"),
        "task>task",
        Code.MULTI_INSTANCE_CHANGED,
        "Expected user task 'task' to stay parallel multi-instance, "
        "but in the target version 'task' is sequential.",
        holding="task>plain",
    ),
    Breach(
        must_keep_its_joining_flows,
        joined(ways=2),
        joined(ways=3).after("join").parallel("one"),
        "join>one",
        Code.GATEWAY_NARROWED,
        "Expected parallel gateway 'join' to keep at least 2 incoming flows, "
        "but in the target version it has 1.",
        holding="join>join",
    ),
    Breach(
        must_keep_the_scope_of_a_join,
        a_process().sub("scope", fork_and_join),
        a_process().sub("scope", fork_and_join),
        "join>join",
        Code.GATEWAY_NARROWED,
        "Expected parallel gateway 'join' to stay in a mapped scope, but subprocess 'scope' is not mapped.",
        holding="join>join scope>scope",
    ),
    Breach(
        must_call_the_same_process,
        a_process().call("a", "billing"),
        a_process().call("a", "refunds").call("b", "billing"),
        "a>a",
        Code.CALLED_PROCESS_CHANGED,
        "Expected call activity 'a' to call process 'billing', but in the target version it calls 'refunds'.",
        holding="a>b",
    ),
    Breach(
        must_be_a_wait_state,
        one_task(),
        a_process().start().user_task("task").end("over"),
        "task>over",
        Code.NOT_A_WAIT_STATE,
        "Expected user task 'task' to be mapped to a wait state, "
        "but no instance can wait at end event 'over'.",
        holding="task>task",
    ),
    Breach(
        must_not_be_a_compensation_handler,
        compensated(),
        compensated(),
        "cancel>cancel",
        Code.COMPENSATION_HANDLER,
        "Expected user task 'cancel' to be mapped on its own, "
        "but a compensation handler is mapped only together with its event.",
        holding="undo>undo",
    ),
]


def among(breach: Breach, couples: str) -> tuple[Pair, Pairs]:
    """The first of the pairs, and all of them."""
    pairs = Pairs(breach.source.model(), breach.target.model())
    for couple in couples.split():
        source, _, target = couple.partition(">")
        pairs.add(
            Pair(
                source=pairs.source_model.elements[source],
                target=pairs.target_model.elements[target],
                is_instruction=True,
            )
        )
    first = pairs.by_source(couples.partition(">")[0])
    assert first is not None
    return first, pairs


@pytest.mark.parametrize("breach", BREACHES, ids=[breach.rule.__name__ for breach in BREACHES])
def test_breaks_where_the_fact_does_not_hold(breach: Breach) -> None:
    pair, pairs = among(breach, breach.breaking)

    finding = breach.rule(pair, pairs)

    assert finding is not None
    assert (
        finding.code,
        finding.severity,
        finding.source,
        finding.target,
        finding.name,
        finding.message,
    ) == (
        breach.code,
        "error",
        pair.source.id,
        pair.target.id,
        pair.source.name,
        breach.message,
    )


@pytest.mark.parametrize("breach", BREACHES, ids=[breach.rule.__name__ for breach in BREACHES])
def test_holds_where_the_fact_holds(breach: Breach) -> None:
    pair, pairs = among(breach, breach.holding)

    assert breach.rule(pair, pairs) is None


def test_knows_a_breach_of_every_rule() -> None:
    assert tuple(breach.rule for breach in BREACHES) == PAIR_RULES


def test_names_the_multi_instance_subprocess_around_the_target() -> None:
    target = a_process().sub("each", lambda scope: scope.user_task("task"), many="parallel")
    pair = Pair(source=one_task().model().elements["task"], target=target.model().elements["task"])

    finding = must_not_become_multi_instance(pair, Pairs(one_task().model(), target.model()))

    assert finding is not None
    assert finding.message == (
        "Expected user task 'task' to stay outside of new multi-instance activities, "
        "but in the target version it is inside multi-instance subprocess 'each'."
    )


@pytest.mark.parametrize(
    ("others", "listed"),
    [
        (["second", "third"], "'second' and 'third' are"),
        (["second", "third", "fourth", "sixth"], "'fourth' and 'second' and 'sixth' and others are"),
    ],
)
def test_names_the_first_others_that_share_a_target(others: list[str], listed: str) -> None:
    events = waiting_for(message="M")
    for other in others:
        events.catch(other, message="M")
    pairs = Pairs(events.model(), waiting_for(message="M").model())
    for source in ("event", *others):
        pairs.add(
            Pair(
                source=pairs.source_model.elements[source],
                target=pairs.target_model.elements["event"],
                is_instruction=True,
            )
        )
    first = pairs.by_source("event")
    assert first is not None

    finding = must_have_an_exclusive_target(first, pairs)

    assert finding is not None
    assert finding.message == (
        "Expected intermediate catch event 'event' to be the only element mapped to 'event', "
        f"but {listed} mapped to it as well."
    )
