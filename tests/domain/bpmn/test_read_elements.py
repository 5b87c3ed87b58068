"""The reader finds all parts of a process."""

import pytest

from tests.support.bpmn_builder import BPMN, a_process
from tests.support.process_shapes import (
    compensated,
    nested,
    one_task,
    waiting_for,
    with_boundary,
    with_event_sub,
)
from uplift.domain.bpmn import (
    Element,
    ElementKind,
    MultiInstance,
    ProcessModel,
    Trigger,
    TriggerKind,
    read_model,
)


def read(inside: str) -> ProcessModel:
    """The model of a document with these tags inside its definitions, in the default namespace."""
    return read_model(f'<definitions xmlns="{BPMN}" xmlns:v="urn:vendor">{inside}</definitions>'.encode())


def read_element(tags: str, beside: str = "") -> Element:
    model = read(f'{beside}<process id="p">{tags}</process>')
    return next(iter(model.elements.values()))


@pytest.mark.parametrize("kind", [kind for kind in ElementKind if kind is not ElementKind.EVENT_SUB_PROCESS])
def test_reads_every_kind_of_flow_node(kind: ElementKind) -> None:
    if kind is ElementKind.BOUNDARY_EVENT:
        model = with_boundary(event="node", message="M").model()
    else:
        model = a_process().node(kind.value, "node", name="Node").model()

    assert model.elements["node"].kind is kind


def test_reads_an_event_subprocess_as_a_kind_of_its_own() -> None:
    assert (
        with_event_sub("watch", message="M").model().elements["watch"].kind is ElementKind.EVENT_SUB_PROCESS
    )


def test_reads_id_and_name_of_the_process_and_its_elements() -> None:
    model = read('<process id="p" name="Order"><userTask id="t" name="Check &amp; sign"/></process>')

    assert (model.id, model.name) == ("p", "Order")
    assert model.elements["t"] == Element(id="t", kind=ElementKind.USER_TASK, name="Check & sign")


def test_reads_a_process_without_elements() -> None:
    model = read('<process id="p"/>')

    assert (model.elements, model.flows, model.name) == ({}, {}, None)


def test_reads_how_scopes_nest() -> None:
    model = nested("a", "b", "c").model()

    assert [scope.id for scope in model.scopes_around(model.elements["task"])] == ["c", "b", "a"]
    assert [element.id for element in model.contents("c")] == ["cEnd", "cStart", "task"]
    assert [element.id for element in model.contents(None)] == ["a", "end", "start"]


def test_reads_flows_as_incoming_and_outgoing() -> None:
    model = a_process().user_task("a").user_task("b").after("a").user_task("c").join("c", "b").model()

    assert [element.id for element in model.elements_before(model.elements["b"])] == ["a", "c"]
    assert len(model.elements["a"].outgoing) == 2
    assert model.flows[model.elements["c"].outgoing[0]].target == "b"


def test_reads_a_gateway_that_names_its_default_flow() -> None:
    model = read(
        '<process id="p"><exclusiveGateway id="x" default="f"/><task id="t"/>'
        '<sequenceFlow id="f" sourceRef="x" targetRef="t"/></process>'
    )

    assert model.elements["x"].outgoing == ("f",)


def test_reads_hosts_of_boundary_events_and_whether_they_interrupt() -> None:
    model = with_boundary(message="M").boundary("soft", on="task", timer="PT1M", interrupting=False).model()

    assert [event.id for event in model.boundary_events("task")] == ["event", "soft"]
    assert model.elements["event"].interrupting
    assert not model.elements["soft"].interrupting


def test_reads_whether_the_start_of_an_event_subprocess_interrupts() -> None:
    model = with_event_sub(message="M", interrupting=False).model()

    assert not model.elements["heard"].interrupting


