"""What an engine of one's own asks for: its orders, and to settle them."""

from collections.abc import Sequence
from datetime import timedelta

from uplift.domain.clock import Clock, utc_now
from uplift.domain.errors import InvalidInput
from uplift.domain.model.access import Caller, require_engine
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.link import Link, LinkKind
from uplift.domain.model.order import Order, SettledOrders, Settlement
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.upgrade import Tally
from uplift.domain.ports import Store
from uplift.domain.use_cases.links.managing import find_link
from uplift.domain.use_cases.orders import settle_orders

MAX_SETTLED = 10_000
"""The most orders that one request settles."""
MAX_MESSAGE_LENGTH = 1_000
"""The longest message of a refusal, in characters."""
REFUSALS = frozenset({ReasonCode.ENGINE_REFUSED, ReasonCode.MOVED_ON, ReasonCode.INSTANCE_NOT_FOUND})
"""The codes with which an engine may refuse an order."""


async def list_orders(store: Store, name: str, page: PageRequest) -> Page[Order]:
    """Return a page of the orders of a link by number, in whatever state. Raises LinkNotFound.

    An engine asks for those after the last one that it has settled. What it has carried out before and finds
    again, it settles again.
    """
    link = await find_link(store, name)
    return await store.orders.page(link.id, page)


async def settle(
    store: Store, name: str, settlements: Sequence[Settlement], *, caller: Caller, clock: Clock = utc_now
) -> Sequence[SettledOrders]:
    """Settle orders of a link, each once; returns those that were not settled before, by upgrade.

    Orders that are settled already keep their first answer, so a request can be repeated. Raises Forbidden,
    LinkNotFound, and InvalidInput, with nothing written.
    """
    require_engine(caller)
    link = await find_link(store, name)
    _require_pull(link)
    _require_valid(settlements)
    async with store.transaction() as transaction:
        locked = await transaction.links.lock(link.id)
        if locked is None:  # it was removed since it was found
            return ()
        settled = await settle_orders(transaction, locked, settlements, clock=clock)
        for of_upgrade in settled:
            # Only the engine knows how long it works, so the time since the start counts as work.
            upgrade = await transaction.upgrades.lock(of_upgrade.upgrade)
            assert upgrade is not None, "upgrades are never deleted"
            began = upgrade.upgrade.started_at or upgrade.upgrade.requested_at
            worked = max(timedelta(), clock() - began - upgrade.upgrade.worked)
            await upgrade.save(upgrade.upgrade.with_tally(Tally(worked=worked)))
    return settled


def _require_pull(link: Link) -> None:
    if link.kind is not LinkKind.PULL:
        raise InvalidInput(
            f"Expected a link whose engine settles its orders itself, but Uplift calls the engine of "
            f"'{link.name}'.",
            field=("link",),
        )


def _require_valid(settlements: Sequence[Settlement]) -> None:
    if len(settlements) > MAX_SETTLED:
        raise InvalidInput(
            f"Expected at most {MAX_SETTLED:,} results, but got {len(settlements):,}.", field=("results",)
        )
    seen = set()
    for index, settlement in enumerate(settlements):
        where = ("results", str(index))
        if settlement.number in seen:
            raise InvalidInput(
                f"Expected each order once, but {settlement.number} comes twice.", field=(*where, "number")
            )
        seen.add(settlement.number)
        refusal = settlement.refusal
        if refusal is None:
            continue
        if refusal.code not in REFUSALS:
            raise InvalidInput(
                f"Expected one of {', '.join(sorted(REFUSALS))}, but got {refusal.code}.",
                field=(*where, "code"),
            )
        if not 0 < len(refusal.message) <= MAX_MESSAGE_LENGTH or not refusal.message.isprintable():
            raise InvalidInput(
                f"Expected a message of 1 to {MAX_MESSAGE_LENGTH:,} printable characters, "
                f"but got {refusal.message[:100]!r}.",
                field=(*where, "message"),
            )
