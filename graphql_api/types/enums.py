"""The enums of the schema: the domain's own, each with a description of every value.

Import them from here: a domain enum becomes a GraphQL enum when this module describes it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from uplift.domain.compatibility import Aspect as ChangedAspect
from uplift.domain.compatibility import Code as FindingCode
from uplift.domain.compatibility import Severity
from uplift.domain.errors import ErrorCode as UserErrorCode
from uplift.domain.model.access import Role
from uplift.domain.model.decision import ReasonCode, Verdict
from uplift.domain.model.instance import Status
from uplift.domain.model.link import CredentialScheme, LinkKind
from uplift.domain.model.order import OrderState
from uplift.domain.model.process import VersionState
from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import OutcomeKind, UpgradeState
from uplift.domain.model.upgrade_event import UpgradeEventKind
from uplift.domain.ports import ProcessOrder
from uplift.domain.rules.actions import UpgradeAction

__all__ = [
    "ChangedAspect",
    "CredentialScheme",
    "FindingCode",
    "LinkKind",
    "OrderState",
    "OutcomeKind",
    "ProcessOrder",
    "ReasonCode",
    "Role",
    "SelectionKind",
    "Severity",
    "Status",
    "UpgradeAction",
    "UpgradeEventKind",
    "UpgradeState",
    "UserErrorCode",
    "Verdict",
    "VersionState",
]

Member = TypeVar("Member", bound=StrEnum)


def _describe(
    enum: type[Member], description: str, values: Mapping[Member, str], *, name: str | None = None
) -> None:
    """Make a GraphQL enum of these members of a domain enum, named like it unless a name is passed."""
    strawberry.enum(enum, name=name, description=description)
    definition = getattr(enum, "__strawberry_definition__")  # noqa: B009 - mypy does not know the attribute
    assert isinstance(definition, StrawberryEnumDefinition)
    definition.values = [value for value in definition.values if value.value in values]
    for value in definition.values:
        value.description = values[enum(value.value)]


_describe(
    Status,
    "The status of an instance.",
    {
        Status.PENDING: "The instance is waiting. Only PENDING instances can be upgraded.",
        Status.RUNNING: "The engine is executing the instance.",
        Status.COMPLETED: "The instance reached its end.",
        Status.CANCELLED: "The instance was cancelled before its end.",
        Status.FAILED: "The instance ended with an error.",
    },
)
_describe(
    Role,
    "The permissions of an API key.",
    {
        Role.SYSTEM_ADMIN: "The key may read and change everything in its scope.",
        Role.READER: "The key may run queries and subscriptions, but no mutations.",
        Role.ENGINE: "The key may fetch and settle orders, and register and report instances; nothing else.",
    },
)
_describe(
    VersionState,
    "The state of a version.",
    {
        VersionState.DRAFT: "The version can still be changed. Instances are never upgraded to a draft.",
        VersionState.PUBLISHED: "The version is final. Instances are upgraded to the published version with "
        "the highest number.",
    },
)
_describe(
    SelectionKind,
    "How a request selects instances.",
    {
        SelectionKind.BY_IDS: "The instances with the ids in the request.",
        SelectionKind.ALL_ACTIVE: "All PENDING and RUNNING instances of the process, except those listed.",
        SelectionKind.RETRY: "The instances that an earlier upgrade skipped for one of the listed reasons.",
        SelectionKind.UNDO: "The instances that an earlier upgrade moved, to move them back.",
        SelectionKind.MATCHING: "The PENDING and RUNNING instances that meet the conditions in the request "
        "when the upgrade comes to them, except those listed.",
        SelectionKind.FIRST_MATCHING: "The first instances that met the conditions in the request, as many "
        "as its limit, when the upgrade was requested.",
    },
)
_describe(
    UpgradeState,
    "The state of an upgrade.",
    {
        UpgradeState.QUEUED: "The upgrade waits for a worker.",
        UpgradeState.RUNNING: "Workers process the upgrade in chunks; other upgrades may run in between.",
        UpgradeState.PAUSED: "An operator stopped the upgrade. It can be resumed.",
        UpgradeState.COMPLETED: "Every selected instance has an outcome.",
        UpgradeState.CANCELLED: "An operator ended the upgrade early. Finished chunks are kept.",
        UpgradeState.FAILED: "A server error ended the upgrade early. Finished chunks are kept.",
    },
)
_describe(
    ProcessOrder,
    "The order of a list of processes.",
    {
        ProcessOrder.CREATED: "The oldest first.",
        ProcessOrder.NAME: "By namespace, then code, character by character in the order of Unicode.",
        ProcessOrder.TITLE: "By title, whatever its case, in the order of Unicode; the "
        "oldest first among equal titles.",
    },
)
_describe(
    UpgradeEventKind,
    "What happened to an upgrade. Later releases may add events.",
    {
        UpgradeEventKind.REQUESTED: "It was requested.",
        UpgradeEventKind.STARTED: "A worker first processed it.",
        UpgradeEventKind.PAUSED: "An operator paused it.",
        UpgradeEventKind.RESUMED: "An operator queued it again after a pause.",
        UpgradeEventKind.CANCELLED: "An operator ended it early.",
        UpgradeEventKind.COMPLETED: "Every selected instance got its outcome.",
        UpgradeEventKind.FAILED: "A server error ended it early.",
        UpgradeEventKind.PRUNED: "An operator deleted its outcomes, and the events of its pauses with them.",
    },
)
_describe(
    UpgradeAction,
    "What an operator can do with an upgrade. Later releases may add actions.",
    {
        UpgradeAction.PAUSE: "Pause it by `pauseUpgrade`, until it is resumed.",
        UpgradeAction.RESUME: "Continue it after a pause, by `resumeUpgrade`.",
        UpgradeAction.CANCEL: "End it early, by `cancelUpgrade`.",
        UpgradeAction.RETRY: "Upgrade the instances that it skipped, by `retryUpgrade`.",
        UpgradeAction.UNDO: "Move the instances that it upgraded back, by `undoUpgrade`.",
    },
)
_describe(
    LinkKind,
    "The kind of a workflow engine. Later releases may add kinds.",
    {
        LinkKind.CAMUNDA7: "Camunda 7 or a descendant, such as Operaton, by its REST API.",
        LinkKind.FLOWABLE: "Flowable 7, by its REST API.",
        LinkKind.CAMUNDA8: "Camunda 8, by the REST API of its orchestration cluster.",
        LinkKind.PULL: "An engine of your own, which fetches its orders by `moves` and settles them by "
        "`settleMoves`.",
    },
)
_describe(
    CredentialScheme,
    "What the secret of a link is, and how it is sent.",
    {
        CredentialScheme.BASIC: "As the password of a user (RFC 7617).",
        CredentialScheme.BEARER: "As a bearer token (RFC 6750).",
        CredentialScheme.OAUTH: "To fetch bearer tokens: the secret of a client (RFC 6749, 4.4).",
    },
)
_describe(
    OrderState,
    "The state of an order to move an instance.",
    {
        OrderState.ORDERED: "Stored, and to be sent again: the engine certainly did not carry it out.",
        OrderState.SENT: "Sent, and not answered.",
        OrderState.CONFIRMED: "The engine moved the instance.",
        OrderState.REFUSED: "The engine did not move the instance.",
    },
)
_describe(
    OutcomeKind,
    "What an upgrade did to one instance.",
    {
        OutcomeKind.UPGRADED: "The instance moved to the target version or, in an undo, back to its "
        "earlier version.",
        OutcomeKind.SKIPPED: "The instance was not changed; `reasons` says why.",
        OutcomeKind.ORDERED: "The linked engine that runs the instance has not answered yet.",
    },
)
_describe(
    ReasonCode,
    "Why an instance is skipped. Later releases may add codes.",
    {
        ReasonCode.INSTANCE_NOT_FOUND: "The process has no instance with this id.",
        ReasonCode.NOT_PENDING: "The status of the instance is not PENDING.",
        ReasonCode.ALREADY_LATEST: "The instance is on the target version already, or on a later one.",
        ReasonCode.INCOMPATIBLE: "The instance waits at an element that has no valid counterpart in the "
        "target version.",
        ReasonCode.ENGINE_REFUSED: "The engine that runs the instance refused to move it.",
        ReasonCode.CANCELLED: "The upgrade was cancelled before the engine was asked to move the instance.",
        ReasonCode.MOVED_ON: "The instance is no longer at the version and position where the upgrade found "
        "it, or where the upgrade to undo put it.",
    },
)
_describe(
    Verdict,
    "Whether instances would be upgraded.",
    {
        Verdict.UPGRADE: "The instances would be upgraded.",
        Verdict.SKIP: "The instances would be skipped; `reasons` says why.",
    },
)
_describe(
    Severity,
    "Whether a finding prevents an upgrade.",
    {
        Severity.ERROR: "Instances with this finding are skipped.",
        Severity.WARNING: "The finding does not prevent an upgrade, but operators should know it.",
    },
)
_describe(
    FindingCode,
    "What the comparison of two versions found at an element. The codes up to COMPENSATION_LOST are "
    "errors, those from NAME_CHANGED on are warnings. Later releases may add codes.",
    {
        FindingCode.ELEMENT_MISSING: "The source element or its target does not exist in its version.",
        FindingCode.MAPPED_TWICE: "Two instructions map the same source element.",
        FindingCode.TYPE_CHANGED: "The target is another type of element.",
        FindingCode.EVENT_TYPE_CHANGED: "The target event has another type of trigger.",
        FindingCode.SCOPE_CHANGED: "The target is not inside the scope to which the nearest mapped scope of "
        "the source is mapped.",
        FindingCode.HOST_CHANGED: "The event's host or enclosing scope is not mapped to the target event's.",
        FindingCode.TARGET_TAKEN: "Two intermediate catch events or two gateways are mapped to the same "
        "target.",
        FindingCode.MULTI_INSTANCE_ADDED: "The target, or a scope that is new around it, is multi-instance.",
        FindingCode.MULTI_INSTANCE_CHANGED: "The multi-instance activity changed between sequential and "
        "parallel.",
        FindingCode.MULTI_INSTANCE_SPLIT: "The body of a multi-instance activity is mapped without its inner "
        "activity.",
        FindingCode.GATEWAY_NARROWED: "The target of a joining gateway has fewer incoming sequence flows.",
        FindingCode.CALLED_PROCESS_CHANGED: "The target call activity calls another process.",
        FindingCode.NOT_A_WAIT_STATE: "The target is not an element at which an instance can wait.",
        FindingCode.COMPENSATION_HANDLER: "A compensation handler is mapped directly instead of through its "
        "boundary event.",
        FindingCode.COMPENSATION_LOST: "The instance may have completed an activity whose compensation event "
        "does not exist, or has no handler, in the target version.",
        FindingCode.NAME_CHANGED: "The name of the element changed.",
        FindingCode.NEW_BOUNDARY_EVENT: "A boundary event or event subprocess is new. Upgraded instances do "
        "not listen to it until they enter its host or scope again.",
        FindingCode.LISTENER_REMOVED: "A boundary event or event subprocess to which the instance listens "
        "does not exist in the target version.",
        FindingCode.LISTENERS_MERGED: "Several boundary events or event subprocesses to which the instance "
        "listens are mapped to one. All subscriptions stay, and each triggers it.",
        FindingCode.LISTENER_MULTIPLIED: "The host of a boundary event is no longer multi-instance. Each of "
        "its instances that still runs may listen on its own.",
        FindingCode.EVENT_DEFINITION_CHANGED: "The trigger has the same type, but another message, "
        "signal, time or condition. Or a receive task waits for a message that it did not have before.",
        FindingCode.PATH_BEHIND_CHANGED: "Elements upstream, which the instance may have passed, were "
        "removed or changed.",
        FindingCode.FORM_CHANGED: "The element has another form.",
        FindingCode.IMPLEMENTATION_CHANGED: "Another class, job type, topic, script, decision or version of "
        "a called process runs the element.",
        FindingCode.WAIT_REMOVED: "The element is no longer asynchronous: an instance in a job before or "
        "after it cannot go on.",
        FindingCode.NO_MODEL: "One of the versions has no BPMN model, so nothing was compared.",
        FindingCode.ENGINE_OBJECTS: "The linked engine, asked by a plan, would not move instances like this. "
        "An upgrade orders them all the same, and the engine decides on each.",
        FindingCode.ENGINE_NOT_ASKED: "The linked engine gave no answer in time when a plan asked it about "
        "this move.",
    },
    name="FindingCode",
)
_describe(
    ChangedAspect,
    "The property in which an element differs from its counterpart in another version.",
    {
        ChangedAspect.NAME: "The name.",
        ChangedAspect.FORM: "The form.",
        ChangedAspect.IMPLEMENTATION: "What runs the element.",
        ChangedAspect.WAITS: "Whether an instance can wait before or after the element, or for a worker.",
        ChangedAspect.KIND: "The type of element.",
        ChangedAspect.TRIGGER: "The type of an event's trigger.",
        ChangedAspect.EVENT_DEFINITION: "The message, signal, time or condition of the trigger.",
        ChangedAspect.INTERRUPTING: "Whether the event is interrupting.",
        ChangedAspect.MULTI_INSTANCE: "Whether the activity is multi-instance, and whether it is sequential "
        "or parallel.",
        ChangedAspect.CALLED_PROCESS: "The process that a call activity calls.",
        ChangedAspect.HOST: "The activity to which a boundary event is attached.",
        ChangedAspect.SCOPE: "The enclosing subprocess.",
    },
    name="ChangedAspect",
)
_describe(
    UserErrorCode,
    "Why a mutation or a plan was refused. Later releases may add codes.",
    {
        UserErrorCode.PROCESS_NOT_FOUND: "No process has this namespace and code.",
        UserErrorCode.PROCESS_EXISTS: "A process with this namespace and code exists already.",
        UserErrorCode.NO_PUBLISHED_VERSION: "The process has no published version to upgrade to.",
        UserErrorCode.NO_DRAFT: "The process has no draft to publish.",
        UserErrorCode.LINKED: "The process runs in a linked engine, which has its versions and instances.",
        UserErrorCode.LINK_EXISTS: "A link with this name exists already.",
        UserErrorCode.LINK_NOT_FOUND: "No link has this name.",
        UserErrorCode.LINK_IN_USE: "An upgrade of the link has not finished, or waits for answers.",
        UserErrorCode.INVALID_SELECTION: "The selection names no instances, or too many.",
        UserErrorCode.INVALID_INPUT: "The field does not accept this value.",
        UserErrorCode.INVALID_MODEL: "The BPMN document is not valid.",
        UserErrorCode.INVALID_MAPPING: "A mapping instruction breaks a rule.",
        UserErrorCode.PLAN_CHANGED: "The upgrade would no longer do what the plan said.",
        UserErrorCode.UPGRADE_NOT_FOUND: "No upgrade has this id.",
        UserErrorCode.WRONG_STATE: "The state of the upgrade does not allow the change.",
        UserErrorCode.IDEMPOTENCY_CONFLICT: "The idempotency key was used before with another request.",
    },
    name="UserErrorCode",
)
