"""Generated mappings. Each row is a situation with the exact mapping and errors."""

from typing import NamedTuple

import pytest

from tests.support.bpmn_builder import ProcessBuilder, a_process
from tests.support.process_shapes import (
    around,
    chain,
    compensated,
    fork_and_join,
    joined,
    nested,
    one_task,
    scope_of,
    side_by_side,
    waiting_for,
    with_boundary,
    with_event_sub,
)
from uplift.domain.compatibility import breaking_positions, compare


class Situation(NamedTuple):
    """Two versions; the ids that map to themselves; errors as (code, element); elements that break."""

    name: str
    source: ProcessBuilder
    target: ProcessBuilder
    mapped: str
    errors: tuple[tuple[str, str], ...] = ()
    breaks: str = ""


TASK_KINDS = (
    "task",
    "userTask",
    "manualTask",
    "serviceTask",
    "sendTask",
    "receiveTask",
    "scriptTask",
    "businessRuleTask",
    "callActivity",
)

ARMED = {
    "message": "Paid",
    "timer": "PT5M",
    "signal": "Stop",
    "condition": "${late}",
}
UNARMED = {"error": "E1", "escalation": "Boss"}

WAIT_STATES = [
    *(Situation(f"a {kind} stays", one_task(kind=kind), one_task(kind=kind), "task") for kind in TASK_KINDS),
    Situation("a task is added behind", chain("a"), chain("a", "b"), "a"),
    Situation("a task is added before", chain("b"), chain("a", "b"), "b"),
    Situation("tasks change places", chain("a", "b"), chain("b", "a"), "a b"),
    Situation("a task is removed", chain("a", "b"), chain("a"), "a", (("ELEMENT_MISSING", "b"),), breaks="b"),
    Situation("a task is renamed", chain("a"), chain("z"), "", (("ELEMENT_MISSING", "a"),), breaks="a"),
    Situation("nothing in common but the start", a_process().start(), a_process().start(), ""),
    Situation("an empty process", a_process(), a_process(), ""),
    Situation(
        "gateways and events that are passed at once are not mapped",
        a_process().start().exclusive("x").throw("t", message="M").end(),
        a_process().start().exclusive("x").throw("t", message="M").end(),
        "",
    ),
    Situation(
        "complex gateways are not mapped",
        a_process().start().node("complexGateway", "c").end(),
        a_process().start().node("complexGateway", "c").end(),
        "",
    ),
    Situation(
        "link events are passed at once",
        a_process().catch("l", link=True).end(),
        a_process().catch("l", link=True).end(),
        "",
    ),
]

KINDS_CHANGED = [
    *(
        Situation(
            f"a user task becomes a {kind}",
            one_task(),
            one_task(kind=kind),
            "",
            (("TYPE_CHANGED", "task"),),
            breaks="task",
        )
        for kind in TASK_KINDS
        if kind != "userTask"
    ),
    Situation(
        "a task becomes a gateway",
        one_task(),
        a_process().start().exclusive("task").end(),
        "",
        (("TYPE_CHANGED", "task"), ("NOT_A_WAIT_STATE", "task")),
        breaks="task",
    ),
    Situation(
        "a task becomes a throw event",
        one_task(),
        a_process().start().throw("task", signal="S").end(),
        "",
        (("TYPE_CHANGED", "task"), ("NOT_A_WAIT_STATE", "task")),
        breaks="task",
    ),
    Situation(
        "a task and the subprocess around it swap their ids",
        one_task(),
        nested("task", task="scope"),
        "",
        (("TYPE_CHANGED", "task"),),
        breaks="task",
    ),
]

