"""The order of tags in a document never matters."""

from pathlib import Path
from random import Random
from typing import Any
from xml.etree.ElementTree import tostring

from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bpmn_builder import BPMN
from tests.support.process_strategies import Recipe, recipes, written
from uplift.domain.bpmn import ProcessModel, read_model
from uplift.domain.compatibility import compare

law = settings(max_examples=200, deadline=None, derandomize=True)

FAULTS = Path(__file__).parent / "faults"
IDS_MAY_MISS = {f"{{{BPMN}}}{name}" for name in ("sequenceFlow", "endEvent", "association")}
BESIDE = """
  <collaboration id="pools"><participant id="one" processRef="process"/><messageFlow id="m"/></collaboration>
  <process id="other"><userTask id="elsewhere"/></process>
  <signal id="unused" name="Unused"/><message id="unused2"/>
"""
INSIDE = """
  <laneSet><lane id="l1"/><lane id="l2"/></laneSet>
  <eventBasedGateway id="extra1"/><eventBasedGateway id="extra2"/>
  <intermediateCatchEvent id="extra"><timerEventDefinition><timeCycle>R</timeCycle><timeDate>d</timeDate>
  </timerEventDefinition></intermediateCatchEvent>
  <sequenceFlow id="z" sourceRef="extra1" targetRef="extra"/>
  <sequenceFlow id="y" sourceRef="extra2" targetRef="extra"/>
  <sequenceFlow sourceRef="extra2" targetRef="extra"/>
  <sequenceFlow sourceRef="extra2" targetRef="extra"/>
  <subProcess triggeredByEvent="true"><startEvent><signalEventDefinition signalRef="S"/></startEvent>
    <userTask id="heardFirst"/></subProcess>
  <subProcess triggeredByEvent="true"><startEvent><signalEventDefinition signalRef="S"/></startEvent>
    <userTask id="heardSecond"/></subProcess>
  <serviceTask id="extended" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" camunda:asyncBefore="true"
    camunda:type="external" camunda:topic="t"><extensionElements><camunda:formData><camunda:formField id="b"/>
    <camunda:formField id="a"/></camunda:formData><camunda:connector>
    <camunda:connectorId>c</camunda:connectorId>
    </camunda:connector></extensionElements></serviceTask>
  <userTask id="booked"/><userTask id="first" isForCompensation="true"/><userTask id="second"/>
  <boundaryEvent id="undone" attachedToRef="booked"><compensateEventDefinition/></boundaryEvent>
  <association sourceRef="undone" targetRef="second"/><association sourceRef="undone" targetRef="first"/>
"""


def document(recipe: Recipe, chance: Random) -> Any:
    """The tree of a process in which some flows and end events have no id."""
    root = fromstring(written(recipe).xml())
    root.extend(_tags(BESIDE))
    root.find(f"{{{BPMN}}}process").extend(_tags(INSIDE))
    ends = {tag.get(end) for tag in root.iter() for end in ("sourceRef", "targetRef")}
    for tag in root.iter():
        if tag.tag in IDS_MAY_MISS and tag.get("id") not in ends and chance.random() < 0.5:
            tag.attrib.pop("id", None)
    return root


def _tags(text: str) -> list[Any]:
    return list(fromstring(f'<definitions xmlns="{BPMN}">{text}</definitions>'))


def shuffle(tag: Any, chance: Random) -> None:
    children = list(tag)
    chance.shuffle(children)
    tag[:] = children
    for child in children:
        shuffle(child, chance)


def model_of(root: Any) -> ProcessModel:
    return read_model(tostring(root))


@law
@given(recipes, st.integers(0, 10_000))
def test_a_shuffled_document_has_the_same_model(recipe: Recipe, seed: int) -> None:
    chance = Random(seed)
    root = document(recipe, chance)
    model = model_of(root)

    shuffle(root, chance)

    assert model_of(root) == model


@law
@given(recipes, recipes, st.integers(0, 10_000))
def test_shuffled_documents_have_the_same_findings(before: Recipe, after: Recipe, seed: int) -> None:
    chance = Random(seed)
    roots = document(before, chance), document(after, chance)
    expected = compare(*map(model_of, roots))

    for root in roots:
        shuffle(root, chance)
    comparison = compare(*map(model_of, roots))

    assert (comparison.mapping, comparison.findings) == (expected.mapping, expected.findings)


def test_the_order_of_flows_to_a_catch_event_does_not_matter() -> None:
    old, new = (read_model((FAULTS / f"f07-flow-order-{age}.bpmn").read_bytes()) for age in ("old", "new"))

    assert old == new
    assert compare(old, new).findings == ()


def test_the_ids_of_flows_to_a_catch_event_do_not_matter() -> None:
    old = (FAULTS / "f07-flow-order-old.bpmn").read_bytes()
    renamed = old.replace(b'id="x"', b'id="z"')
    comparison = compare(read_model(old), read_model(renamed))

    assert comparison.findings == ()
    assert comparison.mapping == {"c": "c", "g1": "g1", "g2": "g2"}
