"""Moves instances by synchronous requests, each of which moves all its instances or none."""

from collections.abc import Mapping, Sequence

from uplift.domain.ports.process_engine import (
    EngineFault,
    EngineFaultKind,
    EngineInstanceId,
    MovePlan,
    Refusal,
)
from uplift.engines.camunda7.answers import (
    Culprit,
    PlanRefused,
    Unexplained,
    blame,
)
from uplift.engines.camunda7.lists import locate
from uplift.engines.camunda7.plans import migration_plan
from uplift.engines.client import EngineClient
from uplift.engines.refusals import not_on_source, unexplained

ATTEMPTS = 3
"""How often an instance is sent alone while the engine fails without an explanation: writers may conflict."""
MAX_UNEXPLAINED = 3
"""After so many of them, with none moved, the engine itself is taken to fail."""


class MoveRequest:
    """The instances of one call, until the engine has moved or refused each of them.

    A refused request names one instance. That is taken out, and the others are sent again. Once more than a
    tenth of a request is refused, the rest is sent in halves: each attempt repeats the work on all instances
    before the one that is named.
    """

    def __init__(self, client: EngineClient, plan: MovePlan, ids: Sequence[EngineInstanceId]) -> None:
        self._client = client
        self._plan = plan
        self._body = {
            "migrationPlan": migration_plan(plan),
            "skipCustomListeners": True,
            "skipIoMappings": True,
        }
        self._queue = [list(dict.fromkeys(ids))]
        self._answers: dict[EngineInstanceId, Refusal | None] = {}
        self._unexplained = 0

    async def send(self) -> Mapping[EngineInstanceId, Refusal | None]:
        """Send all instances; returns why each was refused, or None if it moved. Raises EngineFault."""
        while self._queue:
            await self._send_batch(self._queue.pop())
        return self._answers

    async def _send_batch(self, batch: list[EngineInstanceId]) -> None:
        size = len(batch)
        while batch:
            match await self._execute(batch):
                case None:
                    self._answers |= dict.fromkeys(batch)
                    return
                case Culprit(id=instance_id, refusal=refusal):
                    self._answers[instance_id] = refusal
                    batch.remove(instance_id)
                    if (size - len(batch)) * 10 > size:
                        self._send_in_halves(batch)
                        return
                case PlanRefused(refusal=refusal):
                    self._answers |= dict.fromkeys(batch, refusal)
                    return
                case Unexplained(message=message):
                    await self._explain(batch, message)
                    return

    async def _execute(self, batch: list[EngineInstanceId]) -> Culprit | PlanRefused | Unexplained | None:
        reply = await self._client.request(
            "POST", "/migration/execute", body={**self._body, "processInstanceIds": batch}
        )
        # Only this status says that the engine has moved them: a page of a proxy may have status 200.
        if reply.status == 204:
            return None
        if (blamed := blame(reply, batch)) is None:
            raise reply.unexpected(reply.message or "it is none that an engine gives to a migration")
        return blamed

    async def _explain(self, batch: list[EngineInstanceId], message: str) -> None:
        """Find out where the instances are, and send those that may still move in smaller requests.

        If the engine cannot even say where they are, that is a fault.
        """
        still_here: list[EngineInstanceId] = []
        for instance_id, version in (await locate(self._client, batch)).items():
            if version == self._plan.source:
                still_here.append(instance_id)
            elif version == self._plan.target:
                self._answers[instance_id] = None  # by this request: the engine failed after its commit
            else:
                self._answers[instance_id] = not_on_source(version)
        if len(batch) > 1:
            self._send_in_halves(still_here)
        elif still_here:
            await self._send_alone(still_here, message)

    def _send_in_halves(self, batch: list[EngineInstanceId]) -> None:
        middle = len(batch) // 2
        self._queue += [half for half in (batch[middle:], batch[:middle]) if half]

    async def _send_alone(self, batch: list[EngineInstanceId], message: str) -> None:
        """Send one instance again, for which the engine has failed once."""
        [instance_id] = batch
        for _ in range(ATTEMPTS - 1):
            match await self._execute(batch):
                case None:
                    self._answers[instance_id] = None
                    return
                case Culprit(refusal=refusal) | PlanRefused(refusal=refusal):
                    self._answers[instance_id] = refusal
                    return
                case Unexplained(message=last):
                    message = last
        self._unexplained += 1
        if self._unexplained >= MAX_UNEXPLAINED and None not in self._answers.values():
            raise EngineFault(
                EngineFaultKind.FAILED, f"Expected the engine to move instances, but it fails: {message}"
            )
        self._answers[instance_id] = unexplained(message)
