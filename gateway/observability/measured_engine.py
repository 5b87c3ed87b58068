"""Counts and times the requests to the engine of a link."""

import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import (
    EngineCursor,
    EngineDescription,
    EngineFault,
    EngineInstanceId,
    EnginePage,
    EngineTraits,
    EngineVersion,
    EngineVersionId,
    MovePlan,
    Objection,
    ProcessEngine,
    Refusal,
)
from uplift.gateway.observability.metrics import Metrics

Answer = TypeVar("Answer")


class MeasuredEngine:
    """Implements ProcessEngine by another one."""

    def __init__(self, engine: ProcessEngine, link: str, metrics: Metrics) -> None:
        self._engine = engine
        self._link = link
        self._metrics = metrics

    @property
    def traits(self) -> EngineTraits:
        return self._engine.traits

    async def describe(self) -> EngineDescription:
        return await self._measured("describe", self._engine.describe())

    async def versions(self, after: EngineCursor | None = None) -> EnginePage[EngineVersion]:
        return await self._measured("versions", self._engine.versions(after))

    async def model(self, version: EngineVersionId) -> bytes:
        return await self._measured("model", self._engine.model(version))

    async def instances(
        self, version: EngineVersionId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        return await self._measured("instances", self._engine.instances(version, after))

    async def waiting(
        self, version: EngineVersionId, element: ElementId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        return await self._measured("waiting", self._engine.waiting(version, element, after))

    async def locate(
        self, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, EngineVersionId | None]:
        return await self._measured("locate", self._engine.locate(ids))

    async def objections(self, plan: MovePlan) -> tuple[Objection, ...]:
        return await self._measured("objections", self._engine.objections(plan))

    async def move(
        self, plan: MovePlan, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, Refusal | None]:
        answers = await self._measured("move", self._engine.move(plan, ids))
        for refusal in answers.values():
            self._metrics.engine_moved(self._link, None if refusal is None else refusal.code)
        return answers

    async def close(self) -> None:
        await self._engine.close()

    async def _measured(self, question: str, answer: Awaitable[Answer]) -> Answer:
        began = time.perf_counter()
        try:
            found = await answer
        except EngineFault as fault:
            self._metrics.engine_answered(self._link, question, time.perf_counter() - began, fault.kind)
            raise
        self._metrics.engine_answered(self._link, question, time.perf_counter() - began)
        return found
