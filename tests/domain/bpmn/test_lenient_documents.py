"""Documents that their own engines run can be read, although a stricter reader would refuse them."""

from pathlib import Path

import pytest

from tests.support.bpmn_builder import BPMN
from uplift.domain.bpmn import ElementKind, ProcessModel, Trigger, TriggerKind, read_model
from uplift.domain.compatibility import breaking_positions, compare
from uplift.domain.errors import InvalidModel

FAULTS = Path(__file__).parent / "faults"


def read(*tags: str, beside: str = "", process_id: str | None = None) -> ProcessModel:
    inside = "".join(tags)
    document = f'<definitions xmlns="{BPMN}">{beside}<process id="p">{inside}</process></definitions>'
    return read_model(document.encode(), process_id=process_id)


def refusal(*tags: str, beside: str = "") -> InvalidModel:
    with pytest.raises(InvalidModel) as refused:
        read(*tags, beside=beside)
    return refused.value


@pytest.mark.parametrize("path", sorted(FAULTS.glob("*.bpmn")), ids=lambda path: path.stem)
def test_reads_and_compares_each_of_these_documents(path: Path) -> None:
    model = read_model(path.read_bytes())

    assert model.elements
    assert compare(model, model).findings == ()
    assert breaking_positions(compare(model, model)) == ()


TASKS = '<userTask id="a"/><userTask id="b"/><userTask id="c"/>'
A_TO_B = '<sequenceFlow sourceRef="a" targetRef="b"/>'
CONDITIONAL = (
    '<sequenceFlow sourceRef="a" targetRef="b"><conditionExpression> x </conditionExpression></sequenceFlow>'
)
B_TO_C = '<sequenceFlow sourceRef="b" targetRef="c"/>'


class TestFlowsWithoutId:
    def test_get_an_id_from_what_they_connect(self) -> None:
        model = read(TASKS, A_TO_B, B_TO_C, '<sequenceFlow id="" sourceRef="a" targetRef="c"/>')

        assert model.flows.keys() == {
            "sequenceFlow: from a, to b",
            "sequenceFlow: from b, to c",
            "sequenceFlow: from a, to c",
        }
        assert model.elements["a"].outgoing == ("sequenceFlow: from a, to b", "sequenceFlow: from a, to c")

    def test_differ_by_their_condition(self) -> None:
        model = read(TASKS, CONDITIONAL, A_TO_B)

        assert model == read(TASKS, A_TO_B, CONDITIONAL)
        assert model.elements["b"].incoming == (
            "sequenceFlow: from a, to b",
            "sequenceFlow: from a, to b, if x",
        )

    def test_are_counted_when_nothing_else_tells_them_apart(self) -> None:
        model = read(TASKS, A_TO_B, B_TO_C, A_TO_B)

        assert model == read(B_TO_C, A_TO_B, A_TO_B, TASKS)
        assert model.elements["b"].incoming == ("sequenceFlow: from a, to b", "sequenceFlow: from a, to b #2")

    def test_never_take_the_id_of_another_element(self) -> None:
        taken = '<sequenceFlow id="sequenceFlow: from a, to b" sourceRef="b" targetRef="c"/>'
        model = read(TASKS, A_TO_B, taken)

        assert model.elements["b"].incoming == ("sequenceFlow: from a, to b #2",)

    def test_connect_elements_inside_a_subprocess(self) -> None:
        model = read('<subProcess id="s">', TASKS, A_TO_B, "</subProcess>")

        assert [before.id for before in model.elements_before(model.elements["b"])] == ["a"]

    def test_have_short_ids_however_long_their_conditions_are(self) -> None:
        texts = ("x" * 1000 + "1", "x" * 1000 + "2")
        flows = (
            A_TO_B.replace("/>", f"><conditionExpression>{text}</conditionExpression></sequenceFlow>")
            for text in texts
        )
        model = read(TASKS, *flows)

        assert len(model.flows) == 2
        assert all(len(flow_id) < 200 for flow_id in model.flows)


START = "<startEvent><messageEventDefinition messageRef='Paid'/></startEvent>"
WATCH = f"<subProcess triggeredByEvent='true'>{START}<userTask id='inside'/></subProcess>"


