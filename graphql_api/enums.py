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


@strawberry.enum(description="How far an upgrade has come.")
class UpgradeState(Enum):
    RUNNING = enum_value("RUNNING", description="It is being worked off, chunk by chunk.")
    COMPLETED = enum_value("COMPLETED", description="Every instance of its selection has its outcome.")


@strawberry.enum(description="What an upgrade did to one instance.")
class OutcomeKind(Enum):
    UPGRADED = enum_value("UPGRADED", description="It is on the target version now.")
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


@strawberry.enum(description="Why a mutation was refused as a whole. Later releases may add codes.")
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
