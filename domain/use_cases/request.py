"""Stores requests to upgrade, retry and undo, and carries out the small ones.

An upgrade that is small enough is carried out in the transaction that stores it. A larger one is queued for a
worker.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from uplift.domain.errors import InvalidInput, NoPublishedVersion
from uplift.domain.model.access import Caller, require_system_admin
from uplift.domain.model.chunk import ChunkResult
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.idempotency import KEPT_FOR, IdempotencyKey, idempotency_key, require_same_request
from uplift.domain.model.mapping import require_valid_mappings
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.request import Request, RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.selection import SelectionKind, UpgradeId, UpgradeSelection
from uplift.domain.model.upgrade import MAX_REASON_LENGTH, Upgrade, UpgradeState
from uplift.domain.ports import LockedPartition, LockedUpgrade, Store, Transaction
from uplift.domain.rules.actions import UpgradeAction, require_allowed
from uplift.domain.rules.migration_path import KnownPaths, NotComparedYetError
from uplift.domain.use_cases.conditions import require_known_conditions
from uplift.domain.use_cases.plan import Fingerprint, require_planned_result, require_same_plan
from uplift.domain.use_cases.run import migration_paths_of, resolve_chunk, upgrading
from uplift.domain.use_cases.versions import get_process
from uplift.domain.use_cases.watch import get_upgrade
from uplift.domain.use_cases.worker import Worker

RETRIABLE_REASONS = frozenset(ReasonCode) - {ReasonCode.INSTANCE_NOT_FOUND}
"""The reasons that a retry can name; an id that was not found has no instance to try again."""


async def request_upgrade(
    store: Store, request: UpgradeRequest, *, caller: Caller, worker: Worker
) -> Upgrade:
    """Store the request to upgrade the selected instances to the latest published version.

    Returns the upgrade finished when the selection is no larger than the worker's inline limit, else QUEUED.
    Raises Forbidden, ProcessNotFound, NoPublishedVersion, InvalidInput, InvalidMapping, PlanChanged or
    IdempotencyConflict, with nothing written.
    """
    require_system_admin(caller)
    key = _checked_key(request, caller)
    if (first := await _first_upgrade(store, key, worker)) is not None:
        return first
    planned = await require_same_plan(store, request, comparer=worker.comparer)
    await require_known_conditions(store, request, comparer=worker.comparer)
    new = _new_upgrade(request, request.process, await _expected(store, request), caller, worker)
    # The one chunk of a small upgrade reads all active instances to find those that meet conditions, so they
    # must be few as well.
    is_filtered = request.selection.kind is SelectionKind.MATCHING
    read = await store.instances.count_active(request.process) if is_filtered else 0
    return await _submit(store, new, request.selection, key, worker, planned, read=read)


async def request_retry(store: Store, request: RetryRequest, *, caller: Caller, worker: Worker) -> Upgrade:
    """Store the request to upgrade the instances that an earlier upgrade skipped for one of the reasons.

    Returns and raises what `request_upgrade` does. Besides, it raises UpgradeNotFound, WrongState, and
    InvalidInput for reasons that a retry cannot name.
    """
    require_system_admin(caller)
    earlier = await get_upgrade(store, request.upgrade_id)
    _require_retriable(request.reasons)
    key = _checked_key(request, caller)
    if (first := await _first_upgrade(store, key, worker)) is not None:
        return first
    require_allowed(earlier, UpgradeAction.RETRY)
    skips = (await store.upgrades.skip_decisions([earlier.id]))[earlier.id]
    expected = sum(
        counted.count
        for counted in skips
        if any(skip.code in request.reasons for skip in counted.decision.reasons)
    ) + sum(count for code, count in earlier.refusals.items() if code in request.reasons)
    new = _new_upgrade(request, earlier.process, expected, caller, worker)
    # A chunk reads the outcomes of the earlier upgrade, whether or not it selects them.
    return await _submit(store, new, request.selection, key, worker, read=earlier.total)


async def request_undo(store: Store, request: UndoRequest, *, caller: Caller, worker: Worker) -> Upgrade:
    """Store the request to move the instances of an earlier upgrade back.

    Each instance returns to the version and position from which the upgrade moved it. Instances that have
    moved on since then are skipped. Returns and raises what `request_upgrade` does. Besides, it
    raises UpgradeNotFound and WrongState.
    """
    require_system_admin(caller)
    earlier = await get_upgrade(store, request.upgrade_id)
    key = _checked_key(request, caller)
    if (first := await _first_upgrade(store, key, worker)) is not None:
        return first
    require_allowed(earlier, UpgradeAction.UNDO)
    new = _new_upgrade(request, earlier.process, earlier.upgraded, caller, worker)
    return await _submit(store, new, request.selection, key, worker, read=earlier.total)


async def _expected(store: Store, request: UpgradeRequest) -> int:
    """About how many outcomes the upgrade will have. A store subtracts the excluded from all active ones."""
    if request.selection.size is not None:
        return request.selection.size
    if request.selection.conditions is None:
        return await store.instances.count_active(request.process)
    selected = await store.instances.selected_cohorts(request.process, request.selection)
    return sum(counted.count for counted in selected.cohorts)


def _checked_key(request: Request, caller: Caller) -> IdempotencyKey | None:
    """The idempotency key of a request, if it has one. Raises InvalidInput unless the request is valid."""
    _require_valid_reason(request.reason)
    require_valid_mappings(request.mappings)
    if request.idempotency_key is None:
        return None
    return idempotency_key(request.idempotency_key, caller=caller, digest=request.digest())


async def _first_upgrade(
    store: Store | Transaction, key: IdempotencyKey | None, worker: Worker
) -> Upgrade | None:
    """The upgrade that an earlier request with the same key led to."""
    known = None if key is None else await store.upgrades.known_request(key, since=worker.clock() - KEPT_FOR)
    if key is None or known is None:
        return None
    require_same_request(key, known)
    return await store.upgrades.find(known.upgrade_id)


def _new_upgrade(
    request: Request, process: ProcessKey, expected: int, caller: Caller, worker: Worker
) -> Upgrade:
    return Upgrade(
        id=UpgradeId(uuid4()),
        process=process,
        selection=request.selection.kind,
        target_version=None,
        state=UpgradeState.QUEUED,
        requested_by=caller.name,
        reason=request.reason,
        requested_at=worker.clock(),
        expected=expected,
        named_ids=len(request.selection.named_ids),
        mappings=request.mappings,
        conditions=request.selection.conditions,
        of=request.selection.of,
        retried=request.selection.reasons,
    )


async def _submit(
    store: Store,
    new: Upgrade,
    selection: UpgradeSelection,
    key: IdempotencyKey | None,
    worker: Worker,
    planned: Fingerprint | None = None,
    *,
    read: int = 0,
) -> Upgrade:
    """Store a new upgrade, and carry it out if it is small enough, and so is the number of rows to read."""
    known: KnownPaths = {}
    while True:
        began = time.perf_counter()
        try:
            async with store.transaction() as transaction:
                # A request with the same key may have been stored since the first look, which took no lock.
                if (first := await _first_upgrade(transaction, key, worker)) is not None:
                    return first
                locked, whole = await _add(transaction, new, selection, worker, known)
                if key is not None:
                    await locked.remember_request(key, worker.clock())
                is_large = max(locked.upgrade.expected, read) > worker.chunk_policy.inline_limit
                if is_large or not await _may_run_inline(transaction, locked.upgrade, worker):
                    for partition in whole:
                        await partition.add(partition.partition)
                    return locked.upgrade
                done = await _run_inline(transaction, locked, whole, worker, known)
                # Before the commit: if instances changed after the plan was made, everything rolls back.
                if planned is not None:
                    require_planned_result(planned, done.upgrade)
        except NotComparedYetError as missing:
            await missing.compare(store.processes)
            continue
        worker.on_chunk(done, timedelta(seconds=time.perf_counter() - began))
        return done.upgrade


async def _may_run_inline(transaction: Transaction, new: Upgrade, worker: Worker) -> bool:
    """Whether a small upgrade need not wait for others.

    Concurrent chunks lock the instances that they move, but orders stay without an answer after the commit.
    So only one upgrade of a linked process orders at a time.
    """
    return new.link is None or await transaction.upgrades.lock_ordering(new.process, worker.clock())


async def _add(
    transaction: Transaction,
    new: Upgrade,
    selection: UpgradeSelection,
    worker: Worker,
    known: KnownPaths,
) -> tuple[LockedUpgrade, Sequence[LockedPartition]]:
    process = await get_process(transaction, new.process)
    is_undo = new.selection is SelectionKind.UNDO
    target = None if is_undo else process.latest_published
    new = replace(new, link=process.link, target_version=target)
    if not is_undo:
        if target is None:
            raise NoPublishedVersion(namespace=new.process.namespace, process_code=new.process.code)
        paths = migration_paths_of(new, transaction, worker, known)
        assert paths is not None, "only an undo has no migration paths"
        await paths.require_valid_mappings()
    if new.of is not None:
        # The outcomes may have been pruned since the first look, which took no lock.
        earlier = await transaction.upgrades.lock(new.of)
        assert earlier is not None, "upgrades are never deleted"
        require_allowed(earlier.upgrade, UpgradeAction.UNDO if is_undo else UpgradeAction.RETRY)
    return await transaction.upgrades.add(new, selection)


async def _run_inline(
    transaction: Transaction,
    locked: LockedUpgrade,
    whole: Sequence[LockedPartition],
    worker: Worker,
    known: KnownPaths,
) -> ChunkResult:
    """Process a new upgrade as one chunk of each partition.

    If it grew after it was counted, a worker processes the rest.
    """
    began = time.perf_counter()
    paths = migration_paths_of(locked.upgrade, transaction, worker, known)
    # A store may count excluded instances towards the size, and must see that nothing follows.
    size = worker.chunk_policy.inline_limit + locked.upgrade.excluded + 1
    done: ChunkResult | None = None
    for partition in whole:
        decisions = {} if done is None else done.decisions
        moving = upgrading(decisions.values()) if locked.upgrade.link is None else ()
        chunk = await partition.chunks.record_and_move(size, moving)
        result = await resolve_chunk(locked.upgrade, partition.chunks, chunk, decisions, paths)
        if not chunk.is_last:
            await partition.add(replace(partition.partition, cursor=chunk.cursor))
        done = result if done is None else done.then(result)
    assert done is not None, "a new upgrade has a partition"
    worked = timedelta(seconds=time.perf_counter() - began)
    saved, started_at = locked.upgrade.with_tally(done.tally(worked)), locked.upgrade.requested_at
    if not done.is_last:
        saved = replace(saved, started_at=started_at)
    elif saved.unsettled:
        saved = replace(saved, started_at=started_at, state=UpgradeState.RUNNING)
    else:
        state, finished_at = UpgradeState.COMPLETED, worker.clock()
        saved = replace(saved, started_at=started_at, state=state, finished_at=finished_at)
    await locked.save(saved)
    return replace(done, upgrade=saved)


def _require_retriable(reasons: frozenset[ReasonCode]) -> None:
    if not reasons or not reasons <= RETRIABLE_REASONS:
        raise InvalidInput(
            f"Expected reasons to be some of {', '.join(sorted(RETRIABLE_REASONS))}, "
            f"but got {', '.join(sorted(reasons)) or 'none'}.",
            field=("reasons",),
        )


def _require_valid_reason(reason: str | None) -> None:
    if reason is None:
        return
    if len(reason) > MAX_REASON_LENGTH:
        raise InvalidInput(
            f"Expected reason to be at most {MAX_REASON_LENGTH:,} characters, but got {len(reason):,}.",
            field=("reason",),
        )
    if any("\ud800" <= character <= "\udfff" or character == "\0" for character in reason):
        raise InvalidInput(
            "Expected reason to be text, but it holds a NUL or half of a surrogate pair.", field=("reason",)
        )
