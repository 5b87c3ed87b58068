"""The inputs of mutations and plans, and the domain values that they stand for."""

from dataclasses import replace
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.bpmn import encode_document
from uplift.domain.model.idempotency import KEPT_FOR, MAX_KEY_LENGTH
from uplift.domain.model.mapping import MAX_INSTRUCTIONS, MappingInstruction, VersionMapping
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.upgrade import MAX_REASON_LENGTH
from uplift.domain.use_cases.instances import MAX_BATCH
from uplift.domain.use_cases.versions import MAX_MODEL_BYTES
from uplift.graphql_api.types.enums import ReasonCode, Status
from uplift.graphql_api.types.inputs.long_inputs import Positions, constructed_when_coerced
from uplift.graphql_api.types.inputs.selections import SelectionInput

_NAMESPACE = "The code of the workspace."
_CODE = "The code of the process."
_MAPPINGS = (
    "Instructions that override or extend the generated mapping, at most "
    f"{MAX_INSTRUCTIONS:,} in all. They must satisfy the same rules as the generated mapping."
)
_REASON = f"The reason for the audit, at most {MAX_REASON_LENGTH:,} characters."
_IDEMPOTENCY_KEY = (
    f"A unique key for this request, 1 to {MAX_KEY_LENGTH} printable characters, kept for "
    f"{KEPT_FOR.total_seconds() / 3600:.0f} hours. Repeating the request with the same key returns the first "
    "upgrade again; another request with the same key gets an IdempotencyConflictError."
)
_WAIT = (
    "Whether to wait until the upgrade is finished, up to a limit that the server sets. If false, or when "
    "the limit is reached, the upgrade is returned in its present state, for example QUEUED or RUNNING."
)
_POSITION = "The ids of the BPMN elements at which it waits, in any order; empty if they are unknown."


NODES_OF_AN_INSTRUCTION = 0.1
"""The cost of a mapping instruction in the node budget, where versions are compared."""


@strawberry.input(description="The name of a process.")
class ProcessKeyInput:
    namespace: str = strawberry.field(description=_NAMESPACE)
    code: str = strawberry.field(description=_CODE)

    def process_key(self) -> domain.ProcessKey:
        return domain.ProcessKey(namespace=self.namespace, code=self.code)


@constructed_when_coerced
@strawberry.input(description="Maps a source element to a target element.")
class MappingInstructionInput:
    source: str = strawberry.field(description="The id of the element in the source version.")
    target: str = strawberry.field(description="The id of the element in the target version.")

    def instruction(self) -> MappingInstruction:
        return MappingInstruction(source=domain.ElementId(self.source), target=domain.ElementId(self.target))


@constructed_when_coerced
@strawberry.input(description="Mapping instructions for the instances of one version.")
class VersionMappingInput:
    from_version: int = strawberry.field(
        description="The number of the source version. Each version may occur once."
    )
    instructions: list[MappingInstructionInput] = strawberry.field(
        description="The instructions; each overrides the generated pair with the same source."
    )

    def version_mapping(self) -> VersionMapping:
        return VersionMapping(
            from_version=domain.VersionNumber(self.from_version),
            instructions=tuple(instruction.instruction() for instruction in self.instructions),
        )


@strawberry.input(description="The upgrade to plan.")
class UpgradePlanInput(ProcessKeyInput):
    selection: SelectionInput = strawberry.field(description="The instances to upgrade.")
    mappings: list[VersionMappingInput] | None = strawberry.field(default_factory=list, description=_MAPPINGS)

    def request(self, *, max_ids: int) -> UpgradeRequest:
        """The request, with a selection of at most `max_ids` ids. Raises InvalidSelection."""
        return UpgradeRequest(
            process=self.process_key(),
            selection=self.selection.selection(max_ids=max_ids),
            mappings=_version_mappings(self.mappings),
        )


