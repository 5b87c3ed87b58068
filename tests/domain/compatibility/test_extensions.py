"""What extensions change between two versions is a warning, or decides whether an instance can go."""

from typing import NamedTuple

import pytest

from tests.support.bpmn_builder import BPMN
from uplift.domain.bpmn import ProcessModel, read_model
from uplift.domain.compatibility import Comparison, breaking_positions, compare, migrate_position

NAMESPACES = {
    "camunda": "http://camunda.org/schema/1.0/bpmn",
    "operaton": "http://operaton.org/schema/1.0/bpmn",
    "zeebe": "http://camunda.org/schema/zeebe/1.0",
    "flowable": "http://flowable.org/bpmn",
    "activiti": "http://activiti.org/bpmn",
}
DECLARED = " ".join(f'xmlns:{prefix}="{namespace}"' for prefix, namespace in NAMESPACES.items())


def model(*tags: str) -> ProcessModel:
    inside = "".join(tags)
    process = f'<process id="p">{inside}</process>'
    return read_model(f'<definitions xmlns="{BPMN}" {DECLARED}>{process}</definitions>'.encode())


def compared(source: str, target: str) -> Comparison:
    return compare(model(source), model(target))


def service(attributes: str = "", inside: str = "") -> str:
    return f'<serviceTask id="e" {attributes}>{inside}</serviceTask>'


def user(attributes: str = "", inside: str = "") -> str:
    return f'<userTask id="e" {attributes}>{inside}</userTask>'


def call(attributes: str = "", inside: str = "") -> str:
    return f'<callActivity id="e" {attributes}>{inside}</callActivity>'


def zeebe(tag: str) -> str:
    return f"<extensionElements><zeebe:{tag}/></extensionElements>"


def job(job_type: str) -> str:
    return service(inside=zeebe(f'taskDefinition type="{job_type}"'))


class Changed(NamedTuple):
    """Two versions of an element, and the codes that a comparison finds."""

    source: str
    target: str
    codes: tuple[str, ...]


IMPLEMENTATION, FORM, WAIT = ("IMPLEMENTATION_CHANGED",), ("FORM_CHANGED",), ("WAIT_REMOVED",)
CALLED, KIND = ("CALLED_PROCESS_CHANGED",), ("TYPE_CHANGED",)
NATIVE = user(inside=zeebe("userTask"))

CHANGED = [
    Changed(service('camunda:class="A"'), service('camunda:class="B"'), IMPLEMENTATION),
    Changed(service('camunda:class="A"'), service('operaton:class="A"'), ()),
    Changed(service('flowable:class="A"'), service('activiti:class="A"'), ()),
    Changed(service('camunda:class="A"'), service(), IMPLEMENTATION),
    Changed(service('camunda:class="A"'), service('camunda:expression="A"'), IMPLEMENTATION),
    Changed(
        service('camunda:type="external" camunda:topic="a"'),
        service('camunda:type="external" camunda:topic="b"'),
        IMPLEMENTATION,
    ),
    Changed(job("a"), job("b"), IMPLEMENTATION),
    Changed(job("a"), job("a"), ()),
    Changed(
        '<scriptTask id="e"><script>a</script></scriptTask>',
        '<scriptTask id="e"><script>b</script></scriptTask>',
        IMPLEMENTATION,
    ),
    Changed(user('camunda:formKey="a"'), user('camunda:formKey="b"'), FORM),
    Changed(
        user('camunda:formRef="a" camunda:formRefBinding="version" camunda:formRefVersion="1"'),
        user('camunda:formRef="a" camunda:formRefBinding="version" camunda:formRefVersion="2"'),
        FORM,
    ),
    Changed(
        user(inside=zeebe('formDefinition formId="a"')), user(inside=zeebe('formDefinition formId="b"')), FORM
    ),
    Changed(user('flowable:formKey="a"'), user('activiti:formKey="a"'), ()),
    Changed(call('calledElement="a"'), call('calledElement="b"'), CALLED),
    Changed(
        call(inside=zeebe('calledElement processId="a"')),
        call(inside=zeebe('calledElement processId="b"')),
        CALLED,
    ),
    Changed(
        call(inside=zeebe('calledElement processId="a"')),
        call(inside=zeebe('calledElement processId="a" bindingType="deployment"')),
        IMPLEMENTATION,
    ),
    Changed(
        call('calledElement="a" camunda:calledElementBinding="version" camunda:calledElementVersion="1"'),
        call('calledElement="a" camunda:calledElementBinding="version" camunda:calledElementVersion="2"'),
        IMPLEMENTATION,
    ),
    Changed(
        call('calledElement="a:1:7" flowable:calledElementType="id"'),
        call('calledElement="a:2:9" flowable:calledElementType="id"'),
        (),
    ),
    Changed(
        call('calledElement="a:1:7" flowable:calledElementType="id"'),
        call('calledElement="b:1:8" flowable:calledElementType="id"'),
        CALLED,
    ),
    Changed(user(), NATIVE, IMPLEMENTATION),
    Changed(NATIVE, user(), KIND),
    Changed(NATIVE, NATIVE, ()),
    Changed(NATIVE, '<serviceTask id="e"/>', KIND),
    Changed(user('camunda:asyncBefore="true"'), user(), WAIT),
    Changed(user('camunda:asyncBefore="true"'), user('camunda:asyncAfter="true"'), WAIT),
    Changed(user('flowable:async="true"'), user(), WAIT),
    Changed(user(), user('camunda:asyncBefore="true"'), ()),
    Changed(
        user('camunda:asyncBefore="true" camunda:exclusive="false"'),
        user('camunda:asyncBefore="true"'),
        (),
    ),
    Changed(user('x="1"'), user('x="2"'), ()),
]


