"""The extensions of vendors that decide are read, each in its vendor's own namespace."""

from typing import NamedTuple

import pytest

from tests.support.bpmn_builder import BPMN
from uplift.domain.bpmn import Element, Wait, read_model

CAMUNDA = "http://camunda.org/schema/1.0/bpmn"
OPERATON = "http://operaton.org/schema/1.0/bpmn"
ZEEBE = "http://camunda.org/schema/zeebe/1.0"
FLOWABLE = "http://flowable.org/bpmn"
ACTIVITI = "http://activiti.org/bpmn"
DROOLS = "http://www.jboss.org/drools"
ALL = (CAMUNDA, OPERATON, ZEEBE, FLOWABLE, ACTIVITI, DROOLS)


def element(tag: str, attributes: str = "", inside: str = "", *, namespace: str = CAMUNDA) -> Element:
    """An element with extensions, whose namespace has the prefix `v`, and the standard's none."""
    document = (
        f'<definitions xmlns="{BPMN}" xmlns:v="{namespace}"><process id="p">'
        f'<{tag} id="e" {attributes}>{inside}</{tag}></process></definitions>'
    )
    return read_model(document.encode()).elements["e"]


def extended(*tags: str) -> str:
    return f"<extensionElements>{''.join(tags)}</extensionElements>"


class Read(NamedTuple):
    """An element in some namespaces, and what is read of it."""

    namespaces: tuple[str, ...]
    tag: str
    attributes: str
    inside: str
    read: str | None


C7, C8, FL = (CAMUNDA, OPERATON), (ZEEBE,), (FLOWABLE, ACTIVITI)
FIELDS = '<v:formField id="b" type="long" label="B"/><v:formField id="a" type="string"/>'

A_3 = "a, version, 3"
PAID = extended("<v:eventType>paid</v:eventType>")

FORMS = [
    Read((*C7, *FL), "userTask", 'v:formKey="embedded:a.html"', "", "embedded:a.html"),
    Read((*C7, *FL), "startEvent", 'v:formKey="a"', "", "a"),
    Read(
        C7, "userTask", 'v:formRef="a" v:formRefBinding="version" v:formRefVersion="3"', "", "a, version, 3"
    ),
    Read(C7, "userTask", 'v:formRef="a" v:formRefBinding="deployment"', "", "a, deployment"),
    Read(C7, "userTask", 'v:formRef="a" v:formRefBinding="latest"', "", "a"),
    Read(C7, "userTask", "", extended(f"<v:formData>{FIELDS}</v:formData>"), "fields a (string), b (long)"),
    Read(
        (*C7, *FL),
        "userTask",
        'v:formKey="k"',
        extended('<v:formProperty id="a" type="date"/>'),
        "fields a (date); k",
    ),
    Read(C8, "userTask", "", extended('<v:formDefinition formId="a"/>'), "a"),
    Read(
        C8,
        "userTask",
        "",
        extended('<v:formDefinition formId="a" bindingType="versionTag" versionTag="1.0"/>'),
        "a, versionTag, 1.0",
    ),
    Read(
        C8,
        "userTask",
        "",
        extended('<v:formDefinition formKey="camunda-forms:bpmn:x"/>'),
        "camunda-forms:bpmn:x",
    ),
    Read(C8, "userTask", "", extended('<v:formDefinition externalReference="https://f"/>'), "https://f"),
    Read(C8, "userTask", 'v:formKey="not there"', "", None),
    Read(FL, "userTask", 'v:formRef="not there"', "", None),
    Read(C7, "userTask", 'v:formKey=" "', "", None),
]

LISTENER = '<v:executionListener class="a.Listener" event="start"/>'

