"""Documents in the shapes of the common exporters can be read. The files in `exports/` are our own."""

from pathlib import Path

from uplift.domain.bpmn import ElementKind, MultiInstance, ProcessModel, Trigger, TriggerKind, read_model

EXPORTS = Path(__file__).parent / "exports"


def exported(file: str, process_id: str | None = None) -> ProcessModel:
    return read_model((EXPORTS / file).read_bytes(), process_id=process_id)


def test_reads_the_shape_of_camunda_modeler() -> None:
    model = exported("camunda_modeler.bpmn")
    elements = model.elements

    assert (model.id, model.name, len(elements), len(model.flows)) == ("loan", "Grant a loan", 7, 3)
    assert elements["Activity_check"].name == "Check\nthe request"
    assert elements["Activity_check"].form == "embedded:app:forms/check.html"
    assert elements["Event_late"].host == "Activity_check"
    assert elements["Event_late"].trigger == Trigger(kind=TriggerKind.TIMER, detail="timeDuration PT2H")
    assert not elements["Event_late"].interrupting
    assert elements["Activity_rate"].multi_instance is MultiInstance.SEQUENTIAL
    assert elements["Activity_pay"].called_process == "payout"
    assert elements["Activity_watch"].kind is ElementKind.EVENT_SUB_PROCESS
    assert elements["Event_revoked"].trigger == Trigger(kind=TriggerKind.MESSAGE, detail="Revoked")
    assert not elements["Event_revoked"].interrupting


def test_reads_the_shape_of_bpmn_io_with_a_collaboration() -> None:
    shop = exported("bpmn_io.bpmn", "Process_shop")

    assert exported("bpmn_io.bpmn", "Process_client").elements.keys() == {"Activity_order"}
    assert shop.elements.keys() == {"Event_ordered", "Gateway_wait", "Event_paid", "Event_expired"}
    assert shop.elements["Event_paid"].trigger == Trigger(kind=TriggerKind.MESSAGE)
    assert [before.id for before in shop.elements_before(shop.elements["Event_paid"])] == ["Gateway_wait"]


def test_reads_the_shape_of_flowable() -> None:
    elements = exported("flowable.bpmn20.xml").elements

    assert elements["startEvent1"].form == "request"
    assert elements["approve"].form == "approval"
    assert elements["failed"].trigger == Trigger(kind=TriggerKind.ERROR, detail="APPROVAL_FAILED")
    assert elements["stopped"].trigger == Trigger(kind=TriggerKind.SIGNAL, detail="stop everything")
    assert elements["plan"].kind is ElementKind.AD_HOC_SUB_PROCESS
    assert elements["planTask"].scope == "plan"
    assert len(elements["fork"].outgoing) == 2


def test_reads_the_shape_of_jbpm() -> None:
    model = exported("jbpm.bpmn2")
    elements = model.elements

    assert model.id == "org.example.Claim"
    assert elements["_B2"].trigger == Trigger(kind=TriggerKind.ERROR, detail="rejected")
    assert elements["_B3"].trigger == Trigger(kind=TriggerKind.ESCALATION, detail="too late")
    assert not elements["_B3"].interrupting
    assert elements["_B4"].handler == "_B5"
    assert elements["_B5"].is_for_compensation
    assert elements["_E2"].trigger == Trigger(kind=TriggerKind.CONDITIONAL, detail="Claim(old)")


def test_reads_the_shape_of_signavio() -> None:
    model = exported("signavio.bpmn")
    elements = model.elements

    assert (model.id, model.name, len(elements)) == ("sid-b0", "Purchasing", 5)
    assert elements["sid-2"].kind is ElementKind.TASK
    assert elements["sid-2"].multi_instance is MultiInstance.PARALLEL
    assert elements["sid-5"].scope == "sid-4"
    assert elements["sid-6"].trigger == Trigger(kind=TriggerKind.TERMINATE)