@pytest.mark.parametrize("changed", CHANGED, ids=str)
def test_extensions_that_change(changed: Changed) -> None:
    comparison = compared(changed.source, changed.target)

    assert tuple(finding.code for finding in comparison.findings) == changed.codes
    assert comparison.mapping == ({} if comparison.errors else {"e": "e"})


def message(source: str, target: str) -> str:
    [finding] = compared(source, target).findings
    return finding.message


def test_messages_say_what_changed_and_what_follows() -> None:
    assert message(job("a"), job("b")) == (
        "Service task 'e' has implementation 'job type b' instead of implementation 'job type a'; "
        "a job, external task or called instance that exists already keeps the old one."
    )
    assert message(user('camunda:asyncBefore="1" camunda:asyncAfter="1"'), user()) == (
        "User task 'e' no longer waits in a job before or after it in the target version: "
        "an instance in such a job cannot go on."
    )
    assert message(NATIVE, user()) == (
        "Expected user task 'e' to stay a Camunda user task (zeebe:userTask), "
        "but in the target version a job runs it."
    )
    assert message(user(), NATIVE) == (
        "User task 'e' is a Camunda user task in the target version, but a job before, "
        "which Camunda 8.9 can migrate."
    )


MESSAGE = '<messageEventDefinition camunda:type="external" camunda:topic="t"/>'


@pytest.mark.parametrize(
    ("tag", "attributes", "inside"),
    [
        ("exclusiveGateway", 'camunda:asyncBefore="true"', ""),
        ("complexGateway", 'camunda:asyncAfter="true"', ""),
        ("endEvent", 'camunda:asyncBefore="true"', ""),
        ("startEvent", 'camunda:asyncBefore="true"', ""),
        ("startEvent", 'flowable:async="true"', ""),
        ("intermediateThrowEvent", 'operaton:asyncAfter="true"', ""),
        ("intermediateThrowEvent", "", MESSAGE),
        ("endEvent", "", zeebe('taskDefinition type="t"') + "<messageEventDefinition/>"),
    ],
)
def test_an_instance_can_wait_where_an_extension_lets_it(tag: str, attributes: str, inside: str) -> None:
    waits = f'<{tag} id="e" {attributes}>{inside}</{tag}>'
    passes = f'<{tag} id="e"/>'
    position = frozenset({"e"})

    same = compared(waits, waits)
    assert (same.mapping, same.findings, breaking_positions(same)) == ({"e": "e"}, (), ())
    assert migrate_position(same, position).position == position

    gone = compared(waits, passes)
    assert [finding.code for finding in gone.errors] == ["NOT_A_WAIT_STATE"]
    assert breaking_positions(gone) == ("e",)
    assert migrate_position(gone, position).position is None

    for neither in (compared(passes, waits), compared(passes, passes)):
        assert breaking_positions(neither) == ()


def test_an_asynchronous_subprocess_is_a_position_besides_what_is_inside() -> None:
    inside = '<userTask id="a"/></subProcess>'
    before = model(f'<subProcess id="e" camunda:asyncBefore="true">{inside}')

    assert breaking_positions(compare(before, model())) == ("a", "e")
    assert breaking_positions(compare(model(f'<subProcess id="e">{inside}'), model())) == ("a",)


def test_another_implementation_of_what_an_instance_has_passed_is_no_change_of_its_path() -> None:
    def version(job_type: str, *, asynchronous: bool) -> str:
        marker = 'camunda:asyncBefore="true"' if asynchronous else ""
        flow = '<sequenceFlow id="f" sourceRef="e" targetRef="u"/>'
        task = service(f'camunda:type="{job_type}" {marker}')
        return f'{task}<userTask id="u"/>{flow}'

    def codes(source: str, target: str) -> list[tuple[str, str | None]]:
        return [(finding.code, finding.source) for finding in compared(source, target).findings]

    assert codes(version("a", asynchronous=False), version("b", asynchronous=False)) == [
        ("IMPLEMENTATION_CHANGED", "e")
    ]
    assert codes(version("a", asynchronous=True), version("a", asynchronous=False)) == [("WAIT_REMOVED", "e")]
