"""Documents in the shapes of many vendors' programs are read as their engines read them. All are our own.

Each has something that a strict reader would refuse, named as in the documentation: which documents are read.
"""

from random import Random
from typing import NamedTuple
from xml.etree.ElementTree import tostring

import pytest
from defusedxml.ElementTree import fromstring

from tests.domain.bpmn.test_document_order import shuffle
from uplift.domain.bpmn import ProcessModel, read_model
from uplift.domain.compatibility import breaking_positions, compare
from uplift.domain.errors import InvalidModel

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"


class Vendor(NamedTuple):
    """How a program writes the root of a document: its prefix, attributes, and what follows the processes."""

    prefix: str
    attributes: str
    end: str = ""


VENDORS = {
    "Camunda 7": Vendor(
        "bpmn",
        'xmlns:camunda="http://camunda.org/schema/1.0/bpmn" exporter="Camunda Modeler" '
        'exporterVersion="5.20.0"',
        '<di:BPMNDiagram xmlns:di="http://www.omg.org/spec/BPMN/20100524/DI" id="D">'
        '<di:BPMNPlane id="P"/></di:BPMNDiagram>',
    ),
    "Camunda 8": Vendor(
        "bpmn",
        'xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" '
        'xmlns:modeler="http://camunda.org/schema/modeler/1.0" '
        'exporter="Camunda Modeler" modeler:executionPlatform="Camunda Cloud"',
    ),
    "Flowable": Vendor(
        "", 'xmlns:flowable="http://flowable.org/bpmn" targetNamespace="http://www.flowable.org/processdef"'
    ),
    "Activiti": Vendor(
        "", 'xmlns:activiti="http://activiti.org/bpmn" targetNamespace="http://www.activiti.org/processdef"'
    ),
    "jBPM": Vendor(
        "bpmn2",
        'xmlns:drools="http://www.jboss.org/drools" exporter="jBPM Process Modeler" id="_D"',
        '<bpmn2:relationship type="BPSimData"><bpmn2:source>_D</bpmn2:source></bpmn2:relationship>',
    ),
    "Signavio": Vendor(
        "", 'xmlns:signavio="http://www.signavio.com" exporter="Signavio Process Editor" id="sid-1"'
    ),
    "Bizagi": Vendor(
        "",
        'xmlns:bizagi="http://www.bizagi.com/bpmn20" exporter="BizAgi Process Modeler" '
        'targetNamespace="http://www.bizagi.com/definitions/_1"',
    ),
    "ARIS": Vendor(
        "", 'exporter="ARIS" exporterVersion="10.0" targetNamespace="http://www.software-ag.com/aris/bpmn2.0"'
    ),
    "bpmn.io": Vendor("bpmn2", 'exporter="bpmn-js (https://demo.bpmn.io)" exporterVersion="17.0.0"'),
}


def document(vendor: str, *tags: str, process: str = 'id="p" isExecutable="true"', beside: str = "") -> str:
    """A document of a vendor; `b:` in the tags is the prefix of BPMN."""
    prefix, attributes, end = VENDORS[vendor]
    declared = f"xmlns:{prefix}" if prefix else "xmlns"
    mark = f"{prefix}:" if prefix else ""
    inside = f"<b:process {process}>{''.join(tags)}</b:process>{beside}".replace("b:", mark)
    root = f'<{mark}definitions {declared}="{BPMN}" {attributes}>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}{inside}{end}</{mark}definitions>'


class Document(NamedTuple):
    """What a vendor's document has, and the facts that are read: ids, triggers, handlers and hosts."""

    kind: str
    vendor: str
    tags: str
    read: dict[str, str]
    beside: str = ""


A_AND_B = '<b:userTask id="a"/><b:userTask id="b"/>'
TIMER = "<b:timerEventDefinition><b:timeDuration>PT1H</b:timeDuration></b:timerEventDefinition>"

