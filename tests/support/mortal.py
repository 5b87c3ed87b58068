"""A program that dies at a chosen moment: before or after a commit, or a request to the engine."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from uplift.domain.ports import Store, Transaction
from uplift.domain.ports.process_engine import (
    EngineInstanceId,
    EngineVersionId,
    MovePlan,
    ProcessEngine,
    Refusal,
)
from uplift.testing.stores import Around


class Killed(BaseException):
    """Stands for kill -9: nothing that the program does afterwards has an effect."""


class Life:
    """Ends at the moment with this number; the moments are numbered from 0."""

    def __init__(self, end: int) -> None:
        self._remaining = end
        self.has_ended = False

    def moment(self) -> None:
        """Go on, or die."""
        if self._remaining == 0:
            self.has_ended = True
        if self.has_ended:
            raise Killed
        self._remaining -= 1


class MortalStore(Around):
    """A store as one program uses it."""

    def __init__(self, store: Store, life: Life) -> None:
        super().__init__(store)
        self._life = life

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[Transaction]:
        self._life.moment()
        async with self._store.transaction(in_background=in_background) as transaction:
            yield transaction
            self._life.moment()
        self._life.moment()


class MortalEngine:
    """An engine as one program uses it; the engine itself lives on."""

    def __init__(self, engine: ProcessEngine, life: Life) -> None:
        self._engine = engine
        self._life = life

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def locate(
        self, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, EngineVersionId | None]:
        self._life.moment()
        located = await self._engine.locate(ids)
        self._life.moment()
        return located

    async def move(
        self, plan: MovePlan, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, Refusal | None]:
        self._life.moment()
        answers = await self._engine.move(plan, ids)
        self._life.moment()
        return answers
