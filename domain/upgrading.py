"""How a selection of instances is upgraded: record a chunk, decide its cohorts, move them as a set, go on.

Each chunk is one transaction: outcomes, instances, cursor and counts change together. So a program that dies
in the middle leaves an upgrade that `continue_upgrade` takes up at its cursor, and a selection that fits into
one chunk is upgraded all at once or not at all.
"""

from collections.abc import Callable, Sequence
from uuid import uuid4

from domain.access import Caller, require_system_admin
from domain.clock import Clock, utc_now
from domain.errors import InvalidInput, NoPublishedVersion
from domain.mapping import VersionMapping, check_mappings
from domain.planning import must_still_plan
from domain.ports import Store, Transaction
from domain.process import ProcessKey
from domain.publishing import get_process
from domain.route import Routes
from domain.rules import decide
from domain.selection import Selection, kind_of
from domain.upgrade import MAX_REASON_LENGTH, Upgrade, UpgradeId, UpgradeState

DEFAULT_CHUNK_SIZE = 25_000
"""Instances a transaction: many enough to hide its fixed cost, few enough to hold the write lock briefly."""


OnProgress = Callable[[Upgrade], None]
"""Is told of an upgrade after each chunk, when that is committed."""


def ignore_progress(_: Upgrade) -> None:
    """For callers who only want the end."""


async def upgrade_instances(
    store: Store,
    *,
    process: ProcessKey,
    selection: Selection,
    caller: Caller,
    mappings: Sequence[VersionMapping] = (),
    fingerprint: str | None = None,
    reason: str | None = None,
    chunk_size: int = DEFAULT_CHUNK_SIZE,
    on_progress: OnProgress = ignore_progress,
    clock: Clock = utc_now,
) -> Upgrade:
    """Upgrade the selected instances of a process to its latest published version.

    Returns the finished upgrade. Each selected instance gets exactly one outcome; those that cannot be
    upgraded are skipped with every reason and never hold back the rest. `mappings` override the generated
    mapping; given the `fingerprint` of a plan, an upgrade that would do something else is refused.
    Raises Forbidden, ProcessNotFound, NoPublishedVersion, InvalidInput, InvalidMapping or PlanChanged, with
    nothing written.
    """
    require_system_admin(caller)
    _check_reason(reason)
    _check_chunk_size(chunk_size)
    check_mappings(mappings)
    if fingerprint is not None:
        await must_still_plan(store, fingerprint, process=process, selection=selection, mappings=mappings)
    async with store.transaction() as transaction:
        opened = await _open(transaction, process, selection, mappings, caller, reason, clock)
        upgrade = await _work_chunk(transaction, opened, chunk_size, clock)
    on_progress(upgrade)
    return await continue_upgrade(store, upgrade, chunk_size=chunk_size, on_progress=on_progress, clock=clock)


async def continue_upgrade(
    store: Store,
    upgrade: Upgrade,
    *,
    chunk_size: int = DEFAULT_CHUNK_SIZE,
    on_progress: OnProgress = ignore_progress,
    clock: Clock = utc_now,
) -> Upgrade:
    """Work an upgrade off from its cursor to its end; returns it finished.

    Safe while another program works on the same upgrade: a chunk begins where the last committed one ended.
    """
    _check_chunk_size(chunk_size)
    while upgrade.state is UpgradeState.RUNNING:
        async with store.transaction() as transaction:
            stored = await transaction.upgrade(upgrade.id)
            assert stored is not None, "upgrades are never deleted while they run"
            upgrade = stored
            if upgrade.state is UpgradeState.RUNNING:
                upgrade = await _work_chunk(transaction, upgrade, chunk_size, clock)
        on_progress(upgrade)
    return upgrade


async def _open(
    transaction: Transaction,
    key: ProcessKey,
    selection: Selection,
    mappings: Sequence[VersionMapping],
    caller: Caller,
    reason: str | None,
    clock: Clock,
) -> Upgrade:
    process = await get_process(transaction, key)
    if process.latest_published is None:
        raise NoPublishedVersion(namespace=key.namespace, process_code=key.code)
    upgrade = Upgrade(
        id=UpgradeId(uuid4()),
        process=key,
        selection=kind_of(selection),
        target_version=process.latest_published,
        state=UpgradeState.RUNNING,
        requested_by=caller.name,
        reason=reason,
        mappings=tuple(mappings),
        requested_at=clock(),
    )
    await _routes(transaction, upgrade).check_mappings()
    return await transaction.add_upgrade(upgrade, selection)


async def _work_chunk(transaction: Transaction, upgrade: Upgrade, size: int, clock: Clock) -> Upgrade:
    chunk = await transaction.record_chunk(upgrade, size)
    routes = _routes(transaction, upgrade)
    decisions = [decide(cohort, await routes.route(cohort.version)) for cohort in chunk.cohorts]
    done = await transaction.carry_out(upgrade, chunk, decisions)
    skipped = sum(counted.count for counted in done.skipped)
    must_account_for_all(recorded=chunk.recorded, moved=done.moved, skipped=skipped)
    advanced = upgrade.advanced(cursor=chunk.cursor, upgraded=done.moved, skipped=skipped + chunk.not_found)
    if chunk.is_last:
        advanced = advanced.completed(clock())
    await transaction.save_upgrade(advanced)
    return advanced


def _routes(transaction: Transaction, upgrade: Upgrade) -> Routes:
    return Routes(
        process=upgrade.process,
        target=upgrade.target_version,
        mappings=upgrade.mappings,
        documents=transaction,
    )


def must_account_for_all(*, recorded: int, moved: int, skipped: int) -> None:
    """Stop when the store did something else than it recorded: the audit would not tell the truth."""
    if moved + skipped != recorded:
        raise RuntimeError(
            f"Expected each of the {recorded} recorded instances to be moved or skipped, "
            f"but {moved} moved and {skipped} were skipped."
        )


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


def _check_chunk_size(size: int) -> None:
    if size < 1:
        raise ValueError(f"Expected chunks of at least one instance, but got chunk_size={size}.")