class TestElementsWithoutId:
    def test_get_an_id_from_kind_scope_and_trigger(self) -> None:
        model = read(WATCH, "<startEvent/>", "<endEvent><terminateEventDefinition/></endEvent>")

        assert {element.id: element.kind for element in model.contents(None)} == {
            "eventSubProcess: message Paid": ElementKind.EVENT_SUB_PROCESS,
            "startEvent:": ElementKind.START_EVENT,
            "endEvent: terminate": ElementKind.END_EVENT,
        }
        assert [element.id for element in model.contents("eventSubProcess: message Paid")] == [
            "inside",
            "startEvent: in eventSubProcess: message Paid, message Paid",
        ]

    def test_get_an_id_from_the_start_event_that_has_one(self) -> None:
        model = read_model((FAULTS / "f02-event-subprocess-without-id.bpmn").read_bytes())

        assert model.elements["s"].scope == "eventSubProcess: s"

    def test_get_an_id_from_their_host(self) -> None:
        late = '<boundaryEvent attachedToRef="a"><timerEventDefinition/></boundaryEvent>'

        assert read(late, TASKS).attached == {"a": ("boundaryEvent: on a, timer",)}

    def test_differ_by_their_content_in_any_order(self) -> None:
        first, second = (f'<subProcess><userTask id="{task}"/><startEvent/></subProcess>' for task in "xy")
        model = read(first, second)

        assert model == read(second, first)
        assert {model.elements[task].scope for task in "xy"} == {
            "subProcess: no trigger",
            "subProcess: no trigger #2",
        }

    def test_differ_by_their_content_at_any_depth(self) -> None:
        first, second = (
            f'<subProcess><subProcess><userTask id="{task}1"/></subProcess>'
            f'<subProcess><userTask id="{task}2"/></subProcess></subProcess>'
            for task in "xy"
        )
        model = read(first, second)

        assert model == read(second, first)
        assert len({model.elements[task].scope for task in ("x1", "x2", "y1", "y2")}) == 4

    def test_have_short_ids_inside_a_scope_with_a_long_one(self) -> None:
        scope = "s" * 1000
        model = read(f'<subProcess id="{scope}"><endEvent/><endEvent/></subProcess>')

        assert [len(element.id) < 200 for element in model.contents(scope)] == [True, True]

    def test_keep_their_pair_when_others_are_added(self) -> None:
        before, after = read('<userTask id="a"/>', WATCH), read("<endEvent/>", WATCH, '<userTask id="a"/>')
        comparison = compare(before, after)

        assert comparison.findings == ()
        assert comparison.mapping["eventSubProcess: message Paid"] == "eventSubProcess: message Paid"

    def test_may_be_links_and_gateways(self) -> None:
        link = '<linkEventDefinition name="L"/>'
        model = read(f"<intermediateCatchEvent>{link}</intermediateCatchEvent>", "<exclusiveGateway/>")

        assert model.elements.keys() == {"intermediateCatchEvent: link L", "exclusiveGateway:"}

    @pytest.mark.parametrize(
        "tags",
        [
            "<userTask/>",
            "<callActivity/>",
            "<adHocSubProcess/>",
            "<eventBasedGateway/>",
            "<intermediateCatchEvent><timerEventDefinition/></intermediateCatchEvent>",
            "<subProcess><receiveTask/></subProcess>",
        ],
    )
    def test_are_refused_where_an_instance_can_wait(self, tags: str) -> None:
        found = refusal("\n", tags)

        assert (found.line, found.element) == (2, None)
        assert "Give it an id." in found.message

    def test_cannot_be_referred_to(self) -> None:
        found = refusal(
            "<startEvent/>", TASKS, '<sequenceFlow id="f" sourceRef="startEvent:" targetRef="a"/>'
        )

        assert found.element == "f"


@pytest.mark.parametrize(
    ("definition", "trigger"),
    [
        ('<messageEventDefinition messageRef="Paid"/>', Trigger(kind=TriggerKind.MESSAGE, detail="Paid")),
        ('<signalEventDefinition signalRef=" Stop "/>', Trigger(kind=TriggerKind.SIGNAL, detail="Stop")),
        ('<escalationEventDefinition escalationRef="E"/>', Trigger(kind=TriggerKind.ESCALATION, detail="E")),
        ('<errorEventDefinition errorRef="E1"/>', Trigger(kind=TriggerKind.ERROR, detail="E1")),
    ],
)
def test_an_undeclared_reference_is_the_name_itself(definition: str, trigger: Trigger) -> None:
    model = read('<intermediateCatchEvent id="e">', definition, "</intermediateCatchEvent>")

    assert model.elements["e"].trigger == trigger