SCOPES = [
    Situation("a task in a subprocess", nested("outer"), nested("outer"), "outer task"),
    Situation("a task two deep", nested("a", "b"), nested("a", "b"), "a b task"),
    Situation("a task three deep", nested("a", "b", "c"), nested("a", "b", "c"), "a b c task"),
    Situation(
        "a task is wrapped in a subprocess",
        one_task(),
        nested("outer"),
        "",
        (("SCOPE_CHANGED", "task"),),
        breaks="task",
    ),
    Situation(
        "a task is wrapped two deep",
        one_task(),
        nested("outer", "inner"),
        "",
        (("SCOPE_CHANGED", "task"),),
        breaks="task",
    ),
    Situation(
        "a subprocess is removed from around a task",
        nested("outer"),
        one_task(),
        "",
        (("SCOPE_CHANGED", "task"),),
        breaks="task",
    ),
    Situation(
        "a subprocess is added inside the one there was",
        nested("outer"),
        nested("outer", "inner"),
        "outer",
        (("SCOPE_CHANGED", "task"),),
        breaks="task",
    ),
    Situation(
        "a subprocess is added around the one there was",
        nested("inner"),
        nested("outer", "inner"),
        "",
        (("SCOPE_CHANGED", "inner"), ("SCOPE_CHANGED", "task")),
        breaks="task",
    ),
    Situation(
        "the inner of two subprocesses is removed",
        nested("outer", "inner"),
        nested("outer"),
        "outer",
        (("SCOPE_CHANGED", "task"),),
        breaks="task",
    ),
    Situation(
        "the outer of two subprocesses is removed",
        nested("outer", "inner"),
        nested("inner"),
        "",
        (("SCOPE_CHANGED", "inner"), ("SCOPE_CHANGED", "task")),
        breaks="task",
    ),
    Situation(
        "three subprocesses are removed",
        nested("a", "b", "c"),
        one_task(),
        "",
        (("SCOPE_CHANGED", "task"),),
        breaks="task",
    ),
    Situation(
        "three subprocesses become two others",
        nested("a", "b", "c"),
        nested("x", "y"),
        "",
        (("SCOPE_CHANGED", "task"),),
        breaks="task",
    ),
    Situation(
        "the subprocesses around a task are renamed",
        nested("a", "b"),
        nested("x", "y"),
        "",
        (("SCOPE_CHANGED", "task"),),
        breaks="task",
    ),
    Situation(
        "the middle of three subprocesses is renamed",
        nested("a", "b", "c"),
        nested("a", "x", "c"),
        "a",
        (("SCOPE_CHANGED", "c"), ("SCOPE_CHANGED", "task")),
        breaks="task",
    ),
    Situation(
        "two subprocesses change places",
        nested("a", "b"),
        nested("b", "a"),
        "",
        (("SCOPE_CHANGED", "a"), ("SCOPE_CHANGED", "b"), ("SCOPE_CHANGED", "task")),
        breaks="task",
    ),
    Situation(
        "tasks change sides between two subprocesses",
        side_by_side("a", "b"),
        side_by_side("b", "a"),
        "fork left right",
        (("SCOPE_CHANGED", "a"), ("SCOPE_CHANGED", "b")),
        breaks="a b",
    ),
    Situation(
        "a task leaves its subprocess, the other stays",
        a_process().sub("scope", around("a", "b")),
        a_process().sub("scope", around("a")).user_task("b"),
        "a scope",
        (("SCOPE_CHANGED", "b"),),
        breaks="b",
    ),
    Situation(
        "a task enters the subprocess beside it",
        a_process().sub("scope", around("a")).user_task("b"),
        a_process().sub("scope", around("a", "b")),
        "a scope",
        (("SCOPE_CHANGED", "b"),),
        breaks="b",
    ),
    Situation(
        "a subprocess becomes a call activity",
        scope_of("subProcess"),
        a_process().start().call("scope", "other").end(),
        "",
        (("ELEMENT_MISSING", "task"), ("TYPE_CHANGED", "scope")),
        breaks="task",
    ),
    Situation("a transaction stays", scope_of("transaction"), scope_of("transaction"), "scope task"),
    Situation(
        "a subprocess becomes a transaction", scope_of("subProcess"), scope_of("transaction"), "scope task"
    ),
    Situation(
        "a transaction becomes a subprocess", scope_of("transaction"), scope_of("subProcess"), "scope task"
    ),
    Situation(
        "an ad-hoc subprocess stays", scope_of("adHocSubProcess"), scope_of("adHocSubProcess"), "scope task"
    ),
    Situation(
        "an ad-hoc subprocess is removed, in which one may wait before anything is chosen",
        scope_of("adHocSubProcess").user_task("after"),
        chain("after"),
        "after",
        (("ELEMENT_MISSING", "scope"), ("ELEMENT_MISSING", "task")),
        breaks="scope task",
    ),
    Situation(
        "the gateway before an event in a subprocess gets another id",
        a_process().sub("scope", lambda scope: scope.event_based("choice").catch("event", timer="PT1M")),
        a_process().sub("scope", lambda scope: scope.event_based("other").catch("event", timer="PT1M")),
        "scope",
        (("ELEMENT_MISSING", "choice"), ("HOST_CHANGED", "event")),
        breaks="choice event",
    ),
    Situation(
        "a subprocess becomes ad-hoc",
        scope_of("subProcess"),
        scope_of("adHocSubProcess"),
        "",
        (("SCOPE_CHANGED", "task"), ("TYPE_CHANGED", "scope")),
        breaks="task",
    ),
    Situation(
        "a subprocess without anything to wait at is a place to wait itself",
        a_process().sub("scope", lambda scope: scope.start("s").end("e")),
        a_process(),
        "",
        (("ELEMENT_MISSING", "scope"),),
        breaks="scope",
    ),
    Situation(
        "a subprocess becomes an event subprocess",
        scope_of("subProcess"),
        one_task("other").event_sub("scope", "heard", lambda scope: scope.user_task("task"), message="M"),
        "scope task",
    ),
    Situation(
        "an event subprocess becomes a subprocess",
        one_task("other").event_sub("scope", "heard", lambda scope: scope.user_task("task"), message="M"),
        scope_of("subProcess"),
        "scope task",
        (("ELEMENT_MISSING", "other"),),
        breaks="other",
    ),
]

