"""Which closed sets of words does a client meet, and what does each word mean?

The members are those of the domain's enums of the same names, which a test asserts; here they get the
descriptions that a client reads.
"""

from enum import Enum

import strawberry
from strawberry import enum_value


@strawberry.enum(description="What an instance is doing.")
class Status(Enum):
    PENDING = enum_value("PENDING", description="It waits: the only status that can be upgraded.")
    RUNNING = enum_value("RUNNING", description="The engine works on it at this moment.")
    COMPLETED = enum_value("COMPLETED", description="It came to its end.")
    CANCELLED = enum_value("CANCELLED", description="It was ended before its end.")
    FAILED = enum_value("FAILED", description="It ended by an error.")


@strawberry.enum(description="How far a version has come.")
class VersionState(Enum):
    DRAFT = enum_value("DRAFT", description="Being drawn; never what instances are upgraded to.")
    PUBLISHED = enum_value(
        "PUBLISHED",
        description="Fixed for ever; instances are upgraded to the one with the highest number.",
    )


@strawberry.enum(description="How a request selects instances.")
class SelectionKind(Enum):
    BY_IDS = enum_value("BY_IDS", description="The instances with the given ids.")
    ALL_ACTIVE = enum_value(
        "ALL_ACTIVE", description="Every instance of the process that has not ended, except some."
    )
    RETRY = enum_value(
        "RETRY", description="Those that an earlier upgrade skipped for one of the given reasons."
    )
    UNDO = enum_value("UNDO", description="Those that an earlier upgrade moved, to take them back.")


@strawberry.enum(description="How far an upgrade has come.")
class UpgradeState(Enum):
    QUEUED = enum_value("QUEUED", description="It waits for a worker.")
    RUNNING = enum_value(
        "RUNNING", description="It is being worked off, chunk by chunk; others may come first in between."
    )
    PAUSED = enum_value("PAUSED", description="It was stopped by an operator, until it is resumed.")
    COMPLETED = enum_value("COMPLETED", description="Every instance of its selection has its outcome.")
    CANCELLED = enum_value(
        "CANCELLED", description="It was stopped by an operator for good; what is done stays done."
    )
    FAILED = enum_value(
        "FAILED", description="It was stopped by an error of the server; what is done stays done."
    )


@strawberry.enum(description="What an upgrade did to one instance.")
class OutcomeKind(Enum):
    UPGRADED = enum_value(
        "UPGRADED", description="It was moved to the target version, or by an undo to where it came from."
    )
    SKIPPED = enum_value("SKIPPED", description="It was left as it was, for the reasons given.")


@strawberry.enum(description="Why an instance is skipped. Later releases may add codes.")
class ReasonCode(Enum):
    INSTANCE_NOT_FOUND = enum_value(
        "INSTANCE_NOT_FOUND", description="No instance of this process has the id that was asked for."
    )
    NOT_PENDING = enum_value(
        "NOT_PENDING", description="It does not wait: only PENDING instances are upgraded."
    )
    ALREADY_LATEST = enum_value(
        "ALREADY_LATEST", description="It is on the target version already, or on a later one."
    )
    INCOMPATIBLE = enum_value(
        "INCOMPATIBLE", description="It waits at an element that has no valid place in the target version."
    )
    MOVED_ON = enum_value(
        "MOVED_ON", description="It no longer is where the upgrade to be undone had put it."
    )


@strawberry.enum(description="Whether instances would be upgraded.")
class Verdict(Enum):
    UPGRADE = enum_value("UPGRADE", description="They would be upgraded.")
    SKIP = enum_value("SKIP", description="They would be left as they are, for the reasons given.")


@strawberry.enum(description="Whether a finding stands in the way of an upgrade.")
class Severity(Enum):
    ERROR = enum_value("error", description="An instance that it concerns is skipped.")
    WARNING = enum_value("warning", description="It stands in no way; an operator should know it.")


