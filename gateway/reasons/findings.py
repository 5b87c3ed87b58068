"""Explains what the comparison of two versions, or a linked engine, finds at an element."""

from collections.abc import Mapping

from uplift.domain.compatibility import Code
from uplift.gateway.reasons.advice import Advice

FINDINGS: Mapping[Code, Advice] = {
    Code.ELEMENT_MISSING: Advice(
        means="The target version does not have the element. Or an instruction names an element that does "
        "not exist. Or the instructions are the whole mapping, and none names the element. Or the instance "
        "waits at an element that its own version does not have.",
        do="Map it by an instruction to the element that replaces it, keep it in the new version until "
        "nothing waits there, or let these instances finish on the old version.",
    ),
    Code.MAPPED_TWICE: Advice(
        means="Two instructions have the same source.",
        do="Keep one.",
    ),
    Code.TYPE_CHANGED: Advice(
        means="The element is of another kind: a user task became a service task, or a Camunda user task "
        "(`zeebe:userTask`) became a job. Embedded subprocess, transaction and event subprocess may replace"
        " each other.",
        do="Map to an element of the same kind; give the new kind a new id.",
    ),
    Code.EVENT_TYPE_CHANGED: Advice(
        means="A boundary event, intermediate catch event or start of an event subprocess has another "
        "trigger: a message became a timer. Or a receive task has no message any more.",
        do="Give the new event a new id: the old one is then removed, with a warning only.",
    ),
    Code.SCOPE_CHANGED: Advice(
        means="The element would leave its scope: the nearest mapped scope around it is not mapped to a "
        "scope around the target. Or it was not paired, because it is now in another scope.",
        do="If the message says that an instruction allows the move (a subprocess was added or removed "
        "around it), use one. Otherwise waiting instances cannot make this move.",
    ),
    Code.HOST_CHANGED: Advice(
        means="The event's host, enclosing scope or event-based gateway is not mapped to the target event's.",
        do="Map both to the same place, or give the event a new id.",
    ),
    Code.TARGET_TAKEN: Advice(
        means="Two intermediate catch events, or two gateways, are mapped to one.",
        do="Map only one of them. An instruction replaces a generated pair.",
    ),
    Code.MULTI_INSTANCE_ADDED: Advice(
        means="The target, or a new scope around it, is multi-instance, and the instance has no loop that it"
        " could continue.",
        do="Give the multi-instance activity a new id, or let these instances finish.",
    ),
    Code.MULTI_INSTANCE_CHANGED: Advice(
        means="Sequential became parallel, or the other way round.",
        do="Give the multi-instance activity a new id, or let these instances finish.",
    ),
    Code.MULTI_INSTANCE_SPLIT: Advice(
        means="Instructions map the body of a multi-instance activity without its inner activity, or to "
        "another element.",
        do="Map the activity by one entry. You may drop the marker.",
    ),
    Code.GATEWAY_NARROWED: Advice(
        means="A joining gateway (parallel, inclusive) has fewer incoming flows than before, or its scope is"
        " not mapped. More tokens could wait than the gateway has flows.",
        do="Keep the flows, or let instances pass the join first.",
    ),
    Code.CALLED_PROCESS_CHANGED: Advice(
        means="A call activity calls another process, but the called instance still runs.",
        do="Give the new call a new id.",
    ),
    Code.NOT_A_WAIT_STATE: Advice(
        means="No instance can wait at the target: start, end and throw events, exclusive and complex "
        "gateways, link events.",
        do="Map to the next element where an instance can wait.",
    ),
    Code.COMPENSATION_HANDLER: Advice(
        means="An instruction maps a compensation handler itself, or the event that leads to it has no "
        "counterpart.",
        do="Map the boundary event; the handler follows.",
    ),
    Code.COMPENSATION_LOST: Advice(
        means="A compensation boundary event or event subprocess is gone, or leads to no handler any more, "
        "and the instance may have completed the activity that it compensates.",
        do="Map it by an instruction to the event that replaces it, keep it in the new version, or let these"
        " instances finish.",
    ),
    Code.NAME_CHANGED: Advice(
        means="The element has another name.",
        do="Nothing. People see the new name.",
    ),
    Code.NEW_BOUNDARY_EVENT: Advice(
        means="A boundary event, or an event subprocess, is new. Upgraded instances do not listen for it "
        "until they enter its host or scope again. New error and escalation events work at once, without a "
        "warning.",
        do="If it matters (a new deadline), handle these instances by hand.",
    ),
    Code.LISTENER_REMOVED: Advice(
        means="A boundary event or event subprocess is gone. Upgraded instances no longer listen.",
        do="Nothing, if you intended it.",
    ),
    Code.LISTENERS_MERGED: Advice(
        means="Two listeners of one activity or scope are mapped to one. Both subscriptions stay, and each "
        "triggers it.",
        do="Check what happens if both occur.",
    ),
    Code.LISTENER_MULTIPLIED: Advice(
        means="The host of a boundary event is no longer multi-instance. Each of its instances that still "
        "runs may listen on its own.",
        do="Correlate messages by more than their name.",
    ),
    Code.EVENT_DEFINITION_CHANGED: Advice(
        means="The trigger is of the same kind, but names another message, signal, time or condition. The "
        "old one stays armed. Or a receive task that had no message has one, to which upgraded instances "
        "are not subscribed.",
        do="Update the event trigger in the engine if the new one is to hold.",
    ),
    Code.PATH_BEHIND_CHANGED: Advice(
        means="Elements that an instance may have passed were removed, or have another kind, trigger, place "
        "or loop. Another name, form or implementation does not count: it has a warning at the element "
        "itself.",
        do="Check whether later elements need data that these would have written.",
    ),
    Code.FORM_CHANGED: Advice(
        means="The element has another form.",
        do="Check that it can show what the old one saved.",
    ),
    Code.IMPLEMENTATION_CHANGED: Advice(
        means="Another class, delegate, expression, job type, topic, script, decision, or version of a "
        "called process runs the element. Or Camunda 8 manages a user task itself that was a job before.",
        do="Keep the workers of the old one: a job, external task or called instance that exists already "
        "keeps it.",
    ),
    Code.WAIT_REMOVED: Advice(
        means="The element is no longer asynchronous. An instance that waits in a job before or after it "
        "cannot go on; one that waits at the element itself can.",
        do="Let these jobs run before the upgrade, or keep the marker.",
    ),
    Code.NO_MODEL: Advice(
        means="A version has no BPMN model, so nothing was compared and only the version changes.",
        do="Publish versions with their model.",
    ),
    Code.ENGINE_OBJECTS: Advice(
        means="Only in plans of processes that run in a linked engine: its own dry run says that it would "
        "not move instances from this position.",
        do="Read what it says. An upgrade orders the instances all the same; the engine refuses those that "
        "it cannot move, and they are skipped as `ENGINE_REFUSED`.",
    ),
    Code.ENGINE_NOT_ASKED: Advice(
        means="The linked engine did not answer in time when the plan asked it. A plan asks about its 50 "
        "largest cohorts, within five seconds.",
        do="Check the link, and plan again.",
    ),
}
