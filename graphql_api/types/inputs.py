"""What does a client say to change something?"""

from dataclasses import replace
from typing import TypeVar
from uuid import UUID

import strawberry
from strawberry.types.base import get_object_definition

from uplift import domain
from uplift.domain.model.idempotency import KEPT_FOR, MAX_KEY_LENGTH
from uplift.domain.model.mapping import MAX_INSTRUCTIONS, MappingInstruction, VersionMapping
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.selection import MAX_IDS, SelectionFields, all_active, by_ids
from uplift.domain.model.upgrade import MAX_REASON_LENGTH
from uplift.domain.use_cases.instances import MAX_BATCH
from uplift.domain.use_cases.versions import MAX_MODEL_BYTES
from uplift.graphql_api.types.enums import ReasonCode, Status
from uplift.graphql_api.types.xml_text import document_of

SELECTION_FIELDS = SelectionFields(
    ids="selection.instanceIds", all_active="selection.allActive", excluded="selection.allActive.except"
)
"""Where the parts of a selection stand in `UpgradeInstancesInput`, for the domain's errors."""

Input = TypeVar("Input")

_NAMESPACE = "The code of the workspace of the process."
_CODE = "The code of the process."
_MAPPINGS = (
    "Where elements go that the generated mapping sends elsewhere or nowhere; at most "
    f"{MAX_INSTRUCTIONS:,} instructions in all, held to the same rules."
)
_REASON = f"Why, for the audit: at most {MAX_REASON_LENGTH:,} characters."
_IDEMPOTENCY_KEY = (
    f"Your name for this request, 1 to {MAX_KEY_LENGTH} printable characters. The same key with the same "
    "request gives the first upgrade again, with another one an IdempotencyConflictError; "
    f"kept for {KEPT_FOR.total_seconds() / 3600:.0f} hours."
)
_WAIT = (
    "Whether to wait for the end, up to a bound that the operator of the server sets. After that, or at once "
    "if false, the upgrade is given as it is, perhaps QUEUED or RUNNING."
)
_POSITION = "The ids of the BPMN elements at which it waits, in any order; empty if that is not known."


def _taken_as_coerced(cls: type[Input]) -> type[Input]:
    """Make objects of this input straight from what graphql-core coerced.

    Strawberry would convert them field by field, which with 10,000 of them takes half of the whole request.
    Only for inputs of scalars and enums whose fields are named alike in Python and GraphQL.
    """
    definition = get_object_definition(cls, strict=True)
    definition.from_input = lambda _, values, __: cls(**values)
    return cls


@strawberry.input(description="Which process is meant.")
class ProcessKeyInput:
    namespace: str = strawberry.field(description=_NAMESPACE)
    code: str = strawberry.field(description=_CODE)

    def key(self) -> domain.ProcessKey:
        return domain.ProcessKey(namespace=self.namespace, code=self.code)


@strawberry.input(description="All active instances, except some.")
class AllActiveInput:
    except_: list[UUID] | None = strawberry.field(
        name="except",
        default=None,
        description=f"The ids of those to leave out, at most {MAX_IDS:,}; ids that do not exist are ignored.",
    )


@strawberry.input(
    one_of=True, description="Which instances of the process are meant: exactly one way of selecting them."
)
class SelectionInput:
    instance_ids: list[UUID] | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"The instances with these ids, 1 to {MAX_IDS:,}; an id given twice counts once.",
    )
    all_active: AllActiveInput | None = strawberry.field(
        default=strawberry.UNSET,
        description="Every instance that has not ended (PENDING or RUNNING), on whatever version.",
    )

    def selection(self, *, most: int) -> domain.Selection:
        """The selection meant, which may name `most` instances. Raises InvalidSelection."""
        if self.all_active:
            return all_active(self.all_active.except_ or (), fields=SELECTION_FIELDS, most=most)
        return by_ids(self.instance_ids or (), fields=SELECTION_FIELDS, most=most)


@_taken_as_coerced
@strawberry.input(description="An instance that waits at the source shall wait at the target.")
class MappingInstructionInput:
    source: str = strawberry.field(description="The id of the element in the version it comes from.")
    target: str = strawberry.field(description="The id of the element in the target version.")

    def instruction(self) -> MappingInstruction:
        return MappingInstruction(source=domain.ElementId(self.source), target=domain.ElementId(self.target))


@strawberry.input(description="Mapping instructions for the instances of one version.")
class VersionMappingInput:
    from_version: int = strawberry.field(
        description="The number of the version that the instances are pinned to; each version once."
    )
    instructions: list[MappingInstructionInput] = strawberry.field(
        description="Each overrides the generated pair of its source."
    )

    def version_mapping(self) -> VersionMapping:
        return VersionMapping(
            from_version=domain.VersionNumber(self.from_version),
            instructions=tuple(one.instruction() for one in self.instructions),
        )


def _version_mappings(mappings: list[VersionMappingInput] | None) -> tuple[VersionMapping, ...]:
    return tuple(mapping.version_mapping() for mapping in mappings or ())


@strawberry.input(description="What to upgrade.")
class UpgradePlanInput(ProcessKeyInput):
    selection: SelectionInput = strawberry.field(description="Which instances of the process to upgrade.")
    mappings: list[VersionMappingInput] | None = strawberry.field(default_factory=list, description=_MAPPINGS)

    def request(self, *, max_ids: int) -> UpgradeRequest:
        """The request, which may name `max_ids` instances. Raises InvalidSelection."""
        return UpgradeRequest(
            process=self.key(),
            selection=self.selection.selection(most=max_ids),
            mappings=_version_mappings(self.mappings),
        )