@strawberry.enum(
    description="What there is to say about an element when instances go to another version: first what "
    "stands in the way, then, from NAME_CHANGED on, what never does. Later releases may add codes."
)
class FindingCode(Enum):
    ELEMENT_MISSING = enum_value(
        "ELEMENT_MISSING", description="The element is not in the target version, or not in its own."
    )
    MAPPED_TWICE = enum_value("MAPPED_TWICE", description="Two instructions map the same element.")
    TYPE_CHANGED = enum_value("TYPE_CHANGED", description="The target is another kind of element.")
    EVENT_TYPE_CHANGED = enum_value(
        "EVENT_TYPE_CHANGED", description="The target event has another kind of trigger."
    )
    SCOPE_CHANGED = enum_value(
        "SCOPE_CHANGED", description="The target is outside the subprocess that the one around is mapped to."
    )
    HOST_CHANGED = enum_value(
        "HOST_CHANGED", description="What the event listens with is not mapped to what the target does."
    )
    TARGET_TAKEN = enum_value(
        "TARGET_TAKEN", description="Two catching events, or two gateways, are mapped to one."
    )
    MULTI_INSTANCE_ADDED = enum_value(
        "MULTI_INSTANCE_ADDED", description="The target, or a new scope around it, is multi-instance."
    )
    MULTI_INSTANCE_CHANGED = enum_value(
        "MULTI_INSTANCE_CHANGED", description="Sequential became parallel, or the other way round."
    )
    MULTI_INSTANCE_SPLIT = enum_value(
        "MULTI_INSTANCE_SPLIT",
        description="The body of a multi-instance activity is mapped without its inner activity.",
    )
    GATEWAY_NARROWED = enum_value(
        "GATEWAY_NARROWED", description="A joining gateway has fewer incoming flows than before."
    )
    CALLED_PROCESS_CHANGED = enum_value(
        "CALLED_PROCESS_CHANGED", description="The call activity calls another process."
    )
    NOT_A_WAIT_STATE = enum_value("NOT_A_WAIT_STATE", description="No instance can wait at the target.")
    COMPENSATION_HANDLER = enum_value(
        "COMPENSATION_HANDLER",
        description="A compensation handler is mapped by itself instead of through its event.",
    )
    NAME_CHANGED = enum_value("NAME_CHANGED", description="The element is called something else.")
    NEW_BOUNDARY_EVENT = enum_value(
        "NEW_BOUNDARY_EVENT",
        description="An event is new that an upgraded instance will not listen for until it enters again.",
    )
    LISTENER_REMOVED = enum_value(
        "LISTENER_REMOVED", description="An event is gone that the instance listened for."
    )
    EVENT_DEFINITION_CHANGED = enum_value(
        "EVENT_DEFINITION_CHANGED",
        description="The same trigger means another message, signal, time or condition.",
    )
    PATH_BEHIND_CHANGED = enum_value(
        "PATH_BEHIND_CHANGED", description="Elements that it may have passed were removed or changed."
    )
    FORM_CHANGED = enum_value("FORM_CHANGED", description="The element shows another form.")
    NO_MODEL = enum_value("NO_MODEL", description="A version has no BPMN model: nothing was compared.")


@strawberry.enum(description="In what an element of one version differs from its counterpart.")
class ChangedAspect(Enum):
    NAME = enum_value("name", description="What it is called.")
    FORM = enum_value("form", description="The form it shows.")
    KIND = enum_value("kind", description="What kind of element it is.")
    TRIGGER = enum_value("trigger", description="The kind of trigger of an event.")
    EVENT_DEFINITION = enum_value(
        "event definition", description="The message, signal, time or condition that its trigger means."
    )
    INTERRUPTING = enum_value("interrupting", description="Whether an event interrupts.")
    MULTI_INSTANCE = enum_value(
        "multi-instance", description="Whether it is multi-instance, and in which order."
    )
    CALLED_PROCESS = enum_value("called process", description="The process it calls.")
    HOST = enum_value("host", description="The activity that a boundary event is attached to.")
    SCOPE = enum_value("scope", description="The subprocess it lives in.")


@strawberry.enum(description="Why a mutation or a plan was refused as a whole. Later releases may add codes.")
class UserErrorCode(Enum):
    PROCESS_NOT_FOUND = enum_value("PROCESS_NOT_FOUND", description="No process has this namespace and code.")
    PROCESS_EXISTS = enum_value(
        "PROCESS_EXISTS", description="A process with this namespace and code exists already."
    )
    NO_PUBLISHED_VERSION = enum_value(
        "NO_PUBLISHED_VERSION", description="The process has no published version to upgrade to."
    )
    NO_DRAFT = enum_value("NO_DRAFT", description="The process has no draft that could be published.")
    INVALID_SELECTION = enum_value(
        "INVALID_SELECTION", description="The selection names no instances, or too many."
    )
    INVALID_INPUT = enum_value("INVALID_INPUT", description="A value is not one that this field takes.")
    INVALID_MODEL = enum_value("INVALID_MODEL", description="The BPMN document cannot be read.")
    INVALID_MAPPING = enum_value("INVALID_MAPPING", description="Mapping instructions break rules.")
    PLAN_CHANGED = enum_value(
        "PLAN_CHANGED", description="The upgrade would no longer do what the given plan said."
    )
    UPGRADE_NOT_FOUND = enum_value("UPGRADE_NOT_FOUND", description="No upgrade has this id.")
    WRONG_STATE = enum_value("WRONG_STATE", description="The upgrade is in a state that does not allow it.")
    IDEMPOTENCY_CONFLICT = enum_value(
        "IDEMPOTENCY_CONFLICT", description="The idempotency key came with another request before."
    )