IMPLEMENTATIONS = [
    Read((*C7, *FL), "serviceTask", 'v:class="a.B"', extended(LISTENER), "class a.B"),
    Read((*C7, *FL), "sendTask", 'v:delegateExpression="${b}"', "", "delegate expression ${b}"),
    Read((*C7, *FL), "serviceTask", 'v:expression="${b.c()}"', "", "expression ${b.c()}"),
    Read(C7, "serviceTask", 'v:type="external" v:topic="pay"', "", "type external, pay"),
    Read(FL, "serviceTask", 'v:type="external-worker" v:topic="pay"', "", "type external-worker, pay"),
    Read((*C7, *FL), "serviceTask", 'v:type="mail"', "", "type mail"),
    Read(C7, "businessRuleTask", 'v:decisionRef="d"', "", "decision d"),
    Read(
        C7,
        "businessRuleTask",
        'v:decisionRef="d" v:decisionRefBinding="version" v:decisionRefVersion="2"',
        "",
        "decision d, version, 2",
    ),
    Read(C7, "scriptTask", 'scriptFormat="groovy" v:resource="a.groovy"', "", "script a.groovy"),
    Read(ALL, "scriptTask", 'scriptFormat="groovy"', "<script>a = 1</script>", "groovy script a = 1"),
    Read(ALL, "serviceTask", 'operationRef="book"', "", "operation book"),
    Read(
        C7,
        "serviceTask",
        "",
        extended("<v:connector><v:connectorId>http-connector</v:connectorId></v:connector>"),
        "connector http-connector",
    ),
    Read(C8, "serviceTask", "", extended('<v:taskDefinition type="pay" retries="3"/>'), "job type pay"),
    Read(C8, "scriptTask", "", extended('<v:script expression="=a+1"/>'), "FEEL expression =a+1"),
    Read(C8, "businessRuleTask", "", extended('<v:calledDecision decisionId="d"/>'), "decision d"),
    Read(
        C8,
        "businessRuleTask",
        "",
        extended('<v:calledDecision decisionId="d" bindingType="deployment"/>'),
        "decision d, deployment",
    ),
    Read(
        FL,
        "serviceTask",
        'v:type="dmn"',
        extended('<v:field name="decisionTableReferenceKey"><v:string>rate</v:string></v:field>'),
        "decision table rate; type dmn",
    ),
    Read(FL, "serviceTask", 'v:type="case" v:caseDefinitionKey="c"', "", "case c; type case"),
    Read(FL, "serviceTask", 'v:type="send-event"', PAID, "event paid; type send-event"),
    Read((DROOLS,), "task", 'v:taskName="Email"', "", "work item Email"),
    Read((DROOLS,), "businessRuleTask", 'v:ruleFlowGroup="g"', "", "rule flow group g"),
    Read(C7, "callActivity", 'calledElement="c" v:calledElementBinding="latest"', "", None),
    Read(C7, "callActivity", 'v:calledElementBinding="deployment"', "", "called process: deployment"),
    Read(
        C7,
        "callActivity",
        'calledElement="c" v:calledElementBinding="versionTag" v:calledElementVersionTag="1.0"',
        "",
        "called process: versionTag, 1.0",
    ),
    Read(C7, "callActivity", 'v:calledElementTenantId="t"', "", "called process of tenant t"),
    Read(C7, "callActivity", 'v:caseRef="c" v:caseBinding="deployment"', "", "case c, deployment"),
    Read(
        C8,
        "callActivity",
        "",
        extended('<v:calledElement processId="c" bindingType="versionTag" versionTag="1.0"/>'),
        "called process: versionTag, 1.0",
    ),
    Read(FL, "callActivity", 'calledElement="c" v:calledElementType="key"', "", None),
    Read(FL, "callActivity", 'calledElement="c:3:7" v:calledElementType="id"', "", "called process by id"),
    Read(FL, "callActivity", 'v:sameDeployment="true"', "", "called process of the same deployment: true"),
    Read(C8, "serviceTask", 'v:class="not there"', "", None),
    Read(FL, "businessRuleTask", 'v:decisionRef="not there"', "", None),
    Read(
        C7,
        "endEvent",
        "",
        '<messageEventDefinition v:class="a.B"/>',
        "class a.B",
    ),
]

CALLED = [
    Read(ALL, "callActivity", 'calledElement="c"', "", "c"),
    Read(C8, "callActivity", "", extended('<v:calledElement processId="c"/>'), "c"),
    Read(C8, "callActivity", 'calledElement="other"', extended('<v:calledElement processId="c"/>'), "c"),
    Read((*C7, *FL), "callActivity", "", extended('<v:calledElement processId="c"/>'), None),
    Read(FL, "callActivity", 'calledElement="c:3:7" v:calledElementType="id"', "", "c"),
    Read(C7, "callActivity", 'v:caseRef="c"', "", None),
]


def each(cases: list[Read]) -> list[tuple[Read, str]]:
    return [(case, namespace) for case in cases for namespace in case.namespaces]


@pytest.mark.parametrize(("case", "namespace"), each(FORMS))
def test_forms(case: Read, namespace: str) -> None:
    assert element(case.tag, case.attributes, case.inside, namespace=namespace).form == case.read


@pytest.mark.parametrize(("case", "namespace"), each(IMPLEMENTATIONS))
def test_implementations(case: Read, namespace: str) -> None:
    assert element(case.tag, case.attributes, case.inside, namespace=namespace).implementation == case.read


@pytest.mark.parametrize(("case", "namespace"), each(CALLED))
def test_called_processes(case: Read, namespace: str) -> None:
    assert element(case.tag, case.attributes, case.inside, namespace=namespace).called_process == case.read