BOUNDARY_EVENTS = [
    *(
        Situation(
            f"a {kind} boundary event stays",
            with_boundary(**{kind: value}),
            with_boundary(**{kind: value}),
            "event task",
        )
        for kind, value in ARMED.items()
    ),
    *(
        Situation(
            f"an {kind} boundary event moves along with its host, unlisted",
            with_boundary(**{kind: value}),
            with_boundary(**{kind: value}),
            "task",
        )
        for kind, value in UNARMED.items()
    ),
    Situation(
        "a cancel boundary event moves along unlisted",
        scope_of("transaction").boundary("event", on="scope", cancel=True),
        scope_of("transaction").boundary("event", on="scope", cancel=True),
        "scope task",
    ),
    *(
        Situation(
            f"a {kind} boundary event becomes a signal",
            with_boundary(**{kind: value}),
            with_boundary(signal="Stop"),
            "task",
            (("EVENT_TYPE_CHANGED", "event"),),
            breaks="event task",
        )
        for kind, value in (ARMED | UNARMED).items()
        if kind != "signal"
    ),
    Situation("a boundary event is removed", with_boundary(message="M"), one_task(), "task"),
    Situation("a boundary event is added", one_task(), with_boundary(message="M"), "task"),
    Situation(
        "a boundary event gets another id",
        with_boundary(message="M"),
        with_boundary(event="other", message="M"),
        "task",
    ),
    Situation(
        "a boundary event becomes non-interrupting",
        with_boundary(message="M"),
        with_boundary(message="M", interrupting=False),
        "event task",
    ),
    Situation(
        "a boundary event moves to the task beside",
        chain("a", "b").boundary("event", on="a", message="M"),
        chain("a", "b").boundary("event", on="b", message="M"),
        "a b",
        (("HOST_CHANGED", "event"),),
        breaks="a event",
    ),
    Situation(
        "a boundary event moves from the subprocess to the task inside",
        nested("outer").boundary("event", on="outer", message="M"),
        a_process()
        .start()
        .sub(
            "outer",
            lambda scope: (
                scope.start("outerStart").user_task("task").boundary("event", on="task", message="M")
            ),
        ),
        "outer task",
        (("HOST_CHANGED", "event"),),
        breaks="event task",
    ),
    Situation(
        "a boundary event moves from the task inside to the subprocess",
        a_process()
        .start()
        .sub(
            "outer",
            lambda scope: (
                scope.start("outerStart").user_task("task").boundary("event", on="task", message="M")
            ),
        ),
        nested("outer").boundary("event", on="outer", message="M"),
        "outer task",
        (("HOST_CHANGED", "event"), ("SCOPE_CHANGED", "event")),
        breaks="event task",
    ),
    Situation(
        "the host of a boundary event changes its kind",
        with_boundary(message="M"),
        one_task(kind="receiveTask").boundary("event", on="task", message="M"),
        "",
        (("TYPE_CHANGED", "task"), ("HOST_CHANGED", "event")),
        breaks="event task",
    ),
    Situation(
        "boundary events of all kinds on one subprocess",
        nested("outer")
        .boundary("m", on="outer", message="M")
        .boundary("t", on="outer", timer="PT1M")
        .boundary("s", on="outer", signal="S")
        .boundary("c", on="outer", condition="${c}")
        .boundary("e", on="outer", error="E")
        .boundary("x", on="outer", escalation="X"),
        nested("outer")
        .boundary("m", on="outer", message="M")
        .boundary("t", on="outer", timer="PT1M")
        .boundary("s", on="outer", signal="S")
        .boundary("c", on="outer", condition="${c}")
        .boundary("e", on="outer", error="E")
        .boundary("x", on="outer", escalation="X"),
        "c m outer s t task",
    ),
    Situation(
        "a boundary event with several definitions stays",
        with_boundary(message="M", signal="S"),
        with_boundary(message="M", signal="S"),
        "event task",
    ),
]

