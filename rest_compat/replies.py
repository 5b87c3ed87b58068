"""How does a reply look on the wire?"""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from starlette.responses import Response

from domain.paging import Page
from domain.upgrade import Outcome, OutcomeKind, Upgrade
from rest_compat.refusals import Detail, RefusedRequest

_encode = msgspec.json.Encoder().encode

_STATUS_OF = {OutcomeKind.UPGRADED: "updated", OutcomeKind.SKIPPED: "skipped"}
"""What the documentation of this path calls the kinds of outcome."""


class InstanceReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was done to one instance; versions are null for an id that no instance of the process has."""

    id: UUID
    status: str
    from_version: int | None
    to_version: int | None
    reasons: Sequence[str]


class UpgradeReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an upgrade did. `truncated` says that `instances` leaves some out."""

    success: bool = True
    error: str = ""
    upgrade_id: UUID
    version: int | None
    total: int
    updated: int
    skipped: int
    instances: Sequence[InstanceReply]
    truncated: bool


class ErrorReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why nothing was done."""

    success: bool
    error: str
    code: str
    details: Sequence[Detail]
    id: str | None = None


def upgrade_response(upgrade: Upgrade, listed: Page[Outcome]) -> Response:
    """The 200 of a finished upgrade, with the outcomes that its client gets to see."""
    reply = UpgradeReply(
        upgrade_id=upgrade.id,
        version=upgrade.target_version,
        total=upgrade.total,
        updated=upgrade.upgraded,
        skipped=upgrade.skipped,
        instances=[_instance(outcome) for outcome in listed.items],
        truncated=listed.has_next,
    )
    return json_response(_encode(reply), status=200)


def refusal_response(refusal: RefusedRequest) -> Response:
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


def _instance(outcome: Outcome) -> InstanceReply:
    return InstanceReply(
        id=outcome.instance,
        status=_STATUS_OF[outcome.kind],
        from_version=outcome.from_version,
        to_version=outcome.to_version,
        reasons=[reason.code for reason in outcome.reasons],
    )
