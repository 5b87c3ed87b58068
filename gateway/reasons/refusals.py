"""Explains why a request is refused by the rules."""

from collections.abc import Mapping

from uplift.domain.errors import ErrorCode
from uplift.gateway.reasons.advice import Advice

REFUSALS: Mapping[ErrorCode, Advice] = {
    ErrorCode.UNAUTHENTICATED: Advice(
        means="No API key was sent, or one that is malformed, unknown, revoked or expired.",
        do="Send a valid key as `Authorization: Bearer <key>`. `uplift keys create` makes one.",
    ),
    ErrorCode.FORBIDDEN: Advice(
        means="The role of the key does not allow the request, or its scope lacks the namespace.",
        do="Use a key of the role that the message names, or one whose scope has the namespace.",
    ),
    ErrorCode.PROCESS_NOT_FOUND: Advice(
        means="No process in the scope of the key has this namespace and code.",
        do="Check both for spelling, and the scope of the key (`uplift keys list`).",
    ),
    ErrorCode.NO_PUBLISHED_VERSION: Advice(
        means="The process has no published version, so there is nothing to upgrade to.",
        do="Publish a version first.",
    ),
    ErrorCode.INVALID_SELECTION: Advice(
        means="The request does not select instances in exactly one way, or selects too many by id, or a "
        "condition names a version or an element that does not exist.",
        do="Send ids, all active instances, or conditions, and not two of them. The message names the field.",
    ),
    ErrorCode.INVALID_INPUT: Advice(
        means="A field does not accept its value.",
        do="Correct the field that the message names.",
    ),
    ErrorCode.INVALID_MODEL: Advice(
        means="The BPMN document is not XML or not BPMN, is inconsistent, exceeds a limit, or lacks the "
        "process that is named.",
        do="Correct the document at the line or element in the message, or raise the limit that it names.",
    ),
    ErrorCode.INVALID_MAPPING: Advice(
        means="A mapping instruction breaks a rule. The findings of the error say which.",
        do="Look up the code of each finding, and change or drop the instruction.",
    ),
    ErrorCode.PLAN_CHANGED: Advice(
        means="The upgrade would no longer do what the plan with this fingerprint says, because instances "
        "have moved or a version was published.",
        do="Make a new plan, read it, and send its fingerprint.",
    ),
    ErrorCode.UPGRADE_NOT_FOUND: Advice(
        means="No upgrade in the scope of the key has this id.",
        do="Check the id. `uplift upgrades list` shows the latest ones.",
    ),
    ErrorCode.WRONG_STATE: Advice(
        means="The state of the upgrade does not allow the operation.",
        do="Wait for a state that the message names, or do nothing if the upgrade has ended as you wish.",
    ),
    ErrorCode.IDEMPOTENCY_CONFLICT: Advice(
        means="The idempotency key was used before, for another request.",
        do="Use a new key for a new request. Repeat a request unchanged with its old key.",
    ),
    ErrorCode.RATE_LIMITED: Advice(
        means="The key sends more requests than the operator allows (`UPLIFT_RATE_LIMIT`).",
        do="Try again after the seconds that the answer names.",
    ),
    ErrorCode.STORE_UNAVAILABLE: Advice(
        means="The database cannot answer at present: it is locked, full, read-only or out of reach.",
        do="Repeat the request later, with its idempotency key if it changes something. `uplift doctor` says "
        "what is wrong.",
    ),
    ErrorCode.PROCESS_EXISTS: Advice(
        means="A process with this namespace and code exists already.",
        do="Use that process, or choose another code.",
    ),
    ErrorCode.NO_DRAFT: Advice(
        means="The process has no draft to publish.",
        do="Save a draft first.",
    ),
    ErrorCode.LINKED: Advice(
        means="The process runs in a linked engine, from which its versions and instances come.",
        do="Change them in the engine. A sweep reads them (`uplift links sync`).",
    ),
    ErrorCode.LINK_EXISTS: Advice(
        means="A link with this name exists already.",
        do="Choose another name, or remove that link first.",
    ),
    ErrorCode.LINK_NOT_FOUND: Advice(
        means="No link has this name.",
        do="Check the name. `uplift links list` shows all links.",
    ),
    ErrorCode.LINK_IN_USE: Advice(
        means="An upgrade of the link has not finished, or waits for answers of its engine.",
        do="Wait for the end of the upgrade. Or cancel it, and wait until the engine has answered what was "
        "sent.",
    ),
}
