"""An engine of one's own fetches its orders by number, and settles each once."""

import asyncio

import pytest

from uplift.domain import (
    Caller,
    Forbidden,
    InvalidInput,
    ReasonCode,
    Role,
    SkipReason,
    Upgrade,
    UpgradeState,
)
from uplift.domain.errors import LinkNotFound
from uplift.domain.model.link import LinkKind
from uplift.domain.model.order import OrderNumber, OrderState, Settlement
from uplift.domain.model.paging import PageRequest
from uplift.domain.use_cases.links.engine_side import MAX_SETTLED, list_orders, settle
from uplift.domain.use_cases.links.holding import claim_link
from uplift.domain.use_cases.links.link_request import LinkRequest
from uplift.domain.use_cases.links.managing import add_link
from uplift.domain.use_cases.links.pulling import PullSender
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, a_worker, instances
from uplift.testing.linked_work import found, versions_in
from uplift.testing.upgrade_work import SMALL, request, work

pytestmark = pytest.mark.anyio

ENGINE = Caller(name="engine", role=Role.ENGINE)
PAGE = PageRequest(first=1_000)


async def ordered(store: InMemoryStore, count: int = 5) -> Upgrade:
    """An upgrade of instances in an engine that pulls, whose orders are sent."""
    await a_process(store, holding=instances(range(count)))
    await add_link(
        store,
        LinkRequest(name="own", kind=LinkKind.PULL, namespace="crm", processes=(ORDERS,)),
        caller=ADMIN,
    )
    upgrade = await request(store)
    await work(store, upgrade.id, SMALL)
    held = await claim_link(store, a_worker())
    assert held is not None
    sender = PullSender(held, asyncio.Event())
    while await sender.run_once():
        pass
    return upgrade


def done(*numbers: int) -> list[Settlement]:
    return [Settlement(number=OrderNumber(number)) for number in numbers]


def refused(number: int, code: ReasonCode = ReasonCode.ENGINE_REFUSED, message: str = "No.") -> Settlement:
    return Settlement(number=OrderNumber(number), refusal=SkipReason(code=code, message=message))


async def settled(store: InMemoryStore, settlements: list[Settlement]) -> int:
    """The number of orders that an answer settles."""
    return sum(upgrade.count for upgrade in await settle(store, "own", settlements, caller=ENGINE))


async def test_orders_are_settled_once_and_the_upgrade_completes() -> None:
    store = InMemoryStore()
    upgrade = await ordered(store)
    page = await list_orders(store, "own", PAGE)
    assert [order.number for order in page.items] == [1, 2, 3, 4, 5]
    assert await settled(store, done(1, 2)) == 2
    assert await settled(store, [*done(2, 3), refused(1)]) == 1
    assert (await found(store, upgrade.id)).state is UpgradeState.RUNNING
    assert await settled(store, [refused(4, ReasonCode.MOVED_ON), *done(5)]) == 2
    ended = await found(store, upgrade.id)
    assert (ended.state, ended.upgraded, ended.refused) == (UpgradeState.COMPLETED, 4, 1)
    ids = [order.instance for order in page.items]
    assert await versions_in(store, ids) == [2, 2, 2, 1, 2]
    states = [order.state for order in (await list_orders(store, "own", PAGE)).items]
    assert states == [*[OrderState.CONFIRMED] * 3, OrderState.REFUSED, OrderState.CONFIRMED]


async def test_unknown_numbers_are_ignored() -> None:
    store = InMemoryStore()
    await ordered(store)
    assert await settled(store, done(99, 0, -1)) == 0


@pytest.mark.parametrize(
    ("settlements", "field"),
    [
        ([*done(1), *done(1)], ("results", "1", "number")),
        ([refused(1, ReasonCode.ALREADY_LATEST)], ("results", "0", "code")),
        ([refused(1, message="")], ("results", "0", "message")),
        ([refused(1, message="x" * 1_001)], ("results", "0", "message")),
        ([refused(1, message="a\0b")], ("results", "0", "message")),
        (done(*range(MAX_SETTLED + 1)), ("results",)),
    ],
)
async def test_a_bad_answer_settles_nothing(settlements: list[Settlement], field: tuple[str, ...]) -> None:
    store = InMemoryStore()
    await ordered(store)
    with pytest.raises(InvalidInput) as caught:
        await settle(store, "own", settlements, caller=ENGINE)
    assert caught.value.field == field
    assert {order.state for order in (await list_orders(store, "own", PAGE)).items} == {OrderState.SENT}


async def test_who_may_settle() -> None:
    store = InMemoryStore()
    await ordered(store)
    with pytest.raises(Forbidden, match="the key of an engine"):
        await settle(store, "own", done(1), caller=Caller(name="page", role=Role.READER))
    with pytest.raises(LinkNotFound):
        await settle(store, "none", done(1), caller=ENGINE)
    await add_link(
        store,
        LinkRequest(name="c7", kind=LinkKind.CAMUNDA7, namespace="crm", url="http://engine.example/"),
        caller=ADMIN,
    )
    with pytest.raises(InvalidInput, match="Uplift calls the engine of 'c7'"):
        await settle(store, "c7", done(1), caller=ENGINE)


async def test_the_rate_is_measured_from_the_start_of_the_upgrade() -> None:
    store = InMemoryStore()
    upgrade = await ordered(store)
    await settle(store, "own", done(1, 2), caller=ENGINE)
    assert (await found(store, upgrade.id)).rate is not None
