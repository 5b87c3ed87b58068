"""Operations on upgrades of a remote gateway, through its GraphQL API."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2

from uplift.domain.model.mapping import VersionMapping
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.request import Request, RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.selection import Selection, SelectionKind, UpgradeId
from uplift.domain.model.upgrade_event import UpgradeEvent, UpgradeEventKind
from uplift.gateway.operations.client import Change, OnProgress
from uplift.gateway.operations.summaries import (
    CohortSummary,
    PlanSummary,
    UpgradeSummary,
    describe_conditions,
    describe_move,
    describe_reasons,
)
from uplift.gateway.settings import without_password

UPGRADE_FIELDS = """
fragment UpgradeFields on Upgrade {
  id process { namespace code } selection state targetVersion requestedBy requestedAt
  expected upgraded skipped ordered sent excluded etaSeconds error countsByReason { code count }
  conditions { versions elements statuses limit }
}
"""
GET = "query Get($id: UUID!) { upgrade(id: $id) { ...UpgradeFields } }" + UPGRADE_FIELDS
EVENTS = "query Events($id: UUID!) { upgrade(id: $id) { events { at kind by } } }"
LATEST = (
    "query Latest($process: ProcessKeyInput, $first: Int!) "
    "{ upgrades(process: $process, first: $first) { nodes { ...UpgradeFields } } }" + UPGRADE_FIELDS
)
PLAN = """
query Plan($input: UpgradePlanInput!) {
  upgradePlan(input: $input) {
    plan {
      targetVersion upgraded skipped excluded fingerprint
      countsByReason { code count }
      cohorts {
        count version status position decision toPosition
        reasons { code findings { code source } } warnings { code message }
      }
    }
    userErrors { message }
  }
}
"""
NO_CONDITIONS = dict.fromkeys(("versions", "elements", "statuses", "limit"))
TIMEOUT = httpx2.Timeout(10, read=60)
"""Seconds. No request waits for the end of an upgrade, so responses are quick."""
REQUEST_INTERVAL = 0.5
"""Seconds between two requests to the gateway for the state of an upgrade."""
MAX_OUTAGE = 300.0
"""Seconds for which `follow` tolerates an unreachable gateway."""


def _mutation(name: str, input_type: str) -> str:
    payload = "{ upgrade { ...UpgradeFields } userErrors { message } }"
    return f"mutation Change($input: {input_type}!) {{ {name}(input: $input) {payload} }}{UPGRADE_FIELDS}"


class RemoteError(Exception):
    """A gateway cannot be reached, or it rejects the request."""


class UnreachableError(RemoteError):
    """A gateway cannot be reached now. A later attempt may succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteClient:
    """Implements OperationsClient on the gateway at a URL. Its methods raise RemoteError."""

    url: str
    api_key: str

    async def plan(self, request: UpgradeRequest) -> PlanSummary:
        plan = (await self._payload(PLAN, "upgradePlan", _plan_input(request)))["plan"]
        return PlanSummary(
            process=str(request.process),
            target_version=plan["targetVersion"],
            upgraded=plan["upgraded"],
            skipped=plan["skipped"],
            excluded=plan["excluded"],
            counts_by_reason=_counts(plan),
            fingerprint=plan["fingerprint"],
            cohorts=tuple(map(_cohort, sorted(plan["cohorts"], key=lambda cohort: -int(cohort["count"])))),
        )

    async def request(self, request: UpgradeRequest) -> UpgradeSummary:
        variables = {
            **_plan_input(request),
            **_without_none(fingerprint=request.fingerprint),
            **_request_input(request),
        }
        return await self._mutate("upgradeInstances", "UpgradeInstancesInput", variables)

    async def retry(self, request: RetryRequest) -> UpgradeSummary:
        variables = {
            "id": str(request.upgrade_id),
            "reasons": sorted(request.reasons),
            **_mappings_input(request.mappings),
            **_request_input(request),
        }
        return await self._mutate("retryUpgrade", "RetryUpgradeInput", variables)

    async def undo(self, request: UndoRequest) -> UpgradeSummary:
        variables = {"id": str(request.upgrade_id), **_request_input(request)}
        return await self._mutate("undoUpgrade", "UndoUpgradeInput", variables)

    async def change(self, upgrade_id: UpgradeId, change: Change) -> UpgradeSummary:
        name = f"{change}Upgrade"
        return await self._mutate(name, f"{name[0].upper()}{name[1:]}Input", {"id": str(upgrade_id)})

    async def get(self, upgrade_id: UpgradeId) -> UpgradeSummary:
        upgrade = (await self._execute(GET, {"id": str(upgrade_id)})).get("upgrade")
        if upgrade is None:
            raise RemoteError(f"Expected to find upgrade {upgrade_id}, but there is none.")
        return _summary(upgrade)

    async def events(self, upgrade_id: UpgradeId) -> Sequence[UpgradeEvent]:
        upgrade = (await self._execute(EVENTS, {"id": str(upgrade_id)})).get("upgrade")
        if upgrade is None:
            raise RemoteError(f"Expected to find upgrade {upgrade_id}, but there is none.")
        return [
            UpgradeEvent(
                at=datetime.fromisoformat(event["at"]), kind=UpgradeEventKind(event["kind"]), by=event["by"]
            )
            for event in upgrade["events"]
        ]

    async def latest(self, process_key: ProcessKey | None, limit: int) -> Sequence[UpgradeSummary]:
        process = process_key and {"namespace": process_key.namespace, "code": process_key.code}
        data = await self._execute(LATEST, {"process": process, "first": limit})
        return [_summary(upgrade) for upgrade in data["upgrades"]["nodes"]]

    async def follow(self, upgrade_id: UpgradeId, on_progress: OnProgress) -> UpgradeSummary:
        last_response = time.monotonic()
        while True:
            try:
                upgrade = await self.get(upgrade_id)
            except UnreachableError as error:
                # The upgrade runs on without this client, so an outage is no reason to stop polling.
                if time.monotonic() - last_response > MAX_OUTAGE:
                    raise RemoteError(f"{error} Upgrade {upgrade_id} may still be running.") from error
            else:
                last_response = time.monotonic()
                on_progress(upgrade)
                if upgrade.is_finished:
                    return upgrade
            await asyncio.sleep(REQUEST_INTERVAL)

    async def _mutate(self, name: str, input_type: str, fields: Mapping[str, Any]) -> UpgradeSummary:
        return _summary((await self._payload(_mutation(name, input_type), name, fields))["upgrade"])

    async def _payload(self, document: str, field: str, fields: Mapping[str, Any]) -> Any:
        payload = (await self._execute(document, {"input": fields})).get(field)
        if not isinstance(payload, dict) or "userErrors" not in payload:
            raise RemoteError(
                f"Expected {without_password(self.url)} to be a gateway, but its answer has another form."
            )
        if payload["userErrors"]:
            raise RemoteError(" ".join(error["message"] for error in payload["userErrors"]))
        return payload

    async def _execute(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        return await _post(self.url, self.api_key, {"query": document, "variables": variables})


def _summary(upgrade: Mapping[str, Any]) -> UpgradeSummary:
    return UpgradeSummary(
        id=UpgradeId(UUID(upgrade["id"])),
        process=f"{upgrade['process']['namespace']}/{upgrade['process']['code']}",
        selection=upgrade["selection"],
        conditions=describe_conditions(**(upgrade["conditions"] or NO_CONDITIONS)),
        state=upgrade["state"],
        target_version=upgrade["targetVersion"],
        requested_by=upgrade["requestedBy"],
        requested_at=datetime.fromisoformat(upgrade["requestedAt"]),
        expected=upgrade["expected"],
        upgraded=upgrade["upgraded"],
        skipped=upgrade["skipped"],
        ordered=upgrade["ordered"],
        sent=upgrade["sent"],
        excluded=upgrade["excluded"],
        eta=upgrade["etaSeconds"],
        error=upgrade["error"],
        counts_by_reason=_counts(upgrade),
    )


def _plan_input(request: UpgradeRequest) -> dict[str, Any]:
    return {
        "namespace": request.process.namespace,
        "code": request.process.code,
        "selection": _selection_input(request.selection),
        **_mappings_input(request.mappings),
    }


def _request_input(request: Request) -> dict[str, Any]:
    """The fields that all requests share. No request waits for the end: `follow` polls for it."""
    fields = _without_none(reason=request.reason, idempotencyKey=request.idempotency_key)
    return {**fields, "wait": False}


def _mappings_input(mappings: Sequence[VersionMapping]) -> dict[str, Any]:
    if not mappings:
        return {}
    return {"mappings": [_mapping_input(mapping) for mapping in mappings]}


def _mapping_input(mapping: VersionMapping) -> dict[str, Any]:
    return {
        "fromVersion": mapping.from_version,
        "instructions": [{"source": pair.source, "target": pair.target} for pair in mapping.instructions],
    }


def _selection_input(selection: Selection) -> dict[str, Any]:
    named_ids = [str(instance_id) for instance_id in selection.named_ids]
    if selection.kind is SelectionKind.BY_IDS:
        return {"instanceIds": named_ids}
    if selection.conditions is not None:
        return {"matching": {**asdict(selection.conditions), "except": named_ids}}
    return {"allActive": {"except": named_ids}}


def _without_none(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}


def _counts(plan_or_upgrade: Mapping[str, Any]) -> dict[str, int]:
    return {reason["code"]: reason["count"] for reason in plan_or_upgrade["countsByReason"]}


def _cohort(cohort: Mapping[str, Any]) -> CohortSummary:
    position = tuple(cohort["position"])
    reasons = {
        reason["code"]: tuple((finding["code"], finding["source"]) for finding in reason["findings"])
        for reason in cohort["reasons"]
    }
    to_position = tuple(cohort["toPosition"] or ())
    warnings = ((warning["code"], warning["message"]) for warning in cohort["warnings"])
    return CohortSummary(
        count=cohort["count"],
        version=cohort["version"],
        status=cohort["status"],
        position=position,
        decision=cohort["decision"],
        why=describe_reasons(reasons) if reasons else describe_move(position, to_position, warnings),
    )


async def _post(url: str, api_key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    address = f"{url.rstrip('/')}/graphql"
    shown = without_password(address)
    headers = {b"Authorization": f"Bearer {api_key}".encode()}
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT) as client:
            response = await client.post(address, json=body, headers=headers)
    except UnicodeEncodeError as error:
        raise RemoteError(
            "Expected the arguments to be text, but one holds bytes in another encoding."
        ) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        why = str(error) or type(error).__name__
        raise UnreachableError(f"Expected to reach {shown}, but: {why}.") from error
    try:
        answer = response.json()
    except ValueError as error:
        raise RemoteError(
            f"Expected a GraphQL answer from {shown}, but got status {response.status_code} and no JSON."
        ) from error
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict) or answer.get("errors"):
        raise RemoteError(f"Expected {shown} to carry out the request, but: {_messages(answer)}")
    return data


def _messages(answer: Any) -> str:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if not isinstance(errors, list):
        return "its answer is not that of a GraphQL API."
    return " ".join(str(error.get("message")) for error in errors if isinstance(error, dict))