def test_a_receive_task_may_name_a_message_that_is_not_declared() -> None:
    model = read('<receiveTask id="r" messageRef="Paid"/>')

    assert model.elements["r"].trigger == Trigger(kind=TriggerKind.MESSAGE, detail="Paid")


def test_a_name_that_is_declared_later_is_the_same_trigger() -> None:
    event = '<intermediateCatchEvent id="e"><signalEventDefinition signalRef="{}"/></intermediateCatchEvent>'
    before = read(event.format("Stop"))
    after = read(event.format("s"), beside='<signal id="s" name="Stop"/>')

    assert compare(before, after).findings == ()


@pytest.mark.parametrize("reference", ["message-flow", "association", "gone", ""])
@pytest.mark.parametrize("tag", ["incoming", "outgoing"])
def test_redundant_references_to_flows_are_ignored(tag: str, reference: str) -> None:
    model = read(
        f'<userTask id="a"><{tag}>{reference}</{tag}></userTask><textAnnotation id="note"/>',
        '<association id="association" sourceRef="a" targetRef="note"/>',
        beside='<collaboration><messageFlow id="message-flow" sourceRef="a" targetRef="a"/></collaboration>',
    )

    assert (model.elements["a"].incoming, model.elements["a"].outgoing) == ((), ())


@pytest.mark.parametrize(
    "ends",
    [
        'sourceRef="a" targetRef="gone"',
        'sourceRef="gone" targetRef="a"',
        'sourceRef="a"',
        'targetRef="a"',
        "",
    ],
)
def test_an_association_with_a_missing_end_is_ignored(ends: str) -> None:
    assert read(TASKS, f"<association id='x' {ends}/>", f"<association {ends}/>") == read(TASKS)


def test_the_handler_is_found_beside_a_dangling_association() -> None:
    model = read(
        '<userTask id="a"/><userTask id="undo" isForCompensation="true"/><userTask id="other"/>',
        '<boundaryEvent id="b" attachedToRef="a"><compensateEventDefinition/></boundaryEvent>',
        '<association sourceRef="b" targetRef="undo"/><association sourceRef="b" targetRef="gone"/>',
        '<association sourceRef="b" targetRef="other"/>',
    )

    assert model.handlers == {"undo"}


@pytest.mark.parametrize(
    ("tags", "beside"),
    [
        ('<userTask id="t"/>', '<globalTask id="p"/>'),
        ('<userTask id="t"/><dataObject id="d"/><dataObject id="d"/>', ""),
        ('<userTask id="t"/><laneSet id="t"><lane id="l"/><lane id="l"/></laneSet>', ""),
        ('<userTask id="t"/>', '<collaboration id="p"><participant id="t"/></collaboration>'),
        (
            (
                '<startEvent id="s"><timerEventDefinition id="d"/></startEvent>'
                '<startEvent id="t"><timerEventDefinition id="d"/></startEvent>'
            ),
            "",
        ),
        ('<userTask id="t"/><association id="t"/>', ""),
        ('<userTask id="t"/>', '<message id="t"/>'),
        ('<userTask id="t"/>', '<message id="m"/><signal id="m"/><error id="m"/><error id="m"/>'),
        ('<userTask id="t"/>', '<process id="q"><userTask id="t"/><userTask id="t"/></process>'),
    ],
)
def test_ids_may_stand_twice_on_tags_that_no_rule_reads(tags: str, beside: str) -> None:
    assert "t" in read(tags, beside=beside, process_id="p").elements


@pytest.mark.parametrize(
    ("tags", "beside", "element"),
    [
        ('<userTask id="t"/>\n<userTask id="t"/>', "", "t"),
        ('<userTask id="t"/>\n', '<process id="p"/>', "p"),
        ('<userTask id="p"/>\n', "", "p"),
    ],
)
def test_ids_stand_once_on_what_rules_read(tags: str, beside: str, element: str) -> None:
    found = refusal(tags, beside=beside)

    assert (found.element, found.message.startswith(f"Expected each id once, but '{element}'")) == (
        element,
        True,
    )


