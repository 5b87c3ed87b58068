"""How does a request to upgrade instances become a stored upgrade?

A selection that is small enough is upgraded at once, all in one transaction with the request itself. A
larger one is queued for a worker.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

from uplift.domain.errors import InvalidInput, NoPublishedVersion, WrongState
from uplift.domain.model.access import Caller, require_system_admin
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.idempotency import KEPT_FOR, IdempotencyKey, idempotency_key, must_be_the_same
from uplift.domain.model.mapping import VersionMapping, check_mappings
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import (
    AllActive,
    ByIds,
    Retry,
    Selection,
    Undo,
    UpgradeId,
    WorkedSelection,
    kind_of,
)
from uplift.domain.model.upgrade import MAX_REASON_LENGTH, Partition, Upgrade, UpgradeState
from uplift.domain.ports import Store, Transaction
from uplift.domain.use_cases.plan import Fingerprint, must_have_done, must_still_plan
from uplift.domain.use_cases.run import DoneChunk, Worker, migration_paths_of, resolve_chunk
from uplift.domain.use_cases.versions import get_process
from uplift.domain.use_cases.watch import get_upgrade

RETRIED = frozenset({ReasonCode.NOT_PENDING, ReasonCode.ALREADY_LATEST, ReasonCode.INCOMPATIBLE})
"""The reasons a retry can take up; an id that was not found has no instance to try again."""

WORTH_FOLLOWING = (UpgradeState.COMPLETED, UpgradeState.CANCELLED, UpgradeState.FAILED)
"""The states in which an upgrade can be retried or undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """All that a request asks for; `earlier` is the upgrade that a retry or an undo is about."""

    process: ProcessKey
    selection: WorkedSelection
    earlier: Upgrade | None = None
    mappings: tuple[VersionMapping, ...]
    fingerprint: str | None
    reason: str | None


async def request_upgrade(
    store: Store,
    *,
    process: ProcessKey,
    selection: Selection,
    caller: Caller,
    worker: Worker,
    mappings: Sequence[VersionMapping] = (),
    fingerprint: str | None = None,
    reason: str | None = None,
    key: str | None = None,
) -> Upgrade:
    """Store the request to upgrade the selected instances to the latest published version.

    Returns it finished when the selection is no larger than the pace allows, else QUEUED. `mappings`
    override the generated mapping; given the `fingerprint` of a plan, an upgrade that would do something
    else is refused; the same idempotency `key` gives the first upgrade again. Raises Forbidden,
    ProcessNotFound, NoPublishedVersion, InvalidInput, InvalidMapping, PlanChanged or IdempotencyConflict,
    with nothing written.
    """
    require_system_admin(caller)
    wish = _Wish(
        process=process,
        selection=selection,
        mappings=tuple(mappings),
        fingerprint=fingerprint,
        reason=reason,
    )
    expected = len(selection.ids) if isinstance(selection, ByIds) else None
    return await _request(store, wish, caller, worker, key, expected=expected)


async def request_retry(
    store: Store,
    *,
    of: UpgradeId,
    reasons: frozenset[ReasonCode],
    caller: Caller,
    worker: Worker,
    mappings: Sequence[VersionMapping] = (),
    reason: str | None = None,
    key: str | None = None,
) -> Upgrade:
    """Store the request to upgrade just those instances that an upgrade skipped for one of these reasons.

    As `request_upgrade`; raises besides UpgradeNotFound, WrongState, and InvalidInput for reasons that cannot
    be tried again.
    """
    require_system_admin(caller)
    earlier = await get_upgrade(store, of)
    if not reasons or not reasons <= RETRIED:
        raise InvalidInput(
            f"Expected reasons to be some of {', '.join(sorted(RETRIED))}, "
            f"but got {', '.join(sorted(reasons)) or 'none'}.",
            field=("reasons",),
        )
    skips = (await store.decisions([of]))[of]
    wish = _Wish(
        process=earlier.process,
        selection=Retry(of=of, reasons=reasons),
        earlier=earlier,
        mappings=tuple(mappings),
        fingerprint=None,
        reason=reason,
    )
    expected = sum(
        counted.count for counted in skips if any(skip.code in reasons for skip in counted.decision.reasons)
    )
    return await _request(store, wish, caller, worker, key, expected=expected)


async def request_undo(
    store: Store,
    *,
    of: UpgradeId,
    caller: Caller,
    worker: Worker,
    reason: str | None = None,
    key: str | None = None,
) -> Upgrade:
    """Store the request to take back every instance that still is where an upgrade put it.

    Each goes back to the version and position it came from; those that have moved on are skipped. Returns and
    raises as `request_upgrade`; besides UpgradeNotFound and WrongState.
    """
    require_system_admin(caller)
    earlier = await get_upgrade(store, of)
    wish = _Wish(
        process=earlier.process,
        selection=Undo(of=of),
        earlier=earlier,
        mappings=(),
        fingerprint=None,
        reason=reason,
    )
    return await _request(store, wish, caller, worker, key, expected=earlier.upgraded)


def _must_be_worth_following(earlier: Upgrade, what: str) -> None:
    if earlier.state not in WORTH_FOLLOWING:
        raise WrongState(upgrade=earlier.id, attempt=what, state=earlier.state, allowed=WORTH_FOLLOWING)
    if earlier.target_version is None:
        raise InvalidInput(f"Expected to {what} an upgrade, but {earlier.id} is an undo.", field=("id",))
    _must_have_its_outcomes(earlier, what)