@pytest.mark.parametrize("namespace", ["", "http://example.org/bpmn", f"{CAMUNDA}/", ZEEBE.upper()])
@pytest.mark.parametrize("case", [*FORMS, *IMPLEMENTATIONS], ids=str)
def test_nothing_counts_in_another_namespace(case: Read, namespace: str) -> None:
    declared = namespace or "http://example.org/"
    read = element(case.tag, case.attributes, case.inside, namespace=declared)
    standard = case.read if case.namespaces is ALL else None

    assert (read.form, read.implementation, read.waits) == (None, standard, frozenset())


BEFORE, AFTER, WORKER = Wait.BEFORE, Wait.AFTER, Wait.WORKER
EXTERNAL = '<messageEventDefinition v:type="external" v:topic="t"/>'
JOB = extended('<v:taskDefinition type="t"/>')


@pytest.mark.parametrize(
    ("namespaces", "tag", "attributes", "inside", "waits"),
    [
        (C7, "exclusiveGateway", 'v:asyncBefore="true"', "", {BEFORE}),
        (C7, "endEvent", 'v:asyncBefore="1" v:asyncAfter="true" v:exclusive="false"', "", {BEFORE, AFTER}),
        ((*C7, *FL), "userTask", 'v:async="true"', "", {BEFORE}),
        (FL, "userTask", 'v:asyncLeave="true"', "", {AFTER}),
        (FL, "userTask", 'v:asyncBefore="true"', "", set()),
        (C7, "userTask", 'v:asyncBefore="false"', "", set()),
        (
            C7,
            "serviceTask",
            "",
            '<multiInstanceLoopCharacteristics v:asyncBefore="true"/>',
            {BEFORE},
        ),
        (C7, "intermediateThrowEvent", "", EXTERNAL, {WORKER}),
        (C7, "endEvent", "", EXTERNAL, {WORKER}),
        (C7, "endEvent", "", EXTERNAL.replace("external", "mail"), set()),
        (C7, "serviceTask", 'v:type="external" v:topic="t"', "", set()),
        (C8, "endEvent", "", f"{JOB}<messageEventDefinition/>", {WORKER}),
        (C8, "serviceTask", "", JOB, set()),
        (C8, "serviceTask", 'v:asyncBefore="true"', "", set()),
    ],
)
def test_where_an_instance_can_wait(
    namespaces: tuple[str, ...], tag: str, attributes: str, inside: str, waits: set[Wait]
) -> None:
    for namespace in namespaces:
        assert element(tag, attributes, inside, namespace=namespace).waits == waits


def test_camunda_user_tasks() -> None:
    marker = extended("<v:userTask/>")

    assert element("userTask", inside=marker, namespace=ZEEBE).is_camunda_user_task
    assert not element("userTask", inside=marker, namespace=CAMUNDA).is_camunda_user_task
    assert not element("userTask", namespace=ZEEBE).is_camunda_user_task
    assert not element("serviceTask", inside=marker, namespace=ZEEBE).is_camunda_user_task


@pytest.mark.parametrize(("first", "second"), [(OPERATON, CAMUNDA), FL])
def test_the_first_namespace_of_a_vendor_wins(first: str, second: str) -> None:
    names = {"one": first, "two": second}
    for order in (("one", "two"), ("two", "one")):
        attributes = " ".join(f'xmlns:{name}="{names[name]}" {name}:formKey="{name}"' for name in order)
        assert element("userTask", attributes).form == "one"


@pytest.mark.parametrize(
    ("tag", "first", "second", "namespace"),
    [
        (
            "endEvent",
            '<messageEventDefinition v:class="a"/>',
            '<messageEventDefinition v:class="b"/>',
            CAMUNDA,
        ),
        (
            "callActivity",
            extended('<v:calledElement processId="a"/>'),
            extended('<v:calledElement processId="b"/>'),
            ZEEBE,
        ),
    ],
)
def test_the_order_of_contradictions_does_not_matter(
    tag: str, first: str, second: str, namespace: str
) -> None:
    assert element(tag, inside=first + second, namespace=namespace) == element(
        tag, inside=second + first, namespace=namespace
    )


def test_long_scripts_are_kept_in_part_and_differ_by_their_end() -> None:
    first, second = (
        element("scriptTask", inside=f"<script>{'x' * 10_000}{end}</script>").implementation for end in "12"
    )

    assert first != second
    assert len(str(first)) < 600


def test_the_order_of_extensions_does_not_matter() -> None:
    tags = [
        '<v:formDefinition formId="a"/>',
        '<v:formDefinition formKey="b"/>',
        '<v:taskDefinition type="t"/>',
        "<v:userTask/>",
    ]

    assert element("userTask", inside=extended(*tags), namespace=ZEEBE) == element(
        "userTask", inside=extended(*reversed(tags)), namespace=ZEEBE
    )
