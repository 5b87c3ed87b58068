"""How does the command line ask a gateway somewhere else to upgrade instances?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from domain.mapping import VersionMapping
from domain.process import ProcessKey
from domain.selection import ByIds, Selection
from gateway.settings import without_password
from gateway.summaries import CohortSummary, PlanSummary, UpgradeSummary, where_to, why

UPGRADE = """
mutation Upgrade($input: UpgradeInstancesInput!) {
  upgradeInstances(input: $input) {
    upgrade { id state targetVersion upgraded skipped excluded countsByReason { code count } }
    userErrors { message }
  }
}
"""
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
PATIENCE = httpx2.Timeout(10, read=3_600)
"""Seconds: an upgrade of millions answers when it is done."""


class RemoteError(Exception):
    """A gateway that cannot be reached, or that refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway at a URL, asked through its GraphQL API. Its methods raise RemoteError."""

    url: str
    key: str

    async def plan(
        self, process: ProcessKey, selection: Selection, mappings: Sequence[VersionMapping]
    ) -> PlanSummary:
        """What an upgrade would do."""
        payload = await self._ask(PLAN, "upgradePlan", _input(process, selection, mappings))
        plan = payload["plan"]
        return PlanSummary(
            process=str(process),
            target_version=plan["targetVersion"],
            upgraded=plan["upgraded"],
            skipped=plan["skipped"],
            excluded=plan["excluded"],
            counts_by_reason=_counts(plan),
            fingerprint=plan["fingerprint"],
            cohorts=tuple(map(_cohort, sorted(plan["cohorts"], key=lambda cohort: -int(cohort["count"])))),
        )

    async def upgrade(
        self,
        process: ProcessKey,
        selection: Selection,
        mappings: Sequence[VersionMapping],
        *,
        fingerprint: str | None,
        reason: str | None,
    ) -> UpgradeSummary:
        """Upgrade, and wait for the end."""
        asked = _input(process, selection, mappings)
        asked |= {"fingerprint": fingerprint} if fingerprint is not None else {}
        asked |= {"reason": reason} if reason is not None else {}
        upgrade = (await self._ask(UPGRADE, "upgradeInstances", asked))["upgrade"]
        return UpgradeSummary(
            id=upgrade["id"],
            state=upgrade["state"],
            target_version=upgrade["targetVersion"],
            upgraded=upgrade["upgraded"],
            skipped=upgrade["skipped"],
            excluded=upgrade["excluded"],
            counts_by_reason=_counts(upgrade),
        )

    async def _ask(self, document: str, field: str, asked: Mapping[str, Any]) -> Any:
        body = {"query": document, "variables": {"input": asked}}
        payload = (await _post(self.url, self.key, body)).get(field)
        if not isinstance(payload, dict) or "userErrors" not in payload:
            raise RemoteError(
                f"Expected {without_password(self.url)} to be a gateway, but it answers something else."
            )
        if payload["userErrors"]:
            raise RemoteError(" ".join(error["message"] for error in payload["userErrors"]))
        return payload


def _input(process: ProcessKey, selection: Selection, mappings: Sequence[VersionMapping]) -> dict[str, Any]:
    asked = {
        "namespace": process.namespace,
        "code": process.code,
        "selection": _selection_input(selection),
    }
    return {**asked, "mappings": [_mapping_input(one) for one in mappings]} if mappings else asked


def _mapping_input(mapping: VersionMapping) -> dict[str, Any]:
    return {
        "fromVersion": mapping.from_version,
        "instructions": [{"source": pair.source, "target": pair.target} for pair in mapping.instructions],
    }


def _selection_input(selection: Selection) -> dict[str, Any]:
    if isinstance(selection, ByIds):
        return {"instanceIds": [str(one) for one in selection.ids]}
    return {"allActive": {"except": [str(one) for one in selection.excluded]}}


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
        why=why(reasons) if reasons else where_to(position, tuple(cohort["toPosition"])),
    )


async def _post(url: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    address = f"{url.rstrip('/')}/graphql"
    shown = without_password(address)
    headers = {b"Authorization": f"Bearer {key}".encode()}
    try:
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            response = await client.post(address, json=body, headers=headers)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise RemoteError(f"Expected to reach {shown}, but: {str(error) or type(error).__name__}.") from error
    try:
        answer = response.json()
    except ValueError as error:
        raise RemoteError(
            f"Expected a GraphQL answer from {shown}, but got status {response.status_code} and no JSON."
        ) from error
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict) or answer.get("errors"):
        raise RemoteError(f"Expected {shown} to upgrade, but: {_messages(answer)}")
    return data


def _messages(answer: Any) -> str:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if not isinstance(errors, list):
        return "it did not answer as a GraphQL API."
    return " ".join(str(error.get("message")) for error in errors if isinstance(error, dict))
