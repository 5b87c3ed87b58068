"""Clients that upgrade through both APIs while engines move the same instances."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bench.soak.client import Client, Shift, mutation_of
from bench.soak.ledger import MODELLED, RequestedUpgrade
from bench.soak.world import step_of
from uplift.domain import InstanceId, ProcessKey, UpgradeId
from uplift.domain.model.selection import SelectionKind

UPGRADE = "upgrade { id state total upgraded skipped }"
PLAN = "query($input: UpgradePlanInput!) { upgradePlan(input: $input) { plan { fingerprint } } }"
STATE = "query($id: UUID!) { upgrade(id: $id) { state } }"
REASONS = ("NOT_PENDING", "ALREADY_LATEST", "INCOMPATIBLE")
POLL_INTERVAL = 0.02
"""Seconds between two reads of an upgrade, and between a pause and its resumption."""


@dataclass(frozen=True, kw_only=True)
class PreparedRequest:
    """A request to upgrade, in the form of both APIs."""

    requested: RequestedUpgrade
    selection: dict[str, Any]
    body: dict[str, Any]

    @property
    def graphql(self) -> dict[str, Any]:
        process = self.requested.process
        return {"namespace": process.namespace, "code": process.code, "selection": self.selection}

    @property
    def path(self) -> str:
        process = self.requested.process
        return f"/pub/v1/bpm/instance/bytemplate/{process.namespace}/{process.code}/version"


class OperationsClient:
    """Requests upgrades of all kinds, controls them, and repeats requests without a response."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ledger = client.ledger
        self._chance = client.chance
        self._lost: list[tuple[PreparedRequest, str]] = []

    async def work(self, shift: Shift) -> None:
        often = [self.by_ids, self.by_ids_rest, self.all_active, self.all_active_rest, self.pause]
        seldom = [self.follow_by_rest, self.as_planned, self.mapped, self.retry, self.undo, self.cancel]
        careless = [self.repeat, self.use_a_key_twice, self.hang_up, self.repeat_what_was_lost]
        await self._client.in_rounds([*often, *seldom, *careless], shift)

    async def by_ids(self) -> None:
        prepared = self._some_ids()
        upgrade = await self._by_graphql("upgrade by ids", prepared)
        if upgrade["state"] == "COMPLETED":
            assert upgrade["total"] == len(prepared.requested.ids), upgrade

    async def by_ids_rest(self) -> None:
        prepared = self._some_ids()
        reply = await self._by_rest("REST by ids", prepared)
        if reply["success"]:
            assert reply["total"] == len(prepared.requested.ids), reply

    async def all_active(self) -> None:
        await self._by_graphql("upgrade all active", self._all_active(), wait=self._chance.random() < 0.5)

    async def all_active_rest(self) -> None:
        await self._by_rest("REST all active", self._all_active())

    async def follow_by_rest(self) -> None:
        """Request an upgrade without waiting, and poll the status resource until it is finished."""
        prepared = self._all_active()
        operation = "REST all active, respond-async"
        with self._client.measures.timing(operation):
            answer = await self._client.http.post(
                prepared.path, json=prepared.body, headers={"prefer": "respond-async"}
            )
        assert answer.status_code == 202, f"{operation}: {answer.status_code} {answer.text[:300]}"
        known = self._ledger.requested(answer.json()["upgradeId"], prepared.requested)
        done = -1
        while known in self._ledger.unfinished:
            with self._client.measures.timing("REST status"):
                shown = (await self._client.http.get(answer.headers["location"])).json()
            assert shown["progress"]["done"] >= done, shown
            done = shown["progress"]["done"]
            self._ledger.seen(known, shown["state"])
            await asyncio.sleep(POLL_INTERVAL)

    async def as_planned(self) -> None:
        """Request a plan, then an upgrade that is refused unless it does what the plan says."""
        prepared = self._some_ids()
        plan = await self._client.ask("dry run by ids", PLAN, input=prepared.graphql)
        fingerprint = plan["upgradePlan"]["plan"]["fingerprint"]
        await self._by_graphql(
            "upgrade as planned", prepared, may_refuse=["PLAN_CHANGED"], fingerprint=fingerprint
        )

    async def mapped(self) -> None:
        """Map `approve` to `sign`, or back; the mapping is invalid once another version is published."""
        latest = self._ledger.latest[MODELLED]
        mappings = [
            {
                "fromVersion": version,
                "instructions": [{"source": step_of(version), "target": step_of(latest)}],
            }
            for version in range(1, latest)
        ]
        may_refuse = ["INVALID_MAPPING", "INVALID_INPUT"]
        prepared = self._all_active(MODELLED)
        await self._by_graphql("upgrade with mappings", prepared, may_refuse=may_refuse, mappings=mappings)

    async def retry(self) -> None:
        if (of := self._finished_upgrade()) is None:
            return
        reasons = self._chance.sample(REASONS, self._chance.randint(1, len(REASONS)))
        await self._follow_up("retryUpgrade", SelectionKind.RETRY, of, reasons=reasons)

    async def undo(self) -> None:
        if (of := self._finished_upgrade()) is not None:
            await self._follow_up("undoUpgrade", SelectionKind.UNDO, of)

    async def pause(self) -> None:
        """Stop an upgrade for a moment. Others may do the same, or end it."""
        if (upgrade := await self._unfinished_upgrade()) is None:
            return
        paused = await self._control("pauseUpgrade", upgrade)
        await asyncio.sleep(POLL_INTERVAL)
        if paused:
            await self._control("resumeUpgrade", upgrade)

    async def cancel(self) -> None:
        if (upgrade := await self._unfinished_upgrade()) is not None:
            await self._control("cancelUpgrade", upgrade)

    async def repeat(self) -> None:
        """Send a request with the same idempotency key to both APIs, which is one upgrade."""
        prepared, key = self._some_ids(), self._client.any_key()
        first = await self._by_graphql("upgrade by ids", prepared, idempotencyKey=key)
        again = await self._by_rest("REST by ids, repeated", prepared, **{"idempotency-key": f'"{key}"'})
        assert again["upgradeId"] == first["id"], (again, first)

    async def use_a_key_twice(self) -> None:
        key = self._client.any_key()
        await self._by_graphql("upgrade by ids", self._some_ids(), idempotencyKey=key)
        other = {**self._some_ids().graphql, "idempotencyKey": key}
        refused = await self._client.change(
            "upgrade under a used key",
            "upgradeInstances",
            other,
            UPGRADE,
            may_refuse=["IDEMPOTENCY_CONFLICT"],
        )
        assert refused is None, refused

    async def hang_up(self) -> None:
        """Request an upgrade and hang up. The client repeats the request later with the same key."""
        prepared, key = self._chance.choice([self._some_ids, self._all_active])(), self._client.any_key()
        self._lost.append((prepared, key))
        if self._chance.random() < 0.5:
            headers = {"idempotency-key": f'"{key}"'}
            await self._client.hang_up("REST upgrade", prepared.path, prepared.body, **headers)
            return
        fields = {**prepared.graphql, "idempotencyKey": key}
        body = {"query": mutation_of("upgradeInstances", UPGRADE), "variables": {"input": fields}}
        await self._client.hang_up("upgradeInstances", "/graphql", body)

    async def repeat_what_was_lost(self) -> None:
        while self._lost:
            prepared, key = self._lost.pop()
            await self._by_graphql("upgrade requested again", prepared, idempotencyKey=key, wait=False)

    async def settle(self) -> None:
        """Wait until all upgrades are finished, and resume paused ones."""
        await self.repeat_what_was_lost()
        while self._ledger.unfinished:
            for upgrade in list(self._ledger.unfinished):
                if await self._look(upgrade) == "PAUSED":
                    await self._control("resumeUpgrade", upgrade)
            await asyncio.sleep(POLL_INTERVAL)

    async def _by_graphql(
        self, operation: str, prepared: PreparedRequest, *, may_refuse: Sequence[str] = (), **more: Any
    ) -> Any:
        fields = {**prepared.graphql, **more}
        payload = await self._client.change(
            operation, "upgradeInstances", fields, UPGRADE, may_refuse=may_refuse
        )
        return payload and self._note_request(payload["upgrade"], prepared.requested)

    async def _by_rest(self, operation: str, prepared: PreparedRequest, **headers: str) -> Any:
        with self._client.measures.timing(operation):
            answer = await self._client.http.post(prepared.path, json=prepared.body, headers=headers)
        reply = answer.json()
        is_cancelled = answer.status_code == 409 and reply["code"] == "UPGRADE_CANCELLED"
        assert is_cancelled or answer.status_code == 200, (
            f"{operation}: {answer.status_code} {answer.text[:300]}"
        )
        if is_cancelled:
            self._client.measures.refused[operation, reply["code"]] += 1
        state = "CANCELLED" if is_cancelled else "COMPLETED"
        self._note_request({"id": reply["upgradeId"], "state": state}, prepared.requested)
        assert reply["total"] == reply["updated"] + reply["skipped"], reply
        return reply

    async def _follow_up(self, mutation: str, kind: SelectionKind, of: UpgradeId, **more: Any) -> None:
        fields = {"id": str(of), **more}
        request = RequestedUpgrade(
            process=self._ledger.upgrades[of].process,
            selection=kind,
            moment=self._ledger.now(),
            of=of,
            reasons=frozenset(more.get("reasons", ())),
        )
        payload = await self._client.change(mutation, mutation, fields, UPGRADE)
        self._note_request(payload["upgrade"], request)

    async def _control(self, mutation: str, upgrade: UpgradeId) -> bool:
        fields = {"id": str(upgrade)}
        payload = await self._client.change(
            mutation, mutation, fields, "upgrade { state }", may_refuse=["WRONG_STATE"]
        )
        if payload is None:
            await self._look(upgrade)
            return False
        self._ledger.seen(upgrade, payload["upgrade"]["state"])
        return True

    async def _look(self, upgrade: UpgradeId) -> str:
        shown = (await self._client.ask("upgrade", STATE, id=str(upgrade)))["upgrade"]
        assert shown is not None, f"upgrade {upgrade} is lost"
        self._ledger.seen(upgrade, shown["state"])
        return str(shown["state"])

    async def _unfinished_upgrade(self) -> UpgradeId | None:
        """An upgrade that may be unfinished; a new one if there is none."""
        if not self._ledger.unfinished:
            await self._by_graphql("upgrade all active", self._all_active(), wait=False)
        return self._chance.choice(sorted(self._ledger.unfinished) or [None])

    def _finished_upgrade(self) -> UpgradeId | None:
        """An upgrade that can be retried or undone."""
        upgrades = self._ledger.upgrades
        finished = [
            upgrade_id
            for upgrade_id in self._ledger.finished
            if upgrades[upgrade_id].selection is not SelectionKind.UNDO
        ]
        return self._chance.choice(finished[-20:] or [None])

    def _note_request(self, upgrade: Any, request: RequestedUpgrade) -> Any:
        self._ledger.seen(self._ledger.requested(upgrade["id"], request), upgrade["state"])
        return upgrade

    def _some_ids(self) -> PreparedRequest:
        process = self._client.any_process()
        known = self._ledger.certain(process)
        ids = self._chance.sample(known, min(self._chance.randint(1, 300), len(known)))
        if self._chance.random() < 0.2:
            ids.append(InstanceId(UUID(self._client.any_key())))
        named = list(map(str, ids))
        return PreparedRequest(
            requested=self._about(process, SelectionKind.BY_IDS, ids),
            selection={"instanceIds": named},
            body={"instanceIds": named},
        )

    def _all_active(self, process: ProcessKey | None = None) -> PreparedRequest:
        process = process or self._client.any_process()
        known = self._ledger.certain(process)
        excluded = self._chance.sample(known, min(self._chance.choice((0, 1, 50)), len(known)))
        named = list(map(str, excluded))
        return PreparedRequest(
            requested=self._about(process, SelectionKind.ALL_ACTIVE, excluded),
            selection={"allActive": {"except": named}},
            body={"updateAllActive": True, "unselectedIds": named},
        )

    def _about(self, process: ProcessKey, kind: SelectionKind, ids: Sequence[InstanceId]) -> RequestedUpgrade:
        return RequestedUpgrade(
            process=process, selection=kind, moment=self._ledger.now(), ids=frozenset(ids)
        )