DOCUMENTS = [
    Document(
        "flow without id", "Camunda 7",
        '<b:startEvent id="s"/><b:userTask id="a"><b:incoming>Flow_1</b:incoming></b:userTask>'
        '<b:sequenceFlow sourceRef="s" targetRef="a"/>',
        {"s": "", "a": "after s"},
    ),
    Document(
        "flow without id", "Flowable",
        f'<b:exclusiveGateway id="g"/>{A_AND_B}<b:sequenceFlow sourceRef="g" targetRef="a">'
        f'<b:conditionExpression>'
        '<![CDATA[${x < 1}]]></b:conditionExpression></b:sequenceFlow>'
        '<b:sequenceFlow sourceRef="g" targetRef="b"/>',
        {"g": "", "a": "after g", "b": "after g"},
    ),
    Document(
        "flow without id", "Activiti",
        f'<b:subProcess id="u">{A_AND_B}<b:sequenceFlow sourceRef="a" targetRef="b"/></b:subProcess>',
        {"u": "", "a": "in u", "b": "in u, after a"},
    ),
    Document(
        "flow without id", "jBPM",
        f'{A_AND_B}<b:sequenceFlow id="" sourceRef="a" targetRef="b" drools:priority="1"/>',
        {"a": "", "b": "after a"},
    ),
    Document(
        "element without id", "Flowable",
        '<b:userTask id="a"/><b:subProcess triggeredByEvent="true"><b:startEvent><b:errorEventDefinition '
        'errorRef="E"/></b:startEvent><b:userTask id="b"/></b:subProcess>',
        {
            "a": "", "b": "in eventSubProcess: error E", "eventSubProcess: error E": "",
            "startEvent: in eventSubProcess: error E, error E": "in eventSubProcess: error E, error E",
        },
    ),
    Document(
        "element without id", "Camunda 8",
        f'<b:serviceTask id="a"/>'
        f'<b:boundaryEvent attachedToRef="a" cancelActivity="false">{TIMER}</b:boundaryEvent>',
        {"a": "", "boundaryEvent: on a, timer timeDuration PT1H": "on a, timer timeDuration PT1H"},
    ),
    Document(
        "element without id", "Signavio",
        '<b:subProcess id="sid-u"><b:task id="a"/><b:endEvent name=""/></b:subProcess><b:endEvent/>',
        {"sid-u": "", "a": "in sid-u", "endEvent: in sid-u": "in sid-u", "endEvent:": ""},
    ),
    Document(
        "element without id", "bpmn.io",
        '<b:transaction><b:task id="a"/></b:transaction><b:parallelGateway/>',
        {"transaction:": "", "a": "in transaction:", "parallelGateway:": ""},
    ),
    Document(
        "undeclared reference", "Activiti",
        '<b:intermediateCatchEvent id="c"><b:signalEventDefinition signalRef="stop all"/>'
        '</b:intermediateCatchEvent>',
        {"c": "signal stop all"},
    ),
    Document(
        "undeclared reference", "Flowable",
        '<b:receiveTask id="r" messageRef="paid"/><b:userTask id="a"/>'
        '<b:boundaryEvent id="e" attachedToRef="a">'
        '<b:errorEventDefinition errorRef="NO_MONEY"/></b:boundaryEvent>',
        {"r": "message paid", "a": "", "e": "on a, error NO_MONEY"},
    ),
    Document(
        "undeclared reference", "jBPM",
        '<b:userTask id="a"/><b:boundaryEvent id="e" attachedToRef="a"><b:escalationEventDefinition '
        'drools:esccode="late" escalationRef="late"/></b:boundaryEvent>',
        {"a": "", "e": "on a, escalation late"},
    ),
    Document(
        "undeclared reference", "Bizagi",
        '<b:intermediateCatchEvent id="Id_1"><b:messageEventDefinition messageRef="Id_2"/>'
        '</b:intermediateCatchEvent>',
        {"Id_1": "message Id_2"},
    ),
    Document(
        "redundant reference", "Bizagi",
        '<b:task id="a"><b:incoming>Id_message</b:incoming><b:outgoing>Id_gone</b:outgoing></b:task>',
        {"a": ""},
        '<b:collaboration id="c"><b:messageFlow id="Id_message" sourceRef="x" targetRef="a"/>'
        '</b:collaboration>',
    ),
    Document(
        "redundant reference", "Signavio",
        '<b:task id="a"><b:outgoing>sid-note</b:outgoing></b:task><b:textAnnotation id="t"/>'
        '<b:association id="sid-note" sourceRef="a" targetRef="t"/>',
        {"a": ""},
    ),
    Document(
        "redundant reference", "ARIS",
        '<b:task id="a"><b:incoming/><b:incoming>-</b:incoming></b:task>', {"a": ""},
    ),
    Document(
        "dangling association", "ARIS",
        '<b:task id="a"/><b:association id="x" sourceRef="a" targetRef="annotation-of-another-diagram"/>',
        {"a": ""},
    ),
    Document("dangling association", "Bizagi", '<b:task id="a"/><b:association sourceRef="a"/>', {"a": ""}),
    Document(
        "dangling association", "Camunda 7",
        '<b:userTask id="a"/><b:boundaryEvent id="e" attachedToRef="a">'
        '<b:compensateEventDefinition/></b:boundaryEvent>'
        '<b:association sourceRef="e" targetRef="gone"/><b:association sourceRef="e" targetRef="undo"/>'
        '<b:serviceTask id="undo" isForCompensation="true"/>',
        {"a": "", "e": "on a, compensation, undone by undo", "undo": ""},
    ),
    Document(
        "id twice", "bpmn.io",
        '<b:laneSet id="l"><b:lane id="l"/><b:lane id="l"/></b:laneSet><b:task id="a"/>',
        {"a": ""},
    ),
    Document(
        "id twice", "jBPM",
        '<b:property id="x"/><b:userTask id="a"><b:ioSpecification><b:dataInput id="x"/><b:dataInput id="x"/>'
        "</b:ioSpecification></b:userTask>",
        {"a": ""},
        '<b:itemDefinition id="x"/><b:itemDefinition id="x"/>',
    ),
    Document(
        "id twice", "Bizagi",
        '<b:dataObject id="Id_d"/><b:dataObjectReference id="Id_d" dataObjectRef="Id_d"/><b:task id="Id_a"/>',
        {"Id_a": ""},
    ),
    Document(
        "order of flows", "Camunda 7",
        '<b:eventBasedGateway id="g3"/><b:eventBasedGateway id="g1"/><b:eventBasedGateway id="g2"/>'
        f'<b:intermediateCatchEvent id="c">{TIMER}</b:intermediateCatchEvent>'
        '<b:sequenceFlow id="x" sourceRef="g3" targetRef="c"/>'
        '<b:sequenceFlow id="y" sourceRef="g2" targetRef="c"/>'
        '<b:sequenceFlow id="z" sourceRef="g1" targetRef="c"/>',
        {"g1": "", "g2": "", "g3": "", "c": "after g1, after g2, after g3, timer timeDuration PT1H"},
    ),
    Document(
        "order of flows", "Flowable",
        '<b:eventBasedGateway id="g"/><b:receiveTask id="r" messageRef="m"/><b:userTask id="a"/>'
        '<b:sequenceFlow id="y" sourceRef="g" targetRef="r"/>'
        '<b:sequenceFlow id="x" sourceRef="a" targetRef="r"/>',
        {"g": "", "a": "", "r": "after a, after g, message m"},
    ),
    Document(
        "order of flows", "ARIS",
        f'<b:inclusiveGateway id="g"/>{A_AND_B}<b:sequenceFlow sourceRef="b" targetRef="g"/>'
        '<b:sequenceFlow sourceRef="a" targetRef="g"/><b:sequenceFlow sourceRef="a" targetRef="g"/>',
        {"a": "", "b": "", "g": "after a, after b"},
    ),
    Document(
        "several processes", "Bizagi",
        '<b:userTask id="a"/>', {"a": ""},
        '<b:process id="Id_client"><b:task id="c"/></b:process>'
        '<b:process id="Id_other" isExecutable="false"/>',
    ),
    Document(
        "several processes", "Signavio",
        '<b:userTask id="a"/>', {"a": ""},
        '<b:collaboration><b:participant processRef="p"/></b:collaboration><b:process id="sid-empty"/>',
    ),
    Document(
        "several processes", "Camunda 8",
        '<b:userTask id="a"><b:extensionElements><zeebe:userTask/></b:extensionElements>'
        '</b:userTask>', {"a": ""},
        '<b:process id="pool" isExecutable="false"><b:userTask id="c"/></b:process>',
    ),
    Document(
        "form", "Camunda 8",
        '<b:userTask id="a"><b:extensionElements><zeebe:formDefinition formId="f1"/>'
        '</b:extensionElements></b:userTask>',
        {"a": "form f1"},
    ),
    Document(
        "form", "Camunda 8",
        '<b:userTask id="a"><b:extensionElements><zeebe:formDefinition formKey="camunda-forms:bpmn:f"/>'
        "</b:extensionElements></b:userTask>",
        {"a": "form camunda-forms:bpmn:f"},
    ),
    Document(
        "form", "Camunda 8",
        '<b:userTask id="a"><b:extensionElements><zeebe:formDefinition externalReference="https://f"/>'
        "</b:extensionElements></b:userTask>",
        {"a": "form https://f"},
    ),
]  # fmt: skip


