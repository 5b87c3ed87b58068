"""How does the command line ask a gateway somewhere else to upgrade instances?"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2

from uplift.domain.model.mapping import VersionMapping
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.request import Request, RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.selection import Selection, SelectionKind
from uplift.gateway.operations.client import Change, OnProgress
from uplift.gateway.operations.summaries import CohortSummary, PlanSummary, UpgradeSummary, in_short, where_to
from uplift.gateway.settings import without_password

FACTS = """
fragment Facts on Upgrade {
  id process { namespace code } selection state targetVersion requestedBy requestedAt
  expected upgraded skipped excluded etaSeconds error countsByReason { code count }
}
"""
SEE = "query See($id: UUID!) { upgrade(id: $id) { ...Facts } }" + FACTS
LATEST = (
    "query Latest($process: ProcessKeyInput, $first: Int!) "
    "{ upgrades(process: $process, first: $first) { nodes { ...Facts } } }" + FACTS
)
PLAN = """
query Plan($input: UpgradePlanInput!) {
  upgradePlan(input: $input) {
    plan {
      targetVersion upgraded skipped excluded fingerprint
      countsByReason { code count }
      cohorts {
        count version status position decision toPosition
        reasons { code findings { code source } }
      }
    }
    userErrors { message }
  }
}
"""
PATIENCE = httpx2.Timeout(10, read=60)
"""Seconds. Upgrades are asked for without waiting for their end, so an answer is never far."""
LOOK_EVERY = 0.5
"""Seconds between two looks at an upgrade."""
LONGEST_SILENCE = 300.0
"""Seconds that a gateway may be out of reach while an upgrade is followed."""


def _mutation(name: str, input_type: str) -> str:
    return (
        f"mutation Change($input: {input_type}!) "
        f"{{ {name}(input: $input) {{ upgrade {{ ...Facts }} userErrors {{ message }} }} }}{FACTS}"
    )


class RemoteError(Exception):
    """A gateway that cannot be reached, or that refuses."""


class UnreachableError(RemoteError):
    """A gateway that does not answer now, but may later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway at a URL, asked through its GraphQL API. Implements operations.client.OperationsClient.

    Its methods raise RemoteError.
    """

    url: str
    key: str

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
        return await self._changed("upgradeInstances", "UpgradeInstancesInput", variables)

    async def retry(self, request: RetryRequest) -> UpgradeSummary:
        variables = {
            "id": str(request.upgrade_id),
            "reasons": sorted(request.reasons),
            **_mappings_input(request.mappings),
            **_request_input(request),
        }
        return await self._changed("retryUpgrade", "RetryUpgradeInput", variables)

    async def undo(self, request: UndoRequest) -> UpgradeSummary:
        variables = {"id": str(request.upgrade_id), **_request_input(request)}
        return await self._changed("undoUpgrade", "UndoUpgradeInput", variables)

    async def change(self, upgrade: UUID, change: Change) -> UpgradeSummary:
        name = f"{change}Upgrade"
        return await self._changed(name, f"{name[0].upper()}{name[1:]}Input", {"id": str(upgrade)})

    async def see(self, upgrade: UUID) -> UpgradeSummary:
        found = (await self._ask(SEE, {"id": str(upgrade)})).get("upgrade")
        if found is None:
            raise RemoteError(f"Expected to find upgrade {upgrade}, but there is none.")
        return _summary(found)

    async def latest(self, process: ProcessKey | None, most: int) -> Sequence[UpgradeSummary]:
        key = None if process is None else {"namespace": process.namespace, "code": process.code}
        found = await self._ask(LATEST, {"process": key, "first": most})
        return [_summary(one) for one in found["upgrades"]["nodes"]]

    async def follow(self, upgrade: UUID, on_progress: OnProgress) -> UpgradeSummary:
        last_answer = time.monotonic()
        while True:
            try:
                seen = await self.see(upgrade)
            except UnreachableError as error:
                # The upgrade goes on without us; so does the looking, for a while.
                if time.monotonic() - last_answer > LONGEST_SILENCE:
                    raise RemoteError(f"{error} The upgrade {upgrade} may go on nevertheless.") from error
            else:
                last_answer = time.monotonic()
                on_progress(seen)
                if seen.is_finished:
                    return seen
            await asyncio.sleep(LOOK_EVERY)

    async def _changed(self, name: str, input_type: str, asked: Mapping[str, Any]) -> UpgradeSummary:
        return _summary((await self._payload(_mutation(name, input_type), name, asked))["upgrade"])

    async def _payload(self, document: str, field: str, asked: Mapping[str, Any]) -> Any:
        payload = (await self._ask(document, {"input": asked})).get(field)
        if not isinstance(payload, dict) or "userErrors" not in payload:
            raise RemoteError(
                f"Expected {without_password(self.url)} to be a gateway, but it answers something else."
            )
        if payload["userErrors"]:
            raise RemoteError(" ".join(error["message"] for error in payload["userErrors"]))
        return payload

    async def _ask(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        return await _post(self.url, self.key, {"query": document, "variables": variables})


def _summary(upgrade: Mapping[str, Any]) -> UpgradeSummary:
    return UpgradeSummary(
        id=UUID(upgrade["id"]),
        process=f"{upgrade['process']['namespace']}/{upgrade['process']['code']}",
        selection=upgrade["selection"],
        state=upgrade["state"],
        target_version=upgrade["targetVersion"],
        requested_by=upgrade["requestedBy"],
        requested_at=datetime.fromisoformat(upgrade["requestedAt"]),
        expected=upgrade["expected"],
        upgraded=upgrade["upgraded"],
        skipped=upgrade["skipped"],
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
    """The fields that all requests share. Nothing waits for the end: `follow` looks from time to time."""
    named = _without_none(reason=request.reason, idempotencyKey=request.idempotency_key)
    return {**named, "wait": False}


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
    return {"allActive": {"except": named_ids}}


def _without_none(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}


def _counts(counted: Mapping[str, Any]) -> dict[str, int]:
    return {reason["code"]: reason["count"] for reason in counted["countsByReason"]}


def _cohort(cohort: Mapping[str, Any]) -> CohortSummary:
    position = tuple(cohort["position"])
    reasons = {
        reason["code"]: tuple((finding["code"], finding["source"]) for finding in reason["findings"])
        for reason in cohort["reasons"]
    }
    return CohortSummary(
        count=cohort["count"],
        version=cohort["version"],
        status=cohort["status"],
        position=position,
        decision=cohort["decision"],
        why=in_short(reasons) if reasons else where_to(position, tuple(cohort["toPosition"])),
    )


async def _post(url: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    address = f"{url.rstrip('/')}/graphql"
    shown = without_password(address)
    headers = {b"Authorization": f"Bearer {key}".encode()}
    try:
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            response = await client.post(address, json=body, headers=headers)
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
        raise RemoteError(f"Expected {shown} to do as asked, but: {_messages(answer)}")
    return data


def _messages(answer: Any) -> str:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if not isinstance(errors, list):
        return "it did not answer as a GraphQL API."
    return " ".join(str(error.get("message")) for error in errors if isinstance(error, dict))
