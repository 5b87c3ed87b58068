"""Asks an engine to move the instances of a batch of orders, and reads its answer."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from uplift.domain.model.decision import ReasonCode, SkipReason
from uplift.domain.model.order import Order, Settlement
from uplift.domain.ports.process_engine import (
    EngineFault,
    EngineFaultKind,
    EngineInstanceId,
    EngineVersionId,
    MovePlan,
    ProcessEngine,
)

Located = Mapping[EngineInstanceId, EngineVersionId | None]

GONE = SkipReason(
    code=ReasonCode.INSTANCE_NOT_FOUND, message="Expected the instance in its engine, but it has ended there."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The settlements of the orders that the engine answered, and the fault that hides the other answers."""

    settlements: tuple[Settlement, ...]
    fault: EngineFault | None = None


async def move(engine: ProcessEngine, plan: MovePlan, orders: Sequence[Order]) -> Answers:
    """Send orders to the engine. They must be stored as SENT before.

    An engine that does not check the source is asked before where the instances are. Whatever it refuses to
    move is looked up: a request may reach an engine twice, and then the second one is refused although the
    instance has moved.
    """
    settlements: list[Settlement] = []
    try:
        if not engine.traits.checks_source:
            located = await _locate_before(engine, plan, orders)
            settlements += elsewhere(located, plan, orders)
            orders = [order for order in orders if located.get(order.engine_id) == plan.source]
        answers = await engine.move(plan, [order.engine_id for order in orders]) if orders else {}
        settlements += [
            Settlement(number=order.number)
            for order in orders
            if order.engine_id in answers and answers[order.engine_id] is None
        ]
        refused = [order for order in orders if answers.get(order.engine_id) is not None]
        located = await locate(engine, refused)
        for order in refused:
            refusal = answers[order.engine_id]
            assert refusal is not None
            reason = SkipReason(code=refusal.code, message=refusal.message)
            is_moved = located.get(order.engine_id) == plan.target
            settlements.append(Settlement(number=order.number, refusal=None if is_moved else reason))
    except EngineFault as fault:
        return Answers(settlements=tuple(settlements), fault=fault)
    return Answers(settlements=tuple(settlements), fault=_incomplete(len(orders), len(answers)))


def _incomplete(requested: int, answered: int) -> EngineFault | None:
    if answered >= requested:
        return None
    return EngineFault(
        EngineFaultKind.FAILED,
        f"Expected the engine to answer for {requested} instances, but it answered for {answered}.",
    )


async def _locate_before(engine: ProcessEngine, plan: MovePlan, orders: Sequence[Order]) -> Located:
    """Ask the engine on which versions instances are that shall be sent.

    Nothing is under way for them, so an answer counts at once that has them on the source version. Another
    one may be older than a move of just now, and is asked for again.
    """
    located = await engine.locate([order.engine_id for order in orders])
    others = [order for order in orders if located.get(order.engine_id) != plan.source]
    if not others or not engine.traits.settles_after:
        return located
    return {**located, **await locate(engine, others)}


async def locate(engine: ProcessEngine, orders: Sequence[Order]) -> Located:
    """Ask the engine on which versions instances are, once its answer holds for what was sent before."""
    if not orders:
        return {}
    await asyncio.sleep(engine.traits.settles_after.total_seconds())
    return await engine.locate([order.engine_id for order in orders])


def elsewhere(located: Located, plan: MovePlan, orders: Sequence[Order]) -> list[Settlement]:
    """The settlements of the orders whose instances are not on the source version of the plan."""
    settlements = []
    for order in orders:
        version = located.get(order.engine_id)
        if version is None:
            settlements.append(Settlement(number=order.number, refusal=GONE))
        elif version == plan.target:
            settlements.append(Settlement(number=order.number))
        elif version != plan.source:
            settlements.append(Settlement(number=order.number, refusal=_moved_on(version, plan)))
    return settlements


def _moved_on(version: EngineVersionId, plan: MovePlan) -> SkipReason:
    return SkipReason(
        code=ReasonCode.MOVED_ON,
        message=f"Expected the instance to still be on '{plan.source}' of the engine, "
        f"but it is on '{version}'.",
    )