def facts(model: ProcessModel) -> dict[str, str]:
    """What the model says about each element, in words."""
    described = {}
    for element in model.elements.values():
        trigger = element.trigger
        described[element.id] = ", ".join(
            (
                *([f"in {element.scope}"] if element.scope else []),
                *([f"on {element.host}"] if element.host else []),
                *(f"after {before.id}" for before in model.elements_before(element)),
                *([f"{trigger.kind} {trigger.detail or ''}".strip()] if trigger else []),
                *([f"undone by {element.handler}"] if element.handler else []),
                *([f"form {element.form}"] if element.form else []),
            )
        )
    return described


CASES = pytest.mark.parametrize("case", DOCUMENTS, ids=lambda case: f"{case.kind}-{case.vendor}")


@CASES
def test_the_document_is_read(case: Document) -> None:
    model = read_model(document(case.vendor, case.tags, beside=case.beside).encode())

    assert facts(model) == case.read
    assert compare(model, model).findings == ()
    assert breaking_positions(compare(model, model)) == ()


@CASES
def test_the_order_of_its_tags_does_not_matter(case: Document) -> None:
    root = fromstring(document(case.vendor, case.tags, beside=case.beside).encode())
    model = read_model(tostring(root))
    for seed in range(5):
        shuffle(root, Random(seed))
        assert read_model(tostring(root)) == model


