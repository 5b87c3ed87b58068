"""Sends, settles and drops the orders of linked upgrades, with the counts of the upgrades.

A caller locks the link first, and passes it with its transaction. None of these calls the engine: send in one
transaction, ask the engine when it has committed, and settle in another.
"""

from collections.abc import Sequence
from datetime import timedelta

from uplift.domain.clock import Clock, utc_now
from uplift.domain.model.order import NOT_SENT, OrderBatch, OrderNumber, SettledOrders, Settlement
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import SENDING, Tally, Upgrade, UpgradeState
from uplift.domain.ports import LockedLink, LockedUpgrade, Transaction

NO_TIME = timedelta()


async def send_orders(
    transaction: Transaction, link: LockedLink, limit: int, *, clock: Clock = utc_now
) -> OrderBatch | None:
    """Mark the next orders of one cohort as SENT, up to `limit`, of the oldest upgrade that may send.

    None if no upgrade has an order to send. Only QUEUED and RUNNING upgrades send: their state is read under
    their lock, so nothing is marked after a pause or a cancellation has been answered. Commit before you pass
    the orders to the engine.
    """
    while (upgrade_id := await link.orders.next_to_send()) is not None:
        locked = await _lock(transaction, upgrade_id)
        # It may have been paused or cancelled while this transaction waited for the lock. Then the next look
        # finds another upgrade.
        if locked.upgrade.state not in SENDING:
            continue
        batch = await link.orders.send(upgrade_id, limit, clock())
        assert batch is not None, "only a transaction with the lock of the link sends its orders"
        await locked.save(locked.upgrade.with_sent(len(batch.orders)))
        return batch
    return None


async def settle_orders(
    transaction: Transaction,
    link: LockedLink,
    settlements: Sequence[Settlement],
    *,
    worked: timedelta = NO_TIME,
    clock: Clock = utc_now,
) -> Sequence[SettledOrders]:
    """Store the engine's answers, move the confirmed instances, and complete upgrades without orders left.

    Answers to orders that are settled already, or are not sent, are ignored: settle as often as you like.
    Answers count in every state of the upgrade. `worked` is the time that the orders took, by which the rate
    of the upgrade is measured. Returns what was settled now, by upgrade.
    """
    settled = await link.orders.settle(settlements)
    count = sum(of_upgrade.count for of_upgrade in settled)
    for of_upgrade in settled:
        locked = await _lock(transaction, of_upgrade.upgrade)
        answered = locked.upgrade.with_answers(
            confirmed=of_upgrade.confirmed, refusals=of_upgrade.refusals
        ).with_tally(Tally(worked=worked * of_upgrade.count / count))
        await locked.save(await completed(locked, answered, clock))
    return settled


async def put_back_orders(transaction: Transaction, link: LockedLink, numbers: Sequence[OrderNumber]) -> int:
    """Make SENT orders ORDERED again, because the engine has certainly not carried them out; return how many.

    They are sent again with the same number when their upgrade may send, and dropped if it has ended.
    """
    put_back = await link.orders.put_back(numbers)
    for upgrade_id, count in put_back:
        locked = await _lock(transaction, upgrade_id)
        await locked.save(locked.upgrade.with_sent(-count))
    return sum(count for _, count in put_back)


async def drop_orders(transaction: Transaction, link: LockedLink, limit: int) -> int:
    """Refuse up to `limit` ORDERED orders of the oldest ended upgrade that has some; return how many.

    0 means that no ended upgrade has one. Orders that were sent wait for their answers.
    """
    upgrade_id = await link.orders.next_to_drop()
    if upgrade_id is None:
        return 0
    locked = await _lock(transaction, upgrade_id)
    dropped = await link.orders.drop(upgrade_id, limit, NOT_SENT)
    await locked.save(locked.upgrade.with_dropped({NOT_SENT.code: dropped}))
    return dropped


async def completed(locked: LockedUpgrade, upgrade: Upgrade, clock: Clock) -> Upgrade:
    """The changed upgrade, COMPLETED if nothing of it remains to be recorded, sent or answered.

    A PAUSED upgrade stays so until it is resumed.
    """
    if upgrade.state not in SENDING or upgrade.unsettled or await locked.remaining():
        return upgrade
    return upgrade.finished(UpgradeState.COMPLETED, clock())


async def _lock(transaction: Transaction, upgrade_id: UpgradeId) -> LockedUpgrade:
    locked = await transaction.upgrades.lock(upgrade_id)
    assert locked is not None, "upgrades are never deleted"
    return locked