EVENT_SUBPROCESSES = [
    *(
        Situation(
            f"a {kind} event subprocess stays",
            with_event_sub(**{kind: value}),
            with_event_sub(**{kind: value}),
            "heard react task watch",
        )
        for kind, value in ARMED.items()
    ),
    *(
        Situation(
            f"the start of an {kind} event subprocess moves along unlisted",
            with_event_sub(**{kind: value}),
            with_event_sub(**{kind: value}),
            "react task watch",
        )
        for kind, value in UNARMED.items()
    ),
    *(
        Situation(
            f"a {kind} event subprocess is started by a signal instead",
            with_event_sub(**{kind: value}),
            with_event_sub(signal="Stop"),
            "react task watch",
            (("EVENT_TYPE_CHANGED", "heard"),),
            breaks="heard task",
        )
        for kind, value in (ARMED | UNARMED).items()
        if kind != "signal"
    ),
    Situation("an event subprocess is added", one_task(), with_event_sub(message="M"), "task"),
    Situation(
        "an event subprocess is removed",
        with_event_sub(message="M"),
        one_task(),
        "task",
        (("ELEMENT_MISSING", "react"),),
        breaks="react",
    ),
    Situation(
        "an event subprocess is renamed, its start is not",
        with_event_sub(timer="PT1M"),
        with_event_sub("other", timer="PT1M"),
        "heard task",
        (("SCOPE_CHANGED", "react"),),
        breaks="react",
    ),
    Situation(
        "an event subprocess in a subprocess stays",
        a_process().sub(
            "scope",
            lambda scope: scope.user_task("task").event_sub("watch", "heard", around("react"), signal="S"),
        ),
        a_process().sub(
            "scope",
            lambda scope: scope.user_task("task").event_sub("watch", "heard", around("react"), signal="S"),
        ),
        "heard react scope task watch",
    ),
    Situation(
        "an event subprocess moves into a subprocess",
        a_process()
        .sub("scope", lambda scope: scope.user_task("task"))
        .event_sub("watch", "heard", signal="S"),
        a_process().sub(
            "scope", lambda scope: scope.user_task("task").event_sub("watch", "heard", signal="S")
        ),
        "scope task",
        (("SCOPE_CHANGED", "watch"), ("HOST_CHANGED", "heard")),
        breaks="heard task watch",
    ),
    Situation(
        "an event subprocess becomes non-interrupting",
        with_event_sub(message="M"),
        with_event_sub(message="M", interrupting=False),
        "heard react task watch",
    ),
]

