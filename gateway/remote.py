"""How does the command line ask a gateway somewhere else to upgrade instances?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from domain.process import ProcessKey
from domain.selection import ByIds, Selection

MUTATION = """
mutation Upgrade($input: UpgradeInstancesInput!) {
  upgradeInstances(input: $input) {
    upgrade { id targetVersion upgraded skipped excluded countsByReason { code count } }
    userErrors { message }
  }
}
"""
PATIENCE = httpx2.Timeout(10, read=3_600)
"""Seconds: an upgrade of millions answers when it is done."""


class RemoteError(Exception):
    """A gateway that cannot be reached, or that refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeSummary:
    """What an upgrade did, as the command line shows it."""

    id: str
    target_version: int
    upgraded: int
    skipped: int
    excluded: int
    counts_by_reason: Mapping[str, int]


async def upgrade_remotely(
    *, url: str, key: str, process: ProcessKey, selection: Selection, reason: str | None
) -> UpgradeSummary:
    """Upgrade by the GraphQL API of the gateway at this URL. Raises RemoteError."""
    variables = {
        "input": {
            "namespace": process.namespace,
            "code": process.code,
            "selection": _selection_input(selection),
            "reason": reason,
        }
    }
    payload = (await _post(url, key, {"query": MUTATION, "variables": variables}))["upgradeInstances"]
    if payload["userErrors"]:
        raise RemoteError(" ".join(error["message"] for error in payload["userErrors"]))
    upgrade = payload["upgrade"]
    return UpgradeSummary(
        id=upgrade["id"],
        target_version=upgrade["targetVersion"],
        upgraded=upgrade["upgraded"],
        skipped=upgrade["skipped"],
        excluded=upgrade["excluded"],
        counts_by_reason={reason["code"]: reason["count"] for reason in upgrade["countsByReason"]},
    )


def _selection_input(selection: Selection) -> dict[str, Any]:
    if isinstance(selection, ByIds):
        return {"instanceIds": [str(one) for one in selection.ids]}
    return {"allActive": {"except": [str(one) for one in selection.excluded]}}


async def _post(url: str, key: str, body: Mapping[str, Any]) -> Any:
    address = f"{url.rstrip('/')}/graphql"
    try:
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            response = await client.post(address, json=body, headers={"Authorization": f"Bearer {key}"})
            answer = response.json()
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise RemoteError(f"Expected to reach {address}, but: {error}.") from error
    except ValueError as error:
        raise RemoteError(
            f"Expected a GraphQL answer from {address}, but got status {response.status_code} and no JSON."
        ) from error
    if not isinstance(answer, dict) or answer.get("errors") or not answer.get("data"):
        raise RemoteError(f"Expected {address} to upgrade, but: {_messages(answer)}")
    return answer["data"]


def _messages(answer: Any) -> str:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if not isinstance(errors, list):
        return "it did not answer as a GraphQL API."
    return " ".join(str(error.get("message")) for error in errors if isinstance(error, dict))
