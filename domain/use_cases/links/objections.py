"""Asks a linked engine what its own dry run says against a plan, before anything is ordered."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from uplift.domain.compatibility import Code, Finding
from uplift.domain.errors import InvalidModel
from uplift.domain.model.decision import CountedDecision, Verdict
from uplift.domain.model.link import Link, LinkKind
from uplift.domain.ports import Store
from uplift.domain.ports.process_engine import EngineFault, ProcessEngine
from uplift.domain.rules.comparer import IN_PROCESS, Comparer
from uplift.domain.use_cases.links.move_plans import MovePlans, VersionNotInEngineError
from uplift.domain.use_cases.plan import Plan

MAX_COHORTS = 50
"""The cohorts about which an engine is asked: the largest ones."""
MAX_SECONDS = 5.0
"""The time in which the engine must have answered for all of them."""
MAX_OBJECTIONS = 20
"""The objections to one cohort that a plan lists."""

Connect = Callable[[Link], ProcessEngine]
"""Makes the adapter to the engine of a link. Raises EngineFault if the link leads to none."""


async def with_objections(
    store: Store, plan: Plan, connect: Connect, *, comparer: Comparer = IN_PROCESS
) -> Plan:
    """The plan with a warning for each objection of the engine, if the process runs in a linked one.

    Asks once for each of the largest cohorts that would be upgraded. A cohort for which the engine gives no
    answer has a warning that says so. Writes nothing, and opens no transaction.
    """
    process = await store.processes.find(plan.process)
    link = None if process is None or process.link is None else await store.links.find(process.link)
    if link is None or link.kind is LinkKind.PULL:
        return plan
    upgrading = [counted for counted in plan.decisions if counted.decision.verdict is Verdict.UPGRADE]
    largest = sorted(upgrading, key=lambda counted: -counted.count)[:MAX_COHORTS]
    findings = await _Questions(MovePlans(store, comparer), plan).ask(link, connect, largest)
    return replace(
        plan,
        decisions=tuple(_with_warnings(counted, findings.get(id(counted), ())) for counted in plan.decisions),
    )


class _Questions:
    """The questions about the cohorts of one plan, and the findings so far, by cohort."""

    def __init__(self, plans: MovePlans, plan: Plan) -> None:
        self._plans = plans
        self._plan = plan
        self._findings: dict[int, tuple[Finding, ...]] = {}

    async def ask(
        self, link: Link, connect: Connect, cohorts: Sequence[CountedDecision]
    ) -> dict[int, tuple[Finding, ...]]:
        remaining = list(reversed(cohorts))
        engine: ProcessEngine | None = None
        reason = f"there is no answer within {MAX_SECONDS:g} seconds"
        try:
            engine = connect(link)
            async with asyncio.timeout(MAX_SECONDS):
                while remaining:
                    self._findings[id(remaining[-1])] = await self._objections(engine, remaining[-1])
                    remaining.pop()
        except TimeoutError:
            pass
        except EngineFault as fault:
            reason = fault.message
        finally:
            if engine is not None:
                await engine.close()
        unasked = Finding(
            code=Code.ENGINE_NOT_ASKED,
            source=None,
            message=f"Expected to ask the engine of link '{link.name}' about this move, but: {reason}",
        )
        return self._findings | {id(counted): (unasked,) for counted in remaining}

    async def _objections(self, engine: ProcessEngine, counted: CountedDecision) -> tuple[Finding, ...]:
        cohort, plan = counted.decision.cohort, self._plan
        try:
            moves = await self._plans.of_mappings(
                plan.process, cohort.version, plan.target_version, cohort.position, plan.mappings
            )
        except (VersionNotInEngineError, InvalidModel) as error:
            return (Finding(code=Code.ENGINE_OBJECTS, source=None, message=str(error)),)
        objections = await engine.objections(moves)
        return tuple(
            Finding(
                code=Code.ENGINE_OBJECTS,
                source=objection.source,
                message=f"The engine objects to this move: {objection.message}",
            )
            for objection in objections[:MAX_OBJECTIONS]
        )


def _with_warnings(counted: CountedDecision, findings: tuple[Finding, ...]) -> CountedDecision:
    if not findings:
        return counted
    decision = counted.decision
    return replace(counted, decision=replace(decision, warnings=(*decision.warnings, *findings)))