MULTI_INSTANCE = [
    *(
        Situation(
            f"a {order} multi-instance {what} stays",
            one_task(kind=what, many=order),
            one_task(kind=what, many=order),
            "task",
        )
        for order in ("sequential", "parallel")
        for what in ("userTask", "callActivity", "serviceTask")
    ),
    *(
        Situation(
            f"a {order} multi-instance subprocess stays",
            scope_of("subProcess", many=order),
            scope_of("subProcess", many=order),
            "scope task",
        )
        for order in ("sequential", "parallel")
    ),
    *(
        Situation(
            f"a task becomes {order} multi-instance",
            one_task(),
            one_task(many=order),
            "",
            (("MULTI_INSTANCE_ADDED", "task"),),
            breaks="task",
        )
        for order in ("sequential", "parallel")
    ),
    Situation(
        "the marker of a multi-instance task is dropped", one_task(many="parallel"), one_task(), "task"
    ),
    Situation(
        "the marker of a multi-instance subprocess is dropped",
        scope_of("subProcess", many="sequential"),
        scope_of("subProcess"),
        "scope task",
    ),
    Situation(
        "sequential becomes parallel",
        one_task(many="sequential"),
        one_task(many="parallel"),
        "",
        (("MULTI_INSTANCE_CHANGED", "task"),),
        breaks="task",
    ),
    Situation(
        "parallel becomes sequential",
        one_task(many="parallel"),
        one_task(many="sequential"),
        "",
        (("MULTI_INSTANCE_CHANGED", "task"),),
        breaks="task",
    ),
    Situation(
        "a subprocess becomes multi-instance",
        scope_of("subProcess"),
        scope_of("subProcess", many="parallel"),
        "",
        (("MULTI_INSTANCE_ADDED", "scope"), ("MULTI_INSTANCE_ADDED", "task")),
        breaks="task",
    ),
    Situation(
        "a sequential subprocess becomes parallel",
        scope_of("subProcess", many="sequential"),
        scope_of("subProcess", many="parallel"),
        "",
        (("MULTI_INSTANCE_CHANGED", "scope"), ("MULTI_INSTANCE_ADDED", "task")),
        breaks="task",
    ),
    Situation(
        "a boundary event on a multi-instance task stays",
        one_task(many="parallel").boundary("event", on="task", timer="PT1M"),
        one_task(many="parallel").boundary("event", on="task", timer="PT1M"),
        "event task",
    ),
    Situation(
        "a multi-instance task inside a multi-instance subprocess",
        a_process().sub("scope", lambda scope: scope.user_task("task", many="parallel"), many="sequential"),
        a_process().sub("scope", lambda scope: scope.user_task("task", many="parallel"), many="sequential"),
        "scope task",
    ),
]

