"""Builds the responses of the legacy REST path."""

from collections.abc import Mapping, Sequence
from math import ceil
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType
from starlette.responses import Response

from uplift.domain.model.paging import Page
from uplift.domain.model.upgrade import Outcome, OutcomeKind, Upgrade, UpgradeState
from uplift.rest_compat.errors import Detail, RestCode, RestError
from uplift.rest_compat.requests import status_path

_encode = msgspec.json.Encoder().encode

_STATUS_OF = {OutcomeKind.UPGRADED: "updated", OutcomeKind.SKIPPED: "skipped"}
"""The names of the kinds of outcome in the documentation of this path."""

_HTTP_STATUS_OF: Mapping[UpgradeState, int] = {
    UpgradeState.COMPLETED: 200,
    UpgradeState.CANCELLED: 409,
    UpgradeState.FAILED: 500,
}
"""The HTTP status of a finished upgrade; only a completed one has done all of its request."""

_CODE_OF: Mapping[UpgradeState, RestCode] = {
    UpgradeState.CANCELLED: RestCode.UPGRADE_CANCELLED,
    UpgradeState.FAILED: RestCode.UPGRADE_FAILED,
}
"""The code of an upgrade that ended before it was completed."""

_MAX_RETRY_AFTER = 30
"""Seconds. An estimate can be too long, and clients must not miss the end for that."""


class InstanceReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The outcome of one instance; versions are null for an id that the process does not have."""

    id: UUID
    status: str
    from_version: int | None
    to_version: int | None
    reasons: Sequence[str]


class ProgressReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The progress of an upgrade: `done` of about `expected` instances, rate and time once known.

    An upgrade by a linked engine also has the numbers of its orders.
    """

    done: int
    expected: int
    percent: int
    rate_per_second: float | None
    eta_seconds: int | None
    ordered: int | UnsetType = UNSET
    sent: int | UnsetType = UNSET
    refused: int | UnsetType = UNSET


class UpgradeReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The result of an upgrade. If `truncated`, `instances` is not the whole list.

    An upgrade that was not completed also has the parts of an error; a status has state and progress.
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
    """An error; nothing was written."""

    success: bool
    error: str
    code: str
    details: Sequence[Detail]
    id: str | None = None


def upgrade_response(upgrade: Upgrade, outcomes: Page[Outcome]) -> Response:
    """The response at the end of an upgrade, which lists these outcomes."""
    return json_response(_encode(_reply(upgrade, outcomes)), status=_HTTP_STATUS_OF[upgrade.state])


def status_response(upgrade: Upgrade, outcomes: Page[Outcome]) -> Response:
    """The 200 with the current state of an upgrade."""
    return json_response(_status(upgrade, outcomes), status=200, headers=_retry_after(upgrade))


def accepted_response(upgrade: Upgrade, outcomes: Page[Outcome], *, root_path: str) -> Response:
    """The 202 of an upgrade that is not finished, or whose client prefers not to wait."""
    headers = {
        "location": status_path(upgrade.id, root_path),
        "preference-applied": "respond-async",
        **_retry_after(upgrade),
    }
    return json_response(_status(upgrade, outcomes), status=202, headers=headers)


def error_response(error: RestError) -> Response:
    """The response to a refused request."""
    reply = ErrorReply(
        success=False,
        error=error.message,
        code=error.code,
        details=error.details,
        id=error.incident_id,
    )
    return json_response(_encode(reply), status=error.status, headers=error.headers)


def json_response(body: bytes, *, status: int, headers: dict[str, str] | None = None) -> Response:
    """A response with this JSON text."""
    return Response(body, status, headers, media_type="application/json")


def _status(upgrade: Upgrade, outcomes: Page[Outcome]) -> bytes:
    return _encode(_reply(upgrade, outcomes, state=upgrade.state.value, progress=_progress(upgrade)))


def _reply(
    upgrade: Upgrade,
    outcomes: Page[Outcome],
    *,
    state: str | UnsetType = UNSET,
    progress: ProgressReply | UnsetType = UNSET,
) -> UpgradeReply:
    code = _CODE_OF.get(upgrade.state)
    return UpgradeReply(
        success=code is None,
        error=_error_of(upgrade) if code else "",
        code=code or UNSET,
        details=() if code else UNSET,
        upgrade_id=upgrade.id,
        version=upgrade.target_version,
        total=upgrade.total,
        updated=upgrade.upgraded,
        skipped=upgrade.skipped,
        instances=[_instance(outcome) for outcome in outcomes.items],
        truncated=outcomes.has_next,
        state=state,
        progress=progress,
    )


def _error_of(upgrade: Upgrade) -> str:
    """Leaves out `upgrade.error`, which is for the operator and may show internals of the server."""
    end = "was cancelled" if upgrade.state is UpgradeState.CANCELLED else "failed by an error of the server"
    return (
        f"Expected upgrade {upgrade.id} to be completed, but it {end} after {upgrade.total:,} of about "
        f"{upgrade.expected:,} instances. What was done to these stays done."
    )


def _progress(upgrade: Upgrade) -> ProgressReply:
    remaining = None if upgrade.state is UpgradeState.PAUSED else upgrade.remaining
    return ProgressReply(
        done=upgrade.total,
        expected=upgrade.expected,
        percent=_percent(upgrade),
        rate_per_second=None if upgrade.rate is None else round(upgrade.rate, 1),
        eta_seconds=None if remaining is None else ceil(remaining.total_seconds()),
        ordered=UNSET if upgrade.link is None else upgrade.ordered,
        sent=UNSET if upgrade.link is None else upgrade.sent,
        refused=UNSET if upgrade.link is None else upgrade.refused,
    )


def _percent(upgrade: Upgrade) -> int:
    """At most 99 until the upgrade is completed, because `expected` is an estimate."""
    if upgrade.state is UpgradeState.COMPLETED:
        return 100
    return min(99, 100 * upgrade.total // upgrade.expected) if upgrade.expected else 0


def _retry_after(upgrade: Upgrade) -> dict[str, str]:
    if upgrade.is_finished:
        return {}
    seconds = 1 if upgrade.remaining is None else ceil(upgrade.remaining.total_seconds())
    return {"retry-after": str(min(_MAX_RETRY_AFTER, max(1, seconds)))}


def _instance(outcome: Outcome) -> InstanceReply:
    return InstanceReply(
        id=outcome.instance,
        status=_STATUS_OF[outcome.kind],
        from_version=outcome.from_version,
        to_version=outcome.to_version,
        reasons=[reason.code for reason in outcome.reasons],
    )
