"""How does a reply look on the wire?"""

from collections.abc import Mapping, Sequence
from math import ceil
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType
from starlette.responses import Response

from uplift.domain.model.paging import Page
from uplift.domain.model.upgrade import Outcome, OutcomeKind, Upgrade, UpgradeState
from uplift.rest_compat.errors import Detail, RequestError, RestCode
from uplift.rest_compat.requests import path_of_status

_encode = msgspec.json.Encoder().encode

_STATUS_OF = {OutcomeKind.UPGRADED: "updated", OutcomeKind.SKIPPED: "skipped"}
"""What the documentation of this path calls the kinds of outcome."""

_HTTP_STATUS_OF: Mapping[UpgradeState, int] = {
    UpgradeState.COMPLETED: 200,
    UpgradeState.CANCELLED: 409,
    UpgradeState.FAILED: 500,
}
"""How the end of an upgrade is told. Only a completed one did all that was asked."""

_CODE_OF: Mapping[UpgradeState, RestCode] = {
    UpgradeState.CANCELLED: RestCode.UPGRADE_CANCELLED,
    UpgradeState.FAILED: RestCode.UPGRADE_FAILED,
}
"""Why an upgrade was stopped before its end."""

_LONGEST_RETRY_AFTER = 30
"""Seconds: clients shall not miss the end for long, however far it seems to be."""


class InstanceReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was done to one instance; versions are null for an id that no instance of the process has."""

    id: UUID
    status: str
    from_version: int | None
    to_version: int | None
    reasons: Sequence[str]


class ProgressReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far an upgrade has come: done of about so many, and how much longer it will take, once known."""

    done: int
    expected: int
    percent: int
    rate_per_second: float | None
    eta_seconds: int | None


class UpgradeReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an upgrade did. `truncated` says that `instances` leaves some out.

    One that was stopped before its end has the parts of an error, and a status has state and progress.
    """

    success: bool
    error: str
    code: str | UnsetType
    details: Sequence[Detail] | UnsetType
    upgrade_id: UUID
    version: int | None
    total: int
    updated: int
    skipped: int
    instances: Sequence[InstanceReply]
    truncated: bool
    state: str | UnsetType
    progress: ProgressReply | UnsetType


class ErrorReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why nothing was done."""

    success: bool
    error: str
    code: str
    details: Sequence[Detail]
    id: str | None = None


def upgrade_response(upgrade: Upgrade, listed: Page[Outcome]) -> Response:
    """The response at the end of an upgrade, with the outcomes that its client gets to see."""
    return json_response(_encode(_reply(upgrade, listed)), status=_HTTP_STATUS_OF[upgrade.state])


def status_response(upgrade: Upgrade, listed: Page[Outcome]) -> Response:
    """The 200 of an upgrade as it is."""
    return json_response(_status(upgrade, listed), status=200, headers=_when_to_ask_again(upgrade))


def accepted_response(upgrade: Upgrade, listed: Page[Outcome]) -> Response:
    """The 202 of an upgrade whose end its client does not wait for."""
    headers = {
        "location": path_of_status(upgrade.id),
        "preference-applied": "respond-async",
        **_when_to_ask_again(upgrade),
    }
    return json_response(_status(upgrade, listed), status=202, headers=headers)


def refusal_response(refusal: RequestError) -> Response:
    """The response to a request that is not carried out."""
    reply = ErrorReply(
        success=False,
        error=refusal.message,
        code=refusal.code,
        details=refusal.details,
        id=refusal.incident,
    )
    return json_response(_encode(reply), status=refusal.status, headers=refusal.headers)


def json_response(body: bytes, *, status: int, headers: dict[str, str] | None = None) -> Response:
    """A response of JSON text that is ready."""
    return Response(body, status, headers, media_type="application/json")


def _status(upgrade: Upgrade, listed: Page[Outcome]) -> bytes:
    return _encode(_reply(upgrade, listed, state=upgrade.state.value, progress=_progress(upgrade)))


def _reply(
    upgrade: Upgrade,
    listed: Page[Outcome],
    *,
    state: str | UnsetType = UNSET,
    progress: ProgressReply | UnsetType = UNSET,
) -> UpgradeReply:
    code = _CODE_OF.get(upgrade.state)
    return UpgradeReply(
        success=code is None,
        error=_why_it_stopped(upgrade) if code else "",
        code=code or UNSET,
        details=() if code else UNSET,
        upgrade_id=upgrade.id,
        version=upgrade.target_version,
        total=upgrade.total,
        updated=upgrade.upgraded,
        skipped=upgrade.skipped,
        instances=[_instance(outcome) for outcome in listed.items],
        truncated=listed.has_next,
        state=state,
        progress=progress,
    )


def _why_it_stopped(upgrade: Upgrade) -> str:
    """The error of an upgrade is for its operator only: it may tell of our inside."""
    what = "was cancelled" if upgrade.state is UpgradeState.CANCELLED else "failed by an error of the server"
    return (
        f"Expected upgrade {upgrade.id} to be completed, but it {what} after {upgrade.total:,} of about "
        f"{upgrade.expected:,} instances. What was done to these stays done."
    )


def _progress(upgrade: Upgrade) -> ProgressReply:
    left = None if upgrade.state is UpgradeState.PAUSED else upgrade.remaining
    return ProgressReply(
        done=upgrade.total,
        expected=upgrade.expected,
        percent=_percent(upgrade),
        rate_per_second=None if upgrade.rate is None else round(upgrade.rate, 1),
        eta_seconds=None if left is None else ceil(left.total_seconds()),
    )


def _percent(upgrade: Upgrade) -> int:
    """100 means completed and nothing else, for what is expected is only about right."""
    if upgrade.state is UpgradeState.COMPLETED:
        return 100
    return min(99, 100 * upgrade.total // upgrade.expected) if upgrade.expected else 0


def _when_to_ask_again(upgrade: Upgrade) -> dict[str, str]:
    if upgrade.is_finished:
        return {}
    seconds = 1 if upgrade.remaining is None else ceil(upgrade.remaining.total_seconds())
    return {"retry-after": str(min(_LONGEST_RETRY_AFTER, max(1, seconds)))}


def _instance(outcome: Outcome) -> InstanceReply:
    return InstanceReply(
        id=outcome.instance,
        status=_STATUS_OF[outcome.kind],
        from_version=outcome.from_version,
        to_version=outcome.to_version,
        reasons=[reason.code for reason in outcome.reasons],
    )