@pytest.mark.parametrize(
    ("definition", "beside", "trigger"),
    [
        (
            '<messageEventDefinition messageRef="m"/>',
            '<message id="m" name="Paid"/>',
            Trigger(kind=TriggerKind.MESSAGE, detail="Paid"),
        ),
        (
            '<messageEventDefinition messageRef="m"/>',
            '<message id="m"/>',
            Trigger(kind=TriggerKind.MESSAGE, detail="m"),
        ),
        (
            '<messageEventDefinition messageRef="tns:m"/>',
            '<message id="m" name="Paid"/>',
            Trigger(kind=TriggerKind.MESSAGE, detail="Paid"),
        ),
        (
            '<messageEventDefinition messageRef="a:m"/>',
            '<message id="m" name="Other"/><message id="a:m" name="Paid"/>',
            Trigger(kind=TriggerKind.MESSAGE, detail="Paid"),
        ),
        ("<messageEventDefinition/>", "", Trigger(kind=TriggerKind.MESSAGE)),
        (
            '<signalEventDefinition signalRef="s"/>',
            '<signal id="s" name="Stop"/>',
            Trigger(kind=TriggerKind.SIGNAL, detail="Stop"),
        ),
        (
            '<errorEventDefinition errorRef="e"/>',
            '<error id="e" name="Failed" errorCode="E1"/>',
            Trigger(kind=TriggerKind.ERROR, detail="E1"),
        ),
        (
            '<errorEventDefinition errorRef="undeclared"/>',
            "",
            Trigger(kind=TriggerKind.ERROR, detail="undeclared"),
        ),
        (
            '<escalationEventDefinition escalationRef="x"/>',
            '<escalation id="x" escalationCode="Boss"/>',
            Trigger(kind=TriggerKind.ESCALATION, detail="Boss"),
        ),
        (
            "<timerEventDefinition><timeDuration> PT5M </timeDuration></timerEventDefinition>",
            "",
            Trigger(kind=TriggerKind.TIMER, detail="timeDuration PT5M"),
        ),
        (
            "<timerEventDefinition><timeCycle>R3/PT1H</timeCycle></timerEventDefinition>",
            "",
            Trigger(kind=TriggerKind.TIMER, detail="timeCycle R3/PT1H"),
        ),
        (
            "<timerEventDefinition><timeDate>t</timeDate><timeCycle>R</timeCycle></timerEventDefinition>",
            "",
            Trigger(kind=TriggerKind.TIMER, detail="timeDate t; timeCycle R"),
        ),
        ("<timerEventDefinition/>", "", Trigger(kind=TriggerKind.TIMER)),
        (
            "<conditionalEventDefinition><condition>${late}</condition></conditionalEventDefinition>",
            "",
            Trigger(kind=TriggerKind.CONDITIONAL, detail="${late}"),
        ),
        ("<conditionalEventDefinition/>", "", Trigger(kind=TriggerKind.CONDITIONAL)),
        ("<compensateEventDefinition/>", "", Trigger(kind=TriggerKind.COMPENSATION)),
        ("<cancelEventDefinition/>", "", Trigger(kind=TriggerKind.CANCEL)),
        ('<linkEventDefinition name="A"/>', "", Trigger(kind=TriggerKind.LINK, detail="A")),
        ("<terminateEventDefinition/>", "", Trigger(kind=TriggerKind.TERMINATE)),
        (
            '<signalEventDefinition signalRef="s"/><cancelEventDefinition/>',
            '<signal id="s" name="Stop"/>',
            Trigger(kind=TriggerKind.MULTIPLE, detail="cancel: None; signal: Stop"),
        ),
        (
            "<eventDefinitionRef>shared</eventDefinitionRef>",
            '<signal id="s" name="Stop"/><signalEventDefinition id="shared" signalRef="s"/>',
            Trigger(kind=TriggerKind.SIGNAL, detail="Stop"),
        ),
        ("", "", None),
    ],
)
def test_reads_what_an_event_waits_for(definition: str, beside: str, trigger: Trigger | None) -> None:
    tags = f'<intermediateCatchEvent id="event">{definition}</intermediateCatchEvent>'

    assert read_element(tags, beside).trigger == trigger


def test_reads_the_message_of_a_receive_task() -> None:
    model = one_task(kind="receiveTask", message="Paid").model()

    assert model.elements["task"].trigger == Trigger(kind=TriggerKind.MESSAGE, detail="Paid")