class TestFlowsThatShareAnId:
    """jBPM runs such documents. No instance waits at a flow, so its id decides nothing."""

    def test_get_other_ids_in_any_order(self) -> None:
        first, second = (
            f'<sequenceFlow id="f" sourceRef="{source}" targetRef="{target}"/>'
            for source, target in (("a", "b"), ("b", "c"))
        )
        model = read(TASKS, first, second)

        assert model == read(second, TASKS, first)
        assert model.flows.keys() == {"sequenceFlow: from a, to b", "sequenceFlow: from b, to c"}
        assert model.elements["b"].incoming == ("sequenceFlow: from a, to b",)

    def test_get_another_id_than_an_element(self) -> None:
        model = read(TASKS, '<sequenceFlow id="a" sourceRef="a" targetRef="b"/>')

        assert model.flows.keys() == {"sequenceFlow: from a, to b"}


@pytest.mark.parametrize("default", ["", "gone", "a"])
def test_a_default_is_ignored(default: str) -> None:
    """Imixs writes an empty one. No rule reads which flow is the default."""
    assert read(TASKS, f'<exclusiveGateway id="x" default="{default}"/>').elements.keys() == {*"abcx"}


def test_definitions_of_one_id_count_in_any_order() -> None:
    event = '<endEvent id="e"><errorEventDefinition errorRef="x"/></endEvent>'
    first, second = '<error id="x" errorCode="one"/>', '<error id="x" errorCode="two"/>'
    message = '<message id="x" name="Message"/>'
    models = [read(event, beside=message + beside) for beside in (first + second, second + first)]

    assert models[0] == models[1]
    assert models[0].elements["e"].trigger == Trigger(kind=TriggerKind.ERROR, detail="one")


def shared(reference: str, *, beside: str = "", other: str = "") -> Trigger | None:
    event = f'<startEvent id="e"><eventDefinitionRef>{reference}</eventDefinitionRef></startEvent>'
    return read(event, other, beside=beside).elements["e"].trigger


def test_an_event_definition_may_be_shared_with_another_event() -> None:
    other = '<endEvent id="o"><signalEventDefinition id="d" signalRef="Stop"/></endEvent>'

    assert shared("d", other=other) == Trigger(kind=TriggerKind.SIGNAL, detail="Stop")


def test_an_event_may_refer_to_a_signal_itself() -> None:
    assert shared("s", beside='<signal id="s" name="Stop"/>') == Trigger(
        kind=TriggerKind.SIGNAL, detail="Stop"
    )


def test_a_reference_to_no_event_definition_is_ignored() -> None:
    assert shared("gone") is None


@pytest.mark.parametrize("event_id", ["bpdid:1", "a:b:c"])
def test_ids_may_have_colons(event_id: str) -> None:
    model = read(
        f'<userTask id="{event_id}"/><userTask id="b"/><sequenceFlow sourceRef="{event_id}" targetRef="b"/>',
        f'<boundaryEvent id="x:y" attachedToRef="{event_id}"><messageEventDefinition messageRef="m:1"/>',
        "</boundaryEvent>",
        beside='<message id="m:1" name="Paid"/>',
    )

    assert model.elements["x:y"].host == event_id
    assert model.elements["x:y"].trigger == Trigger(kind=TriggerKind.MESSAGE, detail="Paid")
    assert len(model.elements[event_id].outgoing) == 1


def test_white_space_around_ids_and_references_does_not_count() -> None:
    model = read('<userTask id=" a "/><userTask id="b\n"/><sequenceFlow sourceRef=" a " targetRef="b"/>')

    assert model == read('<userTask id="a"/><userTask id="b"/><sequenceFlow sourceRef="a" targetRef="b"/>')


def test_no_reference_finds_an_id_that_was_made() -> None:
    error = refusal("<endEvent/>", '<task id="a"/><sequenceFlow sourceRef="a" targetRef="endEvent: "/>')

    assert error.message.startswith("Expected 'endEvent: ', the targetRef of the sequenceFlow without an id")


def test_an_event_inside_its_own_host_has_one_pair() -> None:
    """Exporters that nest drawings write boundary events like this."""
    event = '<boundaryEvent id="b" attachedToRef="s"><timerEventDefinition/></boundaryEvent>'
    model = read(f'<subProcess id="s"><userTask id="t"/>{event}</subProcess>')

    comparison = compare(model, model)
    assert (comparison.findings, comparison.mapping) == ((), {"b": "b", "s": "s", "t": "t"})


def processes(*tags: str) -> bytes:
    return f'<definitions xmlns="{BPMN}">{"".join(tags)}</definitions>'.encode()