LETTERS = '<b:task id="Prüfung" name="Ä"/>'


@pytest.mark.parametrize(
    ("vendor", "declared", "encoding"),
    [
        ("ARIS", "windows-1252", "windows-1252"),
        ("Bizagi", "utf-16", "utf-16"),
        ("Signavio", "UTF-16", "utf-8-sig"),
        ("jBPM", "ISO-8859-1", "iso-8859-1"),
        ("Activiti", "utf-8", "utf-16-le"),
    ],
)
def test_the_letters_of_its_encoding_are_read(vendor: str, declared: str, encoding: str) -> None:
    text = document(vendor, LETTERS).replace('encoding="UTF-8"', f'encoding="{declared}"')

    assert read_model(text.encode(encoding)).elements["Prüfung"].name == "Ä"


@pytest.mark.parametrize("vendor", VENDORS)
def test_two_executable_processes_are_a_choice(vendor: str) -> None:
    beside = '<b:process id="q" name="Other" isExecutable="true"><b:task id="b"/></b:process>'
    several = document(vendor, '<b:task id="a"/>', beside=beside).encode()

    with pytest.raises(InvalidModel) as refused:
        read_model(several)
    assert "'p' (executable, 1 element), 'q' ('Other', executable, 1 element)." in refused.value.message
    assert read_model(several, process_id="q").elements.keys() == {"b"}


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("tags", "beside", "element", "advice"),
    [
        (
            '<b:sequenceFlow id="f" sourceRef="a" targetRef="gone"/>',
            "",
            "f",
            "Correct the reference, or remove",
        ),
        (
            '<b:sequenceFlow id="f" sourceRef="a" targetRef="z"/>',
            '<b:process id="other"><b:task id="z"/></b:process>',
            "f",
            "it is in process 'other'. Connect processes by message flows.",
        ),
        ('<b:boundaryEvent id="e" attachedToRef="e"/>', "", "e", "it is the boundaryEvent on line 2."),
        ('<b:userTask id="a"/>', "", "a", "Give one of them another id."),
        ("<b:userTask/>", "", None, "Give it an id."),
    ],
    ids=["to nothing", "to another process", "host", "twice", "no id"],
)
def test_what_its_engine_refuses_is_refused(
    vendor: str, tags: str, beside: str, element: str | None, advice: str
) -> None:
    with pytest.raises(InvalidModel) as refused:
        read_model(document(vendor, '<b:task id="a"/>', tags, beside=beside).encode())

    assert (refused.value.line, refused.value.element) == (2, element)
    assert advice in refused.value.message
