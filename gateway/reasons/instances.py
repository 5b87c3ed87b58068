"""Explains why an instance is skipped."""

from collections.abc import Mapping

from uplift.domain.model.decision import ReasonCode
from uplift.gateway.reasons.advice import Advice

REASONS: Mapping[ReasonCode, Advice] = {
    ReasonCode.INSTANCE_NOT_FOUND: Advice(
        means="No instance of the process has this id, or its engine no longer has it.",
        do="Check the id and the process. If it is there later, upgrade it by its id in a new upgrade: a "
        "retry is refused for this code.",
    ),
    ReasonCode.NOT_PENDING: Advice(
        means="The status is not PENDING: the instance runs at present, or it has ended.",
        do="If it is RUNNING, retry the upgrade when it waits again. One that has ended needs no upgrade.",
    ),
    ReasonCode.ALREADY_LATEST: Advice(
        means="The instance is on the target version already, or on a later one.",
        do="Nothing.",
    ),
    ReasonCode.INCOMPATIBLE: Advice(
        means="An element at which the instance waits has no valid counterpart in the target version. The "
        "findings of the reason say why.",
        do="Look up the code of each finding. Often a mapping instruction is enough. Then retry.",
    ),
    ReasonCode.MOVED_ON: Advice(
        means="The instance is no longer where the upgrade found it in its engine or, for an undo, where the "
        "upgrade to undo put it.",
        do="Retry: the next upgrade decides by where it is now. An undo does not move it back any more.",
    ),
    ReasonCode.ENGINE_REFUSED: Advice(
        means="The linked engine refused to move the instance. The reason has the engine's words.",
        do="Correct what the engine says, in the engine or in the version. Then retry.",
    ),
    ReasonCode.CANCELLED: Advice(
        means="An operator cancelled the upgrade before the engine was asked to move the instance.",
        do="Nothing, or retry the upgrade.",
    ),
}