@strawberry.input(description="What to upgrade, and why.")
class UpgradeInstancesInput(UpgradePlanInput):
    fingerprint: str | None = strawberry.field(
        default=None,
        description="That of a plan: the upgrade is refused if it would do anything else than planned.",
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)
    idempotency_key: str | None = strawberry.field(default=None, description=_IDEMPOTENCY_KEY)
    wait: bool = strawberry.field(default=True, description=_WAIT)

    def request(self, *, max_ids: int) -> UpgradeRequest:
        return replace(
            super().request(max_ids=max_ids),
            fingerprint=self.fingerprint,
            reason=self.reason,
            idempotency_key=self.idempotency_key,
        )


@strawberry.input(description="Which upgrade is meant.")
class UpgradeIdInput:
    id: UUID = strawberry.field(description="The id of the upgrade.")

    def upgrade(self) -> domain.UpgradeId:
        return domain.UpgradeId(self.id)


@strawberry.input(description="The upgrade to pause.")
class PauseUpgradeInput(UpgradeIdInput):
    pass


@strawberry.input(description="The upgrade to resume.")
class ResumeUpgradeInput(UpgradeIdInput):
    pass


@strawberry.input(description="The upgrade to cancel.")
class CancelUpgradeInput(UpgradeIdInput):
    pass


@strawberry.input(description="What to try again, and why.")
class RetryUpgradeInput(UpgradeIdInput):
    reasons: list[ReasonCode] = strawberry.field(
        description="Take up the instances that it skipped for one of these reasons, at least one of "
        "NOT_PENDING, ALREADY_LATEST and INCOMPATIBLE."
    )
    mappings: list[VersionMappingInput] | None = strawberry.field(
        default_factory=list, description=f"{_MAPPINGS} Those of the earlier upgrade are not taken over."
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)
    idempotency_key: str | None = strawberry.field(default=None, description=_IDEMPOTENCY_KEY)
    wait: bool = strawberry.field(default=True, description=_WAIT)

    def request(self) -> RetryRequest:
        return RetryRequest(
            upgrade_id=self.upgrade(),
            reasons=frozenset(domain.ReasonCode[reason.name] for reason in self.reasons),
            mappings=_version_mappings(self.mappings),
            reason=self.reason,
            idempotency_key=self.idempotency_key,
        )


@strawberry.input(description="What to take back, and why.")
class UndoUpgradeInput(UpgradeIdInput):
    reason: str | None = strawberry.field(default=None, description=_REASON)
    idempotency_key: str | None = strawberry.field(default=None, description=_IDEMPOTENCY_KEY)
    wait: bool = strawberry.field(default=True, description=_WAIT)

    def request(self) -> UndoRequest:
        return UndoRequest(
            upgrade_id=self.upgrade(), reason=self.reason, idempotency_key=self.idempotency_key
        )


@strawberry.input(description="The process to create.")
class CreateProcessInput(ProcessKeyInput):
    title: str | None = strawberry.field(
        default=None, description="What people call it; the code if not given."
    )


@strawberry.input(description="The draft to save.")
class SaveDraftInput(ProcessKeyInput):
    bpmn: str | None = strawberry.field(
        default=None,
        description=(
            f"The BPMN 2.0 document (XML), at most {MAX_MODEL_BYTES:,} bytes. Without one, "
            "instances change to this version by number only."
        ),
    )

    def model(self) -> bytes | None:
        return None if self.bpmn is None else document_of(self.bpmn)


@strawberry.input(description="The process whose draft to publish.")
class PublishVersionInput(ProcessKeyInput):
    pass


@_taken_as_coerced
@strawberry.input(description="An instance to register.")
class RegisteredInstanceInput:
    id: UUID = strawberry.field(description="Its id, unique among all instances.")
    version: int = strawberry.field(description="The number of the published version it is pinned to.")
    status: Status = strawberry.field(description="What it is doing.")
    position: list[str] = strawberry.field(default_factory=list, description=_POSITION)

    def instance(self, process: domain.ProcessKey) -> domain.Instance:
        return domain.Instance(
            id=domain.InstanceId(self.id),
            process=process,
            version=domain.VersionNumber(self.version),
            status=domain.Status[self.status.name],
            position=frozenset(map(domain.ElementId, self.position)),
        )


@strawberry.input(description="Instances to register with their process.")
class RegisterInstancesInput(ProcessKeyInput):
    instances: list[RegisteredInstanceInput] = strawberry.field(
        description=f"The instances, at most {MAX_BATCH:,}, each once."
    )


@_taken_as_coerced
@strawberry.input(description="What an engine says of an instance now.")
class ReportedInstanceInput:
    id: UUID = strawberry.field(description="Its id.")
    status: Status = strawberry.field(description="What it is doing.")
    position: list[str] = strawberry.field(default_factory=list, description=_POSITION)

    def report(self) -> domain.InstanceReport:
        return domain.InstanceReport(
            id=domain.InstanceId(self.id),
            status=domain.Status[self.status.name],
            position=frozenset(map(domain.ElementId, self.position)),
        )


@strawberry.input(description="Instances, of whatever processes, as they stand now.")
class ReportInstancesInput:
    instances: list[ReportedInstanceInput] = strawberry.field(
        description=f"The instances, at most {MAX_BATCH:,}, each once and all of them registered before."
    )