def test_no_other_task_waits_for_a_message() -> None:
    assert one_task(kind="receiveTask").model().elements["task"].trigger is None
    assert read_element('<sendTask id="t" messageRef="m"/>', '<message id="m"/>').trigger is None


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ('<multiInstanceLoopCharacteristics isSequential="true"/>', MultiInstance.SEQUENTIAL),
        ('<multiInstanceLoopCharacteristics isSequential="1"/>', MultiInstance.SEQUENTIAL),
        ('<multiInstanceLoopCharacteristics isSequential="false"/>', MultiInstance.PARALLEL),
        ("<multiInstanceLoopCharacteristics/>", MultiInstance.PARALLEL),
        ("<standardLoopCharacteristics/>", None),
        ("", None),
    ],
)
def test_reads_multi_instance_markers(marker: str, expected: MultiInstance | None) -> None:
    assert read_element(f'<userTask id="t">{marker}</userTask>').multi_instance is expected


def test_reads_called_processes() -> None:
    model = a_process().call("a", "billing").call("b").model()

    assert [model.elements[call].called_process for call in "ab"] == ["billing", None]


def test_reads_compensation_handlers_by_their_associations() -> None:
    model = compensated().model()

    assert model.elements["undo"].handler == "cancel"
    assert model.elements["cancel"].is_for_compensation
    assert not model.elements["book"].is_for_compensation
    assert model.handlers == {"cancel"}


def test_only_compensation_events_lead_to_handlers() -> None:
    uncompensated = a_process().user_task("book").boundary("undo", on="book", compensation=True)
    without_trigger = one_task().boundary("event", on="task", message="M").handler("cancel", of="event")

    assert [model.handlers for model in (uncompensated.model(), without_trigger.model())] == [set(), set()]


def test_passes_over_associations_with_annotations() -> None:
    model = read(
        '<process id="p"><task id="t"/><textAnnotation id="note"/>'
        '<association id="a" sourceRef="t" targetRef="note"/>'
        '<association id="b" sourceRef="note" targetRef="t"/></process>'
    )

    assert model.elements["t"].handler is None


@pytest.mark.parametrize(
    ("namespace", "attribute"),
    [
        ("http://camunda.org/schema/1.0/bpmn", "formKey"),
        ("http://camunda.org/schema/1.0/bpmn", "formRef"),
        ("http://flowable.org/bpmn", "formKey"),
        ("http://activiti.org/bpmn", "formKey"),
    ],
)
def test_reads_form_keys_of_camunda_and_flowable(namespace: str, attribute: str) -> None:
    tags = f'<userTask id="t" xmlns:x="{namespace}" x:{attribute}="check-form"/>'

    assert read_element(tags).form == "check-form"


def test_passes_over_what_vendors_add() -> None:
    model = read(
        '<v:settings id="t"/><process id="p" v:version="7"><extensionElements><v:task id="t"/>'
        '<userTask id="hidden"/><userTask id="t"/></extensionElements>'
        '<userTask id="t" v:assignee="a"><v:thing/></userTask><v:userTask id="own"/></process>'
    )

    assert model.elements == {"t": Element(id="t", kind=ElementKind.USER_TASK)}


@pytest.mark.parametrize("prefix", ["", "bpmn", "bpmn2", "semantic", "model", "ns0"])
def test_reads_any_namespace_prefix(prefix: str) -> None:
    process = waiting_for(timer="PT1M")

    assert read_model(process.xml(prefix=prefix)) == process.model()


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1", "windows-1252"])
def test_reads_any_encoding_the_parser_knows(encoding: str) -> None:
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><definitions xmlns="{BPMN}">'
        '<process id="p"><userTask id="t" name="Prüfen"/></process></definitions>'
    )

    assert read_model(text.encode(encoding)).elements["t"].name == "Prüfen"


TWO = f'<definitions xmlns="{BPMN}"><process id="a"/><process id="b"><task id="t"/></process></definitions>'


def test_reads_the_process_with_the_id() -> None:
    assert read_model(TWO.encode(), process_id="b").elements.keys() == {"t"}


def test_reads_the_only_process_whatever_the_id() -> None:
    assert read_model(one_task().xml(), preferred_id="other").id == "process"