def _must_have_its_outcomes(earlier: Upgrade, what: str) -> None:
    if earlier.pruned_at is not None:
        raise InvalidInput(
            f"Expected to {what} upgrade {earlier.id}, but its outcomes were pruned.", field=("id",)
        )


async def _request(
    store: Store, wish: _Wish, caller: Caller, worker: Worker, key: str | None, *, expected: int | None
) -> Upgrade:
    _check_reason(wish.reason)
    check_mappings(wish.mappings)
    checked_key = None if key is None else idempotency_key(key, caller=caller, asked=_told(wish))
    if checked_key and (first := await _first_of(store, checked_key, worker)):
        return first
    if wish.earlier is not None:
        _must_be_worth_following(wish.earlier, "undo" if isinstance(wish.selection, Undo) else "retry")
    planned = await _planned(store, wish)
    if expected is None:
        expected = await store.count_active(wish.process)
    async with store.transaction() as transaction:
        began = time.perf_counter()
        if checked_key and (first := await _first_of(transaction, checked_key, worker)):
            return first
        upgrade, partition = await _open(transaction, wish, caller, worker, expected)
        if checked_key:
            await transaction.remember_request(checked_key, upgrade.id, worker.clock())
        if upgrade.expected > worker.chunk_policy.inline_limit:
            await transaction.add_partition(partition)
            return upgrade
        done = await _begin(transaction, upgrade, partition, worker)
        if planned is not None:
            must_have_done(planned, done.upgrade)
    worker.on_chunk(done, timedelta(seconds=time.perf_counter() - began))
    return done.upgrade


async def _begin(
    transaction: Transaction, upgrade: Upgrade, partition: Partition, worker: Worker
) -> DoneChunk:
    """Work off an upgrade that was just added: all of it, unless instances have come along meanwhile."""
    began = time.perf_counter()
    # A store may count active instances that are left out, and must see that nothing follows.
    size = worker.chunk_policy.inline_limit + upgrade.excluded + 1
    chunk = await transaction.record_chunk(upgrade, partition, size, ())
    done = await resolve_chunk(transaction, upgrade, partition, chunk, {})
    worked = replace(done.upgrade, started_at=upgrade.requested_at)
    worked = worked.worked_for(timedelta(seconds=time.perf_counter() - began))
    if chunk.is_last:
        worked = worked.finished(UpgradeState.COMPLETED, worker.clock())
    else:
        await transaction.add_partition(replace(partition, cursor=chunk.cursor))
    await transaction.save_upgrade(worked)
    return replace(done, upgrade=worked)


def _told(wish: _Wish) -> tuple[object, ...]:
    """All that makes up a request. A set may have another text in another program: its members are sorted."""
    selection: object = wish.selection
    if isinstance(wish.selection, Retry):
        selection = (wish.selection.of, sorted(wish.selection.reasons))
    return wish.process, selection, wish.mappings, wish.fingerprint, wish.reason


async def _planned(store: Store, wish: _Wish) -> Fingerprint | None:
    if wish.fingerprint is None:
        return None
    assert isinstance(wish.selection, (ByIds, AllActive)), "only plain upgrades have a plan"
    return await must_still_plan(
        store,
        wish.fingerprint,
        process=wish.process,
        selection=wish.selection,
        mappings=wish.mappings,
    )


async def _first_of(where: Store | Transaction, key: IdempotencyKey, worker: Worker) -> Upgrade | None:
    known = await where.known_request(key, since=worker.clock() - KEPT_FOR)
    if known is None:
        return None
    must_be_the_same(key, known)
    return await where.upgrade(known.upgrade)


async def _open(
    transaction: Transaction, wish: _Wish, caller: Caller, worker: Worker, expected: int
) -> tuple[Upgrade, Partition]:
    process = await get_process(transaction, wish.process)
    is_undo = isinstance(wish.selection, Undo)
    if process.latest_published is None and not is_undo:
        raise NoPublishedVersion(namespace=wish.process.namespace, process_code=wish.process.code)
    upgrade = Upgrade(
        id=UpgradeId(uuid4()),
        process=wish.process,
        selection=kind_of(wish.selection),
        target_version=None if is_undo else process.latest_published,
        state=UpgradeState.QUEUED,
        requested_by=caller.name,
        reason=wish.reason,
        requested_at=worker.clock(),
        expected=expected,
        mappings=wish.mappings,
        of=wish.selection.of if isinstance(wish.selection, (Retry, Undo)) else None,
        retried=wish.selection.reasons if isinstance(wish.selection, Retry) else frozenset(),
    )
    if not is_undo:
        await migration_paths_of(upgrade, transaction).check_mappings()
    if upgrade.of is not None:
        # They may have been pruned since the first look.
        earlier = await get_upgrade(transaction, upgrade.of)
        _must_have_its_outcomes(earlier, "undo" if is_undo else "retry")
    return await transaction.add_upgrade(upgrade, wish.selection)


def _check_reason(reason: str | None) -> None:
    if reason is None:
        return
    if len(reason) > MAX_REASON_LENGTH:
        raise InvalidInput(
            f"Expected reason to be at most {MAX_REASON_LENGTH:,} characters, but got {len(reason):,}.",
            field=("reason",),
        )
    if any("\ud800" <= sign <= "\udfff" or sign == "\0" for sign in reason):
        raise InvalidInput(
            "Expected reason to be text, but it holds a NUL or half of a surrogate pair.", field=("reason",)
        )