@strawberry.input(description="The upgrade to request.")
class UpgradeInstancesInput(UpgradePlanInput):
    fingerprint: str | None = strawberry.field(
        default=None,
        description="The fingerprint of a plan. The upgrade is refused if it would do anything other than "
        "what the plan says.",
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


@strawberry.input(description="The id of an upgrade.")
class UpgradeIdInput:
    id: UUID = strawberry.field(description="The id of the upgrade.")

    def upgrade_id(self) -> domain.UpgradeId:
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


@strawberry.input(description="The upgrade whose skipped instances to retry.")
class RetryUpgradeInput(UpgradeIdInput):
    reasons: list[ReasonCode] = strawberry.field(
        description="Retry the instances that were skipped for one of these reasons: at least one of all but "
        "INSTANCE_NOT_FOUND."
    )
    mappings: list[VersionMappingInput] | None = strawberry.field(
        default_factory=list,
        description=f"{_MAPPINGS} The instructions of the earlier upgrade are not repeated.",
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)
    idempotency_key: str | None = strawberry.field(default=None, description=_IDEMPOTENCY_KEY)
    wait: bool = strawberry.field(default=True, description=_WAIT)

    def request(self) -> RetryRequest:
        return RetryRequest(
            upgrade_id=self.upgrade_id(),
            reasons=frozenset(self.reasons),
            mappings=_version_mappings(self.mappings),
            reason=self.reason,
            idempotency_key=self.idempotency_key,
        )


@strawberry.input(description="The upgrade to undo.")
class UndoUpgradeInput(UpgradeIdInput):
    reason: str | None = strawberry.field(default=None, description=_REASON)
    idempotency_key: str | None = strawberry.field(default=None, description=_IDEMPOTENCY_KEY)
    wait: bool = strawberry.field(default=True, description=_WAIT)

    def request(self) -> UndoRequest:
        return UndoRequest(
            upgrade_id=self.upgrade_id(), reason=self.reason, idempotency_key=self.idempotency_key
        )


@strawberry.input(description="The process to create.")
class CreateProcessInput(ProcessKeyInput):
    title: str | None = strawberry.field(
        default=None, description="The title of the process; by default its code."
    )


@strawberry.input(description="The draft to save.")
class SaveDraftInput(ProcessKeyInput):
    bpmn: str | None = strawberry.field(
        default=None,
        description=f"The BPMN 2.0 document (XML), at most {MAX_MODEL_BYTES:,} bytes by default. Without a "
        "document, an upgrade to this version changes only the version of an instance.",
    )
    process_id: str | None = strawberry.field(
        default=None,
        description="The id of the process in the document. By default the process with the code, or else "
        "the only one, the only executable one, or the only one with elements.",
    )

    def model(self) -> bytes | None:
        return None if self.bpmn is None else encode_document(self.bpmn)


@strawberry.input(description="The process whose draft to publish.")
class PublishVersionInput(ProcessKeyInput):
    pass


@constructed_when_coerced
@strawberry.input(description="An instance to register.")
class RegisteredInstanceInput:
    id: UUID = strawberry.field(description="The id of the instance, unique among all instances.")
    version: int = strawberry.field(description="The number of the published version to which it is pinned.")
    status: Status = strawberry.field(description="The status of the instance.")
    position: list[str] = strawberry.field(default_factory=list, description=_POSITION)

    def instance(self, process_key: domain.ProcessKey, positions: Positions) -> domain.Instance:
        return domain.Instance(
            id=domain.InstanceId(self.id),
            process=process_key,
            version=domain.VersionNumber(self.version),
            status=self.status,
            position=positions.of(self.position),
        )


@constructed_when_coerced
@strawberry.input(description="The instances of a process to register.")
class RegisterInstancesInput(ProcessKeyInput):
    instances: list[RegisteredInstanceInput] = strawberry.field(
        description=f"The instances, at most {MAX_BATCH:,}, each only once."
    )


@constructed_when_coerced
@strawberry.input(description="The present status and position of an instance.")
class ReportedInstanceInput:
    id: UUID = strawberry.field(description="The id of the instance.")
    status: Status = strawberry.field(description="The status of the instance.")
    position: list[str] = strawberry.field(default_factory=list, description=_POSITION)

    def report(self, positions: Positions) -> domain.InstanceReport:
        return domain.InstanceReport(
            id=domain.InstanceId(self.id),
            status=self.status,
            position=positions.of(self.position),
        )


@constructed_when_coerced
@strawberry.input(description="The instances to report; they may belong to different processes.")
class ReportInstancesInput:
    instances: list[ReportedInstanceInput] = strawberry.field(
        description=f"The instances, at most {MAX_BATCH:,}, each only once. All of them must be registered."
    )


def _version_mappings(mappings: list[VersionMappingInput] | None) -> tuple[VersionMapping, ...]:
    return tuple(mapping.version_mapping() for mapping in mappings or ())
