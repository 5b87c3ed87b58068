"""Does the database agree with what all clients were told? Asked when the server is gone."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import URL

from bench.soak.ledger import PROCESSES, Asked, Ledger, canonical
from domain import Instance, InstanceId, Outcome, OutcomeKind, Upgrade, UpgradeId, UpgradeState, VersionNumber
from domain.ports import Store
from domain.selection import SelectionKind
from domain.upgrade import HistoryEntry
from storage.store import SqlStore
from tests.support.stores import by_id, outcomes_of, upgrades_of

TOGETHER = 1_000
"""Instances whose histories are read at once."""
SHOWN = 20
"""How many broken laws of a kind are told."""

Held = Mapping[InstanceId, Instance]


async def broken_laws(database: Path | URL, ledger: Ledger) -> list[str]:
    """What does not hold, in sentences; the first few."""
    store = await SqlStore.open(database)
    try:
        held = {given: one for process in PROCESSES for given, one in (await by_id(store, process)).items()}
        broken = list(_about_instances(ledger, held))
        broken += [law async for law in _about_upgrades(store, ledger, held)]
        broken += [law async for law in _about_histories(store, ledger, held)]
        return broken[:SHOWN]
    finally:
        await store.close()


def _about_instances(ledger: Ledger, held: Held) -> Iterator[str]:
    """Every instance is there once, on one published version, as its engine said last."""
    for given, known in ledger.instances.items():
        one = held.get(given)
        if one is None:
            if known.is_certain:
                yield f"instance {given} was registered, but is lost"
            continue
        if (one.status, canonical(one.position)) not in known.facts:
            yield f"instance {given} is {one.status} at {set(one.position)}, but was said {known.facts}"
        if one.process != known.registered.process:
            yield f"instance {given} went to process {one.process}"
        if not 1 <= one.version <= ledger.latest[one.process]:
            yield f"instance {given} is on version {one.version}, which was never published"
    for given in held.keys() - ledger.instances.keys():
        yield f"instance {given} was registered by nobody"


async def _about_upgrades(store: Store, ledger: Ledger, held: Held) -> AsyncIterator[str]:
    """Each that was asked for is there once and at its end; its counts are those of its outcomes."""
    upgrades = await upgrades_of(store)
    if (waiting := await store.claimable(datetime.now(UTC))) is not None:
        yield f"upgrade {waiting.id} still waits for a worker"
    if strangers := {one.id for one in upgrades} ^ ledger.upgrades.keys():
        yield f"upgrades that were not asked for, or are lost: {strangers}"
    outcomes: dict[UpgradeId, list[Outcome]] = {}
    for upgrade in reversed(upgrades):
        outcomes[upgrade.id] = await outcomes_of(store, upgrade.id)
        reasons = await _counts_by_reason(store, upgrade)
        for law in _about_upgrade(upgrade, outcomes[upgrade.id], reasons, ledger):
            yield f"upgrade {upgrade.id} ({upgrade.selection}, {upgrade.state}): {law}"
        asked = ledger.upgrades.get(upgrade.id)
        if asked is not None and upgrade.state is UpgradeState.COMPLETED:
            for law in _about_selection(asked, outcomes, upgrade.id, ledger, held):
                yield f"upgrade {upgrade.id} ({upgrade.selection}): {law}"


async def _counts_by_reason(store: Store, upgrade: Upgrade) -> Counter[str]:
    counts: Counter[str] = Counter()
    for counted in (await store.decisions([upgrade.id]))[upgrade.id]:
        for reason in counted.decision.reasons:
            counts[reason.code] += counted.count
    return counts


def _about_upgrade(
    upgrade: Upgrade, outcomes: list[Outcome], reasons: Counter[str], ledger: Ledger
) -> list[str]:
    kinds = Counter(one.kind for one in outcomes)
    told = Counter(reason.code for one in outcomes for reason in one.reasons if one.from_version is not None)
    seen = ledger.finished.get(upgrade.id)
    laws = {
        f"has not ended, its lease is {upgrade.lease}": upgrade.is_finished and upgrade.lease is None,
        f"failed: {upgrade.error}": upgrade.state is not UpgradeState.FAILED,
        f"was seen to be {seen}": upgrade.state == seen,
        "gave an instance two outcomes": len({one.instance for one in outcomes}) == len(outcomes),
        f"counts {upgrade.upgraded} and {upgrade.skipped}, but its outcomes are {dict(kinds)}": (
            (upgrade.upgraded, upgrade.skipped) == (kinds[OutcomeKind.UPGRADED], kinds[OutcomeKind.SKIPPED])
        ),
        f"counts reasons {dict(reasons)}, but its outcomes have {dict(told)}": reasons == told,
    }
    return [law for law, holds in laws.items() if not holds]


def _about_selection(
    asked: Asked, outcomes: Mapping[UpgradeId, list[Outcome]], upgrade: UpgradeId, ledger: Ledger, held: Held
) -> list[str]:
    """Who was selected has an outcome, and nobody else."""
    done = {one.instance for one in outcomes[upgrade]}
    if asked.selection is SelectionKind.ALL_ACTIVE:
        stayed = {one for one in asked.surely if ledger.instances[one].inactive_at < asked.moment}
        strangers = {one for one in done if held[one].process != asked.process}
        laws = {
            f"did without {len(stayed - done)} that were active all the time": stayed <= done,
            f"did something to {len(done & asked.ids)} that were left out": not done & asked.ids,
            f"did something to {len(strangers)} of another process": not strangers,
        }
        return [law for law, holds in laws.items() if not holds]
    wanted = asked.ids
    if asked.of is not None:
        earlier = outcomes[asked.of]
        wanted = frozenset(one.instance for one in earlier if _is_followed(one, asked))
    return (
        [] if done == wanted else [f"{len(wanted - done)} have no outcome, {len(done - wanted)} should not"]
    )


def _is_followed(earlier: Outcome, asked: Asked) -> bool:
    """Whether a retry or an undo is about an instance with this outcome of the earlier upgrade."""
    if asked.selection is SelectionKind.UNDO:
        return earlier.kind is OutcomeKind.UPGRADED
    return any(reason.code in asked.reasons for reason in earlier.reasons)


async def _about_histories(store: Store, ledger: Ledger, held: Held) -> AsyncIterator[str]:
    """What upgrades did to an instance leads from the version it was registered on to the one it is on."""
    ids = list(held.keys() & ledger.instances.keys())
    for begin in range(0, len(ids), TOGETHER):
        histories = await store.histories(ids[begin : begin + TOGETHER])
        for given, entries in histories.items():
            first, last = ledger.instances[given].registered.version, held[given].version
            if not leads(first, last, [entry for entry in entries if _has_moved(entry)]):
                yield f"the history of instance {given} does not lead from version {first} to {last}"


def _has_moved(entry: HistoryEntry) -> bool:
    return entry.outcome.kind is OutcomeKind.UPGRADED


def leads(first: VersionNumber, last: VersionNumber, moves: list[HistoryEntry]) -> bool:
    """Whether these moves, each taken once, lead from one version to the other.

    A small upgrade may overtake a large one that was asked for before, so their order is not that of the
    list: they must make up one trail, which is so if they hang together and each version is left as often
    as it is reached, but for the first and the last.
    """
    edges = [(one.outcome.from_version, one.outcome.to_version) for one in moves]
    balance: Counter[VersionNumber | None] = Counter(before for before, _ in edges)
    balance.subtract(after for _, after in edges)
    balance.subtract([first])
    balance.update([last])
    if any(balance.values()):
        return False
    reached, left = {first}, edges
    while follows := [edge for edge in left if edge[0] in reached]:
        reached |= {after for _, after in follows if after is not None}
        left = [edge for edge in left if edge not in follows]
    return not left
