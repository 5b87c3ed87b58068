"""An engine in memory that holds versions, models and instances with positions, with switchable faults."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from uplift.domain.bpmn import read_model
from uplift.domain.clock import Clock, utc_now
from uplift.domain.model.instance import ElementId, Position
from uplift.domain.model.process import VersionNumber
from uplift.domain.ports.process_engine import (
    EngineCursor,
    EngineDescription,
    EngineFault,
    EngineFaultKind,
    EngineInstanceId,
    EnginePage,
    EngineTraits,
    EngineVersion,
    EngineVersionId,
    MovePlan,
    Objection,
    Refusal,
)
from uplift.testing.engine.fake_moves import FakeInstance, FakeVersion, missing_elements, moved, refusal_of
from uplift.testing.engine.faults import EngineFaults, unreachable
from uplift.testing.engine.tokens import Tokens, first_tokens, tokens_after

LIKE_CAMUNDA_7 = EngineTraits(
    checks_source=True, checks_position=True, is_atomic=True, max_size=100, concurrency=2
)
LIKE_CAMUNDA_8 = EngineTraits(
    checks_source=False, checks_position=True, is_atomic=True, max_size=1, concurrency=4
)
LIKE_FLOWABLE = EngineTraits(
    checks_source=False, checks_position=False, is_atomic=True, max_size=1, concurrency=2
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRequest:
    """A request to move instances that reached the engine."""

    plan: MovePlan
    ids: tuple[EngineInstanceId, ...]


class FakeEngine:
    """Implements ProcessEngine. It checks what Camunda 7 checks, or less by its traits.

    `moves` are the requests to move instances, in the order in which they arrived, and `most_at_once` is the
    largest number of requests of any kind that were under way together.
    """

    def __init__(
        self,
        traits: EngineTraits = LIKE_CAMUNDA_7,
        *,
        page_size: int = 1_000,
        new_id: Callable[[], str] = lambda: str(uuid4()),
        clock: Clock = utc_now,
    ) -> None:
        self.faults = EngineFaults()
        self.moves: list[MoveRequest] = []
        self.most_at_once = 0
        self.is_closed = False
        self._traits = traits
        self._page_size = page_size
        self._new_id = new_id
        self._clock = clock
        self._under_way = 0
        self._versions: dict[EngineVersionId, FakeVersion] = {}
        self._instances: dict[EngineInstanceId, FakeInstance] = {}
        self._sorted: list[EngineInstanceId] | None = None

    @property
    def traits(self) -> EngineTraits:
        return self._traits

    def deploy(self, key: str, document: bytes, *, tenant: str | None = None) -> EngineVersionId:
        """Deploy the next version of a process. Raises InvalidModel if the document cannot be read."""
        number = 1 + sum(
            (version.key, version.tenant) == (key, tenant) for version in self._versions.values()
        )
        version_id = EngineVersionId(f"{key}:{number}:{len(self._versions)}")
        self._versions[version_id] = FakeVersion(
            id=version_id,
            key=key,
            number=VersionNumber(number),
            tenant=tenant,
            deployed_at=self._clock(),
            document=document,
            model=read_model(document, process_id=key),
        )
        return version_id

    def start(
        self, version: EngineVersionId, count: int = 1, *, at: Position | None = None
    ) -> list[EngineInstanceId]:
        """Start instances, which wait at the elements `at`, or else where the model lets them wait first."""
        tokens = first_tokens(self._version(version).model) if at is None else Tokens(waiting=at)
        ids = [EngineInstanceId(self._new_id()) for _ in range(count)]
        for instance_id in ids:
            self._instances[instance_id] = FakeInstance(version, tokens)
        self._sorted = None
        return ids

    def complete(self, instance_id: EngineInstanceId, element: ElementId) -> None:
        """Complete what the instance waits for at an element; it may end."""
        instance = self._instances[instance_id]
        model = self._version(instance.version).model
        tokens = tokens_after(model, instance.tokens, element)
        if tokens.position:
            self._instances[instance_id] = FakeInstance(instance.version, tokens)
        else:
            self.cancel(instance_id)

    def cancel(self, instance_id: EngineInstanceId) -> None:
        """End an instance."""
        del self._instances[instance_id]
        self._sorted = None

    def restart(self) -> None:
        """Let an engine that died answer again."""
        self.faults.dies_after = None
        self.faults.fault = None

    def version_of(self, instance_id: EngineInstanceId) -> EngineVersionId | None:
        """The version on which an instance is, whatever the faults; None if it has ended."""
        instance = self._instances.get(instance_id)
        return None if instance is None else instance.version

    def position_of(self, instance_id: EngineInstanceId) -> Position:
        """Where an instance waits, whatever the faults."""
        return self._instances[instance_id].tokens.position

    async def describe(self) -> EngineDescription:
        async with self._request():
            return EngineDescription(
                product="Fake", version="1", clock=self._clock() + self.faults.clock_error
            )

    async def versions(self, after: EngineCursor | None = None) -> EnginePage[EngineVersion]:
        async with self._request():
            first = 0 if after is None else int(after)
            versions = [version.described() for version in self._versions.values()]
            last = first + self._page_size
            return EnginePage(
                items=tuple(versions[first:last]),
                next=EngineCursor(str(last)) if last < len(versions) else None,
            )

    async def model(self, version: EngineVersionId) -> bytes:
        async with self._request():
            return self._version(version).document

    async def instances(
        self, version: EngineVersionId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        async with self._request():
            return self._page(after, lambda instance: instance.version == version)

    async def waiting(
        self, version: EngineVersionId, element: ElementId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        async with self._request():
            return self._page(
                after,
                lambda instance: instance.version == version and element in instance.tokens.position,
            )

    async def locate(
        self, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, EngineVersionId | None]:
        async with self._request():
            return {instance_id: self.version_of(instance_id) for instance_id in ids}

    async def objections(self, plan: MovePlan) -> tuple[Objection, ...]:
        async with self._request():
            return missing_elements(plan, self._version(plan.source).model, self._version(plan.target).model)

    async def move(
        self, plan: MovePlan, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, Refusal | None]:
        if len(ids) > self._traits.max_size:
            raise ValueError(f"Expected at most {self._traits.max_size} instances, but got {len(ids)}.")
        if not ids:
            return {}
        async with self._request():
            self.moves.append(MoveRequest(plan=plan, ids=tuple(ids)))
            if self.faults.dies_after is not None:
                self._die(plan, ids, self.faults.dies_after)
            answers = self._carry_out(plan, ids)
            if self.faults.delivers_twice:
                answers = self._carry_out(plan, ids)
            if self.faults.loses_answers:
                raise unreachable()
            return answers

    async def close(self) -> None:
        self.is_closed = True

    @asynccontextmanager
    async def _request(self) -> AsyncIterator[None]:
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            if self.faults.delay:
                await asyncio.sleep(self.faults.delay)
            if self.faults.gate is not None:
                await self.faults.gate.wait()
            upcoming = self.faults.upcoming.popleft() if self.faults.upcoming else None
            if fault := upcoming or self.faults.fault:
                raise fault
            yield
        finally:
            self._under_way -= 1

    def _die(self, plan: MovePlan, ids: Sequence[EngineInstanceId], after: int) -> None:
        self.faults.dies_after = None
        self.faults.fault = unreachable()
        if after >= len(ids) or not self._traits.is_atomic:
            self._carry_out(plan, ids[:after])
        raise unreachable()

    def _carry_out(
        self, plan: MovePlan, ids: Iterable[EngineInstanceId]
    ) -> dict[EngineInstanceId, Refusal | None]:
        target = self._version(plan.target).model
        answers: dict[EngineInstanceId, Refusal | None] = {}
        for instance_id in ids:
            instance = self._instances.get(instance_id)
            refusal = refusal_of(
                instance,
                plan,
                target,
                traits=self._traits,
                message=self.faults.refused.get(instance_id),
            )
            answers[instance_id] = refusal
            if refusal is None and instance is not None:
                self._instances[instance_id] = moved(instance, plan)
        return answers

    def _version(self, version: EngineVersionId) -> FakeVersion:
        try:
            return self._versions[version]
        except KeyError:
            raise EngineFault(
                EngineFaultKind.FAILED, f"Expected a version of the engine, but '{version}' is none."
            ) from None

    def _page(
        self, after: EngineCursor | None, holds: Callable[[FakeInstance], bool]
    ) -> EnginePage[EngineInstanceId]:
        """The next instances in the order of their ids for which the condition holds."""
        if self._sorted is None:
            self._sorted = sorted(self._instances)
        items: list[EngineInstanceId] = []
        start = 0 if after is None else bisect_right(self._sorted, after)
        for index in range(start, len(self._sorted)):
            instance_id = self._sorted[index]
            if holds(self._instances[instance_id]):
                if len(items) == self._page_size:
                    return EnginePage(items=tuple(items), next=EngineCursor(items[-1]))
                items.append(instance_id)
        return EnginePage(items=tuple(items))


class FakeHarness:
    """Implements EngineHarness on a `FakeEngine`."""

    has_dry_run = True
    lists_joins = True

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    async def deploy(self, key: str, document: bytes) -> EngineVersionId:
        return self.engine.deploy(key, document)

    async def start(self, version: EngineVersionId, count: int = 1) -> Sequence[EngineInstanceId]:
        return self.engine.start(version, count)

    async def complete(self, instance: EngineInstanceId, element: ElementId) -> None:
        self.engine.complete(instance, element)

    async def suspend(self, instance: EngineInstanceId) -> None:
        """A suspended instance is listed and moved like any other, so nothing changes."""

    async def cancel(self, instance: EngineInstanceId) -> None:
        self.engine.cancel(instance)
