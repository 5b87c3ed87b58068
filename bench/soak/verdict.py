"""Compares the database with what clients observed, after the server has ended."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.engine import URL

from bench.soak.ledger import PROCESSES, Ledger, canonical
from bench.soak.observations import write_observations
from bench.soak.selected import broken_selections
from uplift.domain import Instance, InstanceId, Upgrade, UpgradeState, VersionNumber
from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import Partition
from uplift.storage.count_check import find_count_differences
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import decision, instance, outcome, selected, upgrade
from uplift.storage.statements.outcomes.decisions import IS_DECISION_OF_OUTCOME
from uplift.storage.statements.outcomes.processed import IS_PROCESSED
from uplift.storage.statements.outcomes.tallies import SKIPPED
from uplift.storage.store import SqlStore
from uplift.testing.stores import by_id, upgrades_of

SHOWN = 20
"""The largest number of broken laws that are reported."""

NO_IDLE_TIMEOUT = "SET LOCAL idle_in_transaction_session_timeout = 0"
"""The comparison thinks between two statements, on a busy machine for longer than a gateway may."""
COHORT = [column for column in outcome.c if column.key != "instance_id"]
MET = select(*COHORT, func.count().label("instances")).group_by(*COHORT).subquery()
"""How many instances each upgrade met in each cohort."""
COUNTS = (
    select(
        upgrade.c.uuid,
        decision.c.to_position_id,
        decision.c.codes,
        SKIPPED.label("counted"),
        func.coalesce(MET.c.instances, 0).label("met"),
    )
    .join(upgrade, upgrade.c.id == decision.c.upgrade_id)
    .outerjoin(MET, and_(*(decision.c[column.key] == MET.c[column.key] for column in COHORT)))
)
NOT_FOUND = (
    select(upgrade.c.uuid, func.count().label("instances"))
    .join(selected, selected.c.upgrade_id == upgrade.c.id)
    .where(
        upgrade.c.selection == SelectionKind.BY_IDS,
        selected.c.instance_id.is_(None),
        IS_PROCESSED,
    )
    .group_by(upgrade.c.uuid)
)
MOVES = (
    select(instance.c.uuid, outcome.c.version, decision.c.to_version, func.count().label("times"))
    .join(outcome, outcome.c.instance_id == instance.c.id)
    .join(decision, IS_DECISION_OF_OUTCOME)
    .where(decision.c.to_position_id.is_not(None))
    .group_by(instance.c.uuid, outcome.c.version, decision.c.to_version)
)

Held = Mapping[InstanceId, Instance]
Moves = Counter[tuple[VersionNumber, VersionNumber]]
"""How often an instance was moved from one version to another."""


@dataclass
class Counts:
    """What the outcomes and the decisions of an upgrade add up to."""

    upgraded: int = 0
    skipped: int = 0
    met: Counter[str] = field(default_factory=Counter)
    """The number of outcomes by reason."""
    counted: Counter[str] = field(default_factory=Counter)
    """The number of instances by reason that the upgrade has counted."""


async def broken_laws(database: Path | URL, ledger: Ledger) -> list[str]:
    """The first SHOWN broken laws, as sentences."""
    store = await SqlStore.open(database)
    try:
        held = {
            instance_id: instance
            for process in PROCESSES
            for instance_id, instance in (await by_id(store, process)).items()
        }
        upgrades = await upgrades_of(store)
        remaining = await store.partitions.remaining([upgrade.id for upgrade in upgrades])
        broken = list(_about_instances(ledger, held))
        if (waiting := await store.upgrades.claimable(datetime.now(UTC))) is not None:
            broken.append(f"upgrade {waiting.id} still waits for a worker")
        broken += [law for upgrade in upgrades for law in _about_partitions(upgrade, remaining[upgrade.id])]
        broken += [
            f"the kept count of {cohort.process} {cohort.version} {cohort.status} at {cohort.position} is "
            f"{cohort.kept}, but it has {cohort.counted} instances"
            for cohort in await find_count_differences(store.database)
        ]
        async with store.database.writing() as connection:
            if connection.dialect.name == "postgresql":
                await connection.exec_driver_sql(NO_IDLE_TIMEOUT)
            broken += [law async for law in _about_upgrades(connection, ledger, upgrades)]
            broken += [law async for law in _about_versions(connection, ledger, held)]
        return broken[:SHOWN]
    finally:
        await store.close()


def _about_instances(ledger: Ledger, held: Held) -> Iterator[str]:
    """Every registered instance exists, on a published version, as its engine last reported it."""
    for instance_id, known in ledger.instances.items():
        instance = held.get(instance_id)
        if instance is None:
            if known.is_certain:
                yield f"instance {instance_id} was registered, but is lost"
            continue
        if (instance.status, canonical(instance.position)) not in known.facts:
            fact = f"{instance.status} at {set(instance.position)}"
            yield f"instance {instance_id} is {fact}, but its engine reported {known.facts}"
        if instance.process != known.registered.process:
            yield f"instance {instance_id} went to process {instance.process}"
        if not 1 <= instance.version <= ledger.latest[instance.process]:
            yield f"instance {instance_id} is on version {instance.version}, which was never published"
    for instance_id in held.keys() - ledger.instances.keys():
        yield f"instance {instance_id} was registered by nobody"


async def _about_upgrades(
    connection: Connection, ledger: Ledger, upgrades: Sequence[Upgrade]
) -> AsyncIterator[str]:
    """Every requested upgrade exists once and has ended, and its counts match its outcomes."""
    if strangers := {upgrade.id for upgrade in upgrades} ^ ledger.upgrades.keys():
        yield f"upgrades that were not requested, or are lost: {strangers}"
    requested = [upgrade for upgrade in upgrades if upgrade.id in ledger.upgrades]
    named = {
        upgrade.id: f"upgrade {upgrade.id} ({upgrade.selection}, {upgrade.state})" for upgrade in requested
    }
    counts = await _counts(connection)
    for stored in requested:
        for law in _about_upgrade(stored, counts[stored.id], ledger):
            yield f"{named[stored.id]}: {law}"
    completed = [upgrade.id for upgrade in requested if upgrade.state is UpgradeState.COMPLETED]
    await write_observations(connection, ledger, completed)
    async for broken, law in broken_selections(connection):
        yield f"{named.get(broken, broken)}: {law}"


def _about_partitions(upgrade: Upgrade, remaining: Sequence[Partition]) -> Iterator[str]:
    """A completed upgrade has no partitions. The partitions of another do not overlap."""
    if upgrade.state is UpgradeState.COMPLETED and remaining:
        yield f"upgrade {upgrade.id} is COMPLETED, but left {remaining}"
    # An upgrade that was stopped just after the last chunk of a partition leaves an empty one.
    are_parts = all(partition.cursor <= partition.last for partition in remaining)
    if not are_parts or any(
        partition.last > following.cursor for partition, following in pairwise(remaining)
    ):
        yield f"upgrade {upgrade.id} has partitions that are reversed or overlap: {remaining}"


async def _counts(connection: Connection) -> Mapping[UUID, Counts]:
    found: dict[UUID, Counts] = defaultdict(Counts)
    for row in await connection.execute(COUNTS):
        counts = found[row.uuid]
        if row.to_position_id is not None:
            counts.upgraded += row.met
            continue
        counts.skipped += row.met
        for code in row.codes.split():
            counts.met[code] += row.met
            counts.counted[code] += row.counted
    for row in await connection.execute(NOT_FOUND):
        found[row.uuid].skipped += row.instances
    return found


def _about_upgrade(upgrade: Upgrade, counts: Counts, ledger: Ledger) -> list[str]:
    request, seen = ledger.upgrades[upgrade.id], ledger.finished.get(upgrade.id)
    laws = {
        "has not ended": upgrade.is_finished,
        f"failed: {upgrade.error}": upgrade.state is not UpgradeState.FAILED,
        f"was seen to be {seen}": upgrade.state == seen,
        f"is of process {upgrade.process}": upgrade.process == request.process,
        f"is not the {request.selection} that was requested": upgrade.selection is request.selection,
        (
            f"counts {upgrade.upgraded} upgraded and {upgrade.skipped} skipped, "
            f"but its outcomes are {counts.upgraded} and {counts.skipped}"
        ): (upgrade.upgraded, upgrade.skipped) == (counts.upgraded, counts.skipped),
        f"counts reasons {dict(counts.counted)}, but its outcomes have {dict(counts.met)}": (
            counts.counted == counts.met
        ),
    }
    return [law for law, holds in laws.items() if not holds]


async def _about_versions(connection: Connection, ledger: Ledger, held: Held) -> AsyncIterator[str]:
    """The moves of an instance lead from the version of its registration to its present version."""
    moves: dict[InstanceId, Moves] = defaultdict(Counter)
    for row in await connection.execute(MOVES):
        moves[row.uuid][row.version, row.to_version] += row.times
    for instance_id in held.keys() & ledger.instances.keys():
        first, last = ledger.instances[instance_id].registered.version, held[instance_id].version
        if not leads(first, last, moves[instance_id]):
            yield f"the history of instance {instance_id} does not lead from version {first} to {last}"


def leads(first: VersionNumber, last: VersionNumber, moves: Moves) -> bool:
    """Whether these moves lead from one version to the other.

    A small upgrade may overtake a larger, earlier one, so the order of the moves is unknown. They must form
    an Eulerian trail: they are connected, and each version but the first and the last is left as often as it
    is reached.
    """
    balance: Counter[VersionNumber] = Counter()
    for (before, after), times in moves.items():
        balance[before] += times
        balance[after] -= times
    balance[first] -= 1
    balance[last] += 1
    if any(balance.values()):
        return False
    reached, remaining = {first}, set(moves)
    while follows := {move for move in remaining if move[0] in reached}:
        reached |= {after for _, after in follows}
        remaining -= follows
    return not remaining