EMPTY = '<process id="empty"/>'
FULL = '<process id="full"><userTask id="t"/></process>'
RUN = '<process id="run" isExecutable="true"><userTask id="u"/></process>'
RUN_TOO = '<process id="runToo" isExecutable="1"><userTask id="v"/></process>'
RUN_EMPTY = '<process id="runEmpty" isExecutable="true"/>'
DRAWN = '<process id="drawn" isExecutable="false"><userTask id="w"/></process>'


class TestSeveralProcesses:
    @pytest.mark.parametrize("preferred_id", [None, "unknown"])
    @pytest.mark.parametrize(
        ("tags", "chosen"),
        [
            ((EMPTY, FULL), "full"),
            ((FULL, RUN), "run"),
            ((EMPTY, FULL, RUN_TOO), "runToo"),
            ((RUN_EMPTY, RUN), "run"),
            ((FULL, RUN_EMPTY), "runEmpty"),
            ((FULL, DRAWN), "full"),
            ((EMPTY, DRAWN), "drawn"),
        ],
    )
    def test_the_only_executable_or_else_the_only_non_empty_one_is_taken(
        self, tags: tuple[str, ...], chosen: str, preferred_id: str | None
    ) -> None:
        assert read_model(processes(*tags), preferred_id=preferred_id).id == chosen
        assert read_model(processes(*reversed(tags)), preferred_id=preferred_id).id == chosen

    def test_the_one_that_is_requested_or_preferred_comes_first(self) -> None:
        several = processes(FULL, RUN, EMPTY)

        assert read_model(several, preferred_id="empty").id == "empty"
        assert read_model(several, process_id="full", preferred_id="empty").id == "full"

    def test_others_are_refused_with_the_choice(self) -> None:
        named = '<process id="named" name="Pay &amp; ship" isExecutable="true"/>'
        with pytest.raises(InvalidModel) as refused:
            read_model(processes(RUN_TOO, FULL, named, RUN))

        assert refused.value.message == (
            "Expected one process in the BPMN document, or only one that is executable or has elements, "
            "but it has several: 'full' (not executable, 1 element), "
            "'named' ('Pay & ship', executable, no elements), 'run' (executable, 1 element), "
            "'runToo' (executable, 1 element). Choose one of them by its id."
        )
        assert (refused.value.field, refused.value.line) == (("process_id",), 1)

    def test_a_process_that_is_requested_but_missing_is_refused_with_the_choice(self) -> None:
        with pytest.raises(InvalidModel) as refused:
            read_model(processes(EMPTY), process_id="gone")

        assert refused.value.message == (
            "Expected a process with the id 'gone' in the BPMN document, "
            "but it has: 'empty' (not executable, no elements)."
        )

    def test_the_choice_is_bounded(self) -> None:
        several = [f'<process id="{number:02}{"x" * 1000}" name="{"n" * 1000}"/>' for number in range(60)]
        for process_id in (None, "y" * 1000):
            with pytest.raises(InvalidModel) as refused:
                read_model(processes(*several), process_id=process_id)
            assert len(refused.value.message) < 2_500
            assert " and 50 more" in refused.value.message

    def test_a_process_without_an_id_has_a_stable_one(self) -> None:
        unnamed = "<process><userTask id='a'/></process>"
        named = "<process name='Order' isExecutable='true'><userTask id='b'/></process>"

        assert read_model(processes(unnamed)).id == "process:"
        assert read_model(processes(named, EMPTY)).id == "process: Order"
        for several in ((named, unnamed), (unnamed, named)):
            assert read_model(processes(*several)).id == "process: Order"
            assert read_model(processes(*several), process_id="process:").elements.keys() == {"a"}

    def test_processes_without_an_id_are_told_apart_by_their_content(self) -> None:
        first, second = (f"<process><userTask id='{task}'/></process>" for task in "ab")
        ids = {
            number: read_model(processes(first, second), process_id=f"process:{number}").elements.keys()
            for number in ("", " #2")
        }

        assert ids == {
            number: read_model(processes(second, first), process_id=f"process:{number}").elements.keys()
            for number in ids
        }
        assert {task for tasks in ids.values() for task in tasks} == {"a", "b"}

    def test_versions_with_several_pools_compare(self) -> None:
        old, new = (
            read_model((FAULTS / f"f08-several-pools-{age}.bpmn").read_bytes()) for age in ("old", "new")
        )

        assert (old.id, new.id) == ("X1", "X2")
        assert compare(old, new).mapping == {"a": "a"}
