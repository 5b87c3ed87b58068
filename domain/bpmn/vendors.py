"""Lists what vendors add to BPMN and what decides about an upgrade, in one table for each vendor.

An extension counts only in the namespace of its vendor. Sources: camunda-bpmn-moddle and zeebe-bpmn-moddle
(the schemas of Camunda 7 and 8), BpmnXMLConstants of Flowable, and the documentation of Operaton and jBPM.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from uplift.domain.bpmn.model import Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """An extension attribute, with `further` attributes that belong to it, such as a version.

    `tag` is the extension element that has the attributes, or None if the BPMN element itself has them.
    Without an `attribute`, the text of the tag is the value. `label` introduces the value. An attribute with
    the `default` is no fact.
    """

    attribute: str = ""
    tag: str | None = None
    label: str = ""
    further: tuple[str, ...] = ()
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vendor:
    """The extensions of one vendor that decide.

    The first of the `namespaces` wins. `forms` say which form an element shows; `form_fields` are the tags of
    the fields of a form. `implementations` say what runs an element, and so do the injected fields with these
    names. `called` names the called process in place of `calledElement`. `waits` are boolean attributes.
    `workers` let a throw event wait for a worker, if they have the value, or any value if that is None.
    `user_task` is the tag of a user task that the engine manages itself.
    """

    namespaces: tuple[str, ...]
    forms: tuple[Fact, ...] = ()
    form_fields: tuple[str, ...] = ()
    implementations: tuple[Fact, ...] = ()
    injected_fields: Mapping[str, str] = field(default_factory=dict)
    called: Fact | None = None
    waits: Mapping[str, Wait] = field(default_factory=dict)
    workers: tuple[tuple[Fact, str | None], ...] = ()
    user_task: str | None = None


_LATEST = "latest"
"""The binding that the engines use by default."""

CAMUNDA_7 = Vendor(
    # Operaton reads its own namespace first, and Camunda's after it.
    namespaces=("http://operaton.org/schema/1.0/bpmn", "http://camunda.org/schema/1.0/bpmn"),
    forms=(
        Fact(attribute="formKey"),
        Fact(attribute="formRef", further=("formRefBinding", "formRefVersion")),
    ),
    form_fields=("formField", "formProperty"),
    implementations=(
        Fact(attribute="class", label="class"),
        Fact(attribute="delegateExpression", label="delegate expression"),
        Fact(attribute="expression", label="expression"),
        Fact(attribute="type", label="type", further=("topic",)),
        Fact(
            attribute="decisionRef",
            label="decision",
            further=("decisionRefBinding", "decisionRefVersion", "decisionRefTenantId"),
        ),
        Fact(attribute="resource", label="script"),
        Fact(tag="connectorId", label="connector"),
        Fact(
            attribute="calledElementBinding",
            label="called process:",
            further=("calledElementVersion", "calledElementVersionTag"),
            default=_LATEST,
        ),
        Fact(attribute="calledElementTenantId", label="called process of tenant"),
        Fact(attribute="caseRef", label="case", further=("caseBinding", "caseVersion", "caseTenantId")),
    ),
    waits={"asyncBefore": Wait.BEFORE, "async": Wait.BEFORE, "asyncAfter": Wait.AFTER},
    workers=((Fact(attribute="type"), "external"),),
)

CAMUNDA_8 = Vendor(
    namespaces=("http://camunda.org/schema/zeebe/1.0",),
    forms=(
        Fact(tag="formDefinition", attribute="formId", further=("bindingType", "versionTag")),
        Fact(tag="formDefinition", attribute="formKey"),
        Fact(tag="formDefinition", attribute="externalReference"),
    ),
    implementations=(
        Fact(tag="taskDefinition", attribute="type", label="job type"),
        Fact(
            tag="calledDecision",
            attribute="decisionId",
            label="decision",
            further=("bindingType", "versionTag"),
        ),
        Fact(tag="script", attribute="expression", label="FEEL expression"),
        Fact(
            tag="calledElement",
            attribute="bindingType",
            label="called process:",
            further=("versionTag",),
            default=_LATEST,
        ),
    ),
    called=Fact(tag="calledElement", attribute="processId"),
    workers=((Fact(tag="taskDefinition", attribute="type"), None),),
    user_task="userTask",
)

FLOWABLE = Vendor(
    # Flowable reads its own namespace first, and Activiti's after it.
    namespaces=("http://flowable.org/bpmn", "http://activiti.org/bpmn"),
    forms=(Fact(attribute="formKey"),),
    form_fields=("formProperty",),
    implementations=(
        Fact(attribute="class", label="class"),
        Fact(attribute="delegateExpression", label="delegate expression"),
        Fact(attribute="expression", label="expression"),
        Fact(attribute="type", label="type", further=("topic",)),
        Fact(attribute="caseDefinitionKey", label="case"),
        Fact(attribute="calledElementType", label="called process by", default="key"),
        Fact(attribute="sameDeployment", label="called process of the same deployment:", default="false"),
        Fact(tag="eventType", label="event"),
    ),
    injected_fields={
        "decisionTableReferenceKey": "decision table",
        "decisionServiceReferenceKey": "decision service",
    },
    waits={"async": Wait.BEFORE, "asyncLeave": Wait.AFTER},
)

JBPM = Vendor(
    namespaces=("http://www.jboss.org/drools",),
    implementations=(
        Fact(attribute="taskName", label="work item"),
        Fact(attribute="ruleFlowGroup", label="rule flow group"),
    ),
)

VENDORS = (CAMUNDA_7, CAMUNDA_8, FLOWABLE, JBPM)
