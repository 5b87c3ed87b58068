"""Process engines that report their own instances while these are upgraded."""

from collections.abc import Sequence
from typing import Any

from bench.soak.client import Client, Shift, mutation_of
from bench.soak.ledger import Known
from bench.soak.world import an_instance, model_of, places_in
from uplift.domain import Instance, InstanceId, ProcessKey, Status

STATUSES = (Status.PENDING,) * 6 + (Status.RUNNING,) * 3 + (Status.COMPLETED, Status.CANCELLED, Status.FAILED)
"""The statuses that an engine reports, by frequency: an instance mostly waits again."""

Said = tuple[InstanceId, Status, Sequence[str]]


class Engine:
    """Registers new instances and reports old ones. Sometimes it hangs up before the response."""

    def __init__(self, client: Client, own: Sequence[Instance]) -> None:
        self._client = client
        self._ledger = client.ledger
        self._chance = client.chance
        self._own = list(own)

    async def work(self, shift: Shift) -> None:
        often, seldom = [self.report, self.report, self.report], [self.register, self.register_again]
        await self._client.in_rounds([*often, *seldom, self.report_and_hang_up], shift)

    async def register(self) -> None:
        process = self._client.any_process()
        latest = self._ledger.latest[process]
        new = [an_instance(self._chance, process, latest) for _ in range(self._chance.randint(1, 50))]
        for instance in new:
            self._ledger.instances[instance.id] = Known(registered=instance, facts=set())
        if self._chance.random() < 0.2:
            await self._client.hang_up("registerInstances", "/graphql", _body(process, new))
        await self._confirm("registerInstances", process, new)
        self._own += new

    async def register_again(self) -> None:
        """Repeat a registration, which updates status and position and never changes the version."""
        process = self._client.any_process()
        known = [instance for instance in self._some(30) if instance.process == process]
        if known:
            await self._confirm("registerInstances again", process, known)

    async def report(self) -> None:
        said = self._news(self._some(self._chance.randint(1, 200)))
        for instance in said:
            self._ledger.will_say(*instance)
        payload = await self._client.change("reportInstances", "reportInstances", _reports(said), "count")
        assert payload["count"] == len(said)
        for instance in said:
            self._ledger.was_said(*instance)

    async def report_and_hang_up(self) -> None:
        """Report instances for the last time and hang up, because the server may apply the request late."""
        lost = self._some(3)
        self._own = [instance for instance in self._own if instance not in lost]
        said = self._news(lost)
        for instance in said:
            self._ledger.will_say(*instance)
        body = {"query": mutation_of("reportInstances", "count"), "variables": {"input": _reports(said)}}
        await self._client.hang_up("reportInstances", "/graphql", body)

    async def _confirm(self, operation: str, process: ProcessKey, several: Sequence[Instance]) -> None:
        said = [(instance.id, instance.status, sorted(instance.position)) for instance in several]
        for instance in said:
            self._ledger.will_say(*instance)
        fields = _body(process, several)["variables"]["input"]
        payload = await self._client.change(operation, "registerInstances", fields, "count")
        assert payload["count"] == len(several)
        for instance in said:
            self._ledger.was_said(*instance)

    def _some(self, limit: int) -> list[Instance]:
        return self._chance.sample(self._own, min(limit, len(self._own)))

    def _news(self, several: Sequence[Instance]) -> list[Said]:
        return [
            (
                instance.id,
                self._chance.choice(STATUSES),
                [self._chance.choice(places_in(instance.process, instance.version))],
            )
            for instance in several
        ]


class Publisher:
    """Publishes new versions, so that upgrades always have a newer target."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def publish(self) -> None:
        process = self._client.any_process()
        version = self._client.ledger.latest[process] + 1
        model = model_of(process, version)
        named = {"namespace": process.namespace, "code": process.code}
        fields = {**named, "bpmn": None if model is None else model.decode()}
        await self._client.change("saveDraft", "saveDraft", fields, "version { number }")
        await self._client.change("publishVersion", "publishVersion", named, "version { number }")
        self._client.ledger.latest[process] = version


def _reports(said: Sequence[Said]) -> dict[str, Any]:
    return {
        "instances": [
            {"id": str(instance_id), "status": status, "position": position}
            for instance_id, status, position in said
        ]
    }


def _body(process: ProcessKey, several: Sequence[Instance]) -> dict[str, Any]:
    fields = {
        "namespace": process.namespace,
        "code": process.code,
        "instances": [
            {
                "id": str(instance.id),
                "version": instance.version,
                "status": instance.status,
                "position": sorted(instance.position),
            }
            for instance in several
        ],
    }
    return {"query": mutation_of("registerInstances", "count"), "variables": {"input": fields}}