GATEWAYS = [
    Situation("parallel gateways stay", joined(), joined(), "after fork join way1 way2"),
    Situation(
        "inclusive gateways stay",
        joined("inclusiveGateway"),
        joined("inclusiveGateway"),
        "after fork join way1 way2",
    ),
    Situation(
        "parallel gateways become inclusive",
        joined(),
        joined("inclusiveGateway"),
        "after way1 way2",
        (("TYPE_CHANGED", "join"),),
        breaks="join",
    ),
    Situation(
        "inclusive gateways become parallel",
        joined("inclusiveGateway"),
        joined(),
        "after way1 way2",
        (("TYPE_CHANGED", "join"),),
        breaks="join",
    ),
    Situation("a join gets one more way", joined(), joined(ways=3), "after fork join way1 way2"),
    Situation(
        "a join loses a way",
        joined(ways=3),
        joined(),
        "after fork way1 way2",
        (("GATEWAY_NARROWED", "join"), ("ELEMENT_MISSING", "way3")),
        breaks="join way3",
    ),
    Situation(
        "gateways in a subprocess stay",
        a_process().sub("scope", fork_and_join),
        a_process().sub("scope", fork_and_join),
        "after fork join scope way1 way2",
    ),
    Situation(
        "the subprocess around a join is removed",
        a_process().sub("scope", fork_and_join),
        joined(),
        "",
        (
            ("SCOPE_CHANGED", "after"),
            ("GATEWAY_NARROWED", "join"),
            ("SCOPE_CHANGED", "way1"),
            ("SCOPE_CHANGED", "way2"),
        ),
        breaks="after join way1 way2",
    ),
    Situation(
        "a fork is removed where no instance can wait",
        a_process().start().parallel("fork").user_task("a"),
        a_process().start().user_task("a"),
        "a",
    ),
    Situation(
        "an event-based gateway with its catch event stays",
        waiting_for(gateway="choice", timer="PT1M"),
        waiting_for(gateway="choice", timer="PT1M"),
        "choice event next",
    ),
    Situation(
        "an event-based gateway with another catch event stays",
        waiting_for(gateway="choice", timer="PT1M"),
        waiting_for("other", gateway="choice", signal="S"),
        "choice next",
        (("ELEMENT_MISSING", "event"),),
        breaks="event",
    ),
    Situation(
        "the event-based gateway before a catch event is removed",
        waiting_for(gateway="choice", timer="PT1M"),
        waiting_for(timer="PT1M"),
        "next",
        (("ELEMENT_MISSING", "choice"), ("HOST_CHANGED", "event")),
        breaks="choice event",
    ),
    Situation(
        "an event-based gateway is put before a catch event",
        waiting_for(timer="PT1M"),
        waiting_for(gateway="choice", timer="PT1M"),
        "next",
        (("HOST_CHANGED", "event"),),
        breaks="event",
    ),
]

EVENTS_AND_CALLS = [
    *(
        Situation(
            f"an intermediate {kind} event stays",
            waiting_for(**{kind: value}),
            waiting_for(**{kind: value}),
            "event next",
        )
        for kind, value in ARMED.items()
    ),
    *(
        Situation(
            f"an intermediate {kind} event becomes a signal",
            waiting_for(**{kind: value}),
            waiting_for(signal="Stop"),
            "next",
            (("EVENT_TYPE_CHANGED", "event"),),
            breaks="event",
        )
        for kind, value in ARMED.items()
        if kind != "signal"
    ),
    Situation(
        "a message of another name is the same trigger",
        waiting_for(message="Paid"),
        waiting_for(message="Refunded"),
        "event next",
    ),
    Situation(
        "a catch event becomes a throw event",
        waiting_for(message="Paid"),
        a_process().start().throw("event", message="Paid").user_task("next"),
        "next",
        (("TYPE_CHANGED", "event"), ("NOT_A_WAIT_STATE", "event")),
        breaks="event",
    ),
    Situation(
        "a receive task waits for another message",
        one_task(kind="receiveTask", message="Paid"),
        one_task(kind="receiveTask", message="Refunded"),
        "task",
    ),
    Situation(
        "a call activity calls the same process",
        a_process().start().call("call", "billing"),
        a_process().start().call("call", "billing"),
        "call",
    ),
    Situation(
        "a call activity calls another process",
        a_process().start().call("call", "billing"),
        a_process().start().call("call", "refunds"),
        "",
        (("CALLED_PROCESS_CHANGED", "call"),),
        breaks="call",
    ),
    Situation(
        "a call activity no longer says what it calls, as one that calls a case",
        a_process().start().call("call", "billing"),
        a_process().start().call("call"),
        "call",
    ),
]

COMPENSATION = [
    Situation("a compensation handler moves with its event", compensated(), compensated(), "book pay undo"),
    Situation(
        "a compensation handler gets another id",
        compensated(),
        compensated(handler="revoke"),
        "book pay undo",
    ),
    Situation(
        "a compensation handler is removed",
        compensated(),
        chain("book", "pay").boundary("undo", on="book", compensation=True),
        "book pay undo",
        (("ELEMENT_MISSING", "cancel"), ("COMPENSATION_LOST", "undo")),
        breaks="cancel pay",
    ),
    Situation(
        "a compensation handler is added",
        chain("book", "pay").boundary("undo", on="book", compensation=True),
        compensated(),
        "book pay undo",
    ),
    Situation(
        "a compensation event becomes a message event",
        compensated(),
        chain("book", "pay").boundary("undo", on="book", message="M").user_task("cancel"),
        "book pay",
        (("EVENT_TYPE_CHANGED", "undo"), ("COMPENSATION_HANDLER", "cancel")),
        breaks="book cancel pay undo",
    ),
    Situation(
        "a compensation event subprocess moves with its start event",
        a_process().sub(
            "scope",
            lambda scope: scope.user_task("task").event_sub(
                "undo", "undoStart", lambda inside: inside.user_task("revoke"), compensation=True
            ),
        ),
        a_process().sub(
            "scope",
            lambda scope: scope.user_task("task").event_sub(
                "undo", "undoStart", lambda inside: inside.user_task("revoke"), compensation=True
            ),
        ),
        "scope task undoStart",
    ),
    Situation(
        "a handler that nothing leads to is no place to wait",
        a_process().start().user_task("a").apart().user_task("lost", isForCompensation="true"),
        a_process().start().user_task("a"),
        "a",
    ),
]

SEVERAL_RULES = [
    Situation(
        "another kind, multi-instance and in another scope",
        nested("outer"),
        a_process().start().sub("other", lambda scope: scope.service_task("task", many="parallel")).end(),
        "",
        (("TYPE_CHANGED", "task"), ("MULTI_INSTANCE_ADDED", "task")),
        breaks="task",
    ),
    Situation(
        "a join narrowed and of another kind",
        joined(ways=3),
        joined("inclusiveGateway", ways=2),
        "after way1 way2",
        (("TYPE_CHANGED", "join"), ("GATEWAY_NARROWED", "join"), ("ELEMENT_MISSING", "way3")),
        breaks="join way3",
    ),
    Situation(
        "a boundary event of another trigger on another host",
        chain("a", "b").boundary("event", on="a", message="M"),
        chain("a", "b").boundary("event", on="b", timer="PT1M"),
        "a b",
        (("EVENT_TYPE_CHANGED", "event"), ("HOST_CHANGED", "event")),
        breaks="a event",
    ),
    Situation(
        "a call of another process that becomes multi-instance",
        a_process().start().call("call", "billing"),
        a_process().start().call("call", "refunds", many="sequential"),
        "",
        (("MULTI_INSTANCE_ADDED", "call"), ("CALLED_PROCESS_CHANGED", "call")),
        breaks="call",
    ),
    Situation(
        "a catch event of another trigger put behind a gateway",
        waiting_for(message="M"),
        waiting_for(gateway="choice", timer="PT1M"),
        "next",
        (("EVENT_TYPE_CHANGED", "event"), ("HOST_CHANGED", "event")),
        breaks="event",
    ),
]

SITUATIONS = [
    *WAIT_STATES,
    *KINDS_CHANGED,
    *SCOPES,
    *BOUNDARY_EVENTS,
    *EVENT_SUBPROCESSES,
    *MULTI_INSTANCE,
    *GATEWAYS,
    *EVENTS_AND_CALLS,
    *COMPENSATION,
    *SEVERAL_RULES,
]


@pytest.mark.parametrize("situation", SITUATIONS, ids=[situation.name for situation in SITUATIONS])
def test_maps_what_keeps_every_rule_and_reports_the_rest(situation: Situation) -> None:
    comparison = compare(situation.source.model(), situation.target.model())

    assert comparison.mapping == {element: element for element in situation.mapped.split()}
    assert {(finding.code.value, finding.source) for finding in comparison.errors} == set(situation.errors)
    assert breaking_positions(comparison) == tuple(sorted(situation.breaks.split()))


def test_covers_at_least_150_pairs_of_models() -> None:
    assert len({situation.name for situation in SITUATIONS}) == len(SITUATIONS) >= 150
