"""Maps process keys and positions to their surrogate keys, the integers that stand for them in the tables.

A surrogate key means the same as long as the database exists, so these mappings are cached. The key of a
position is looked up in each transaction, because positions that nobody has are pruned. Those that a decision
names are kept for good, as decisions are.
"""

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import bindparam, select, tuple_

from uplift.domain.bounded_cache import BoundedCache
from uplift.domain.concurrency import pieces
from uplift.domain.model.instance import ElementId, Position
from uplift.domain.model.link import LinkId
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import SelectionKind, UpgradeId
from uplift.storage.sql import tables
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import insert_new
from uplift.storage.sql.id_list import DIGEST_LIST

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

MAX_BOUND = 500
"""The maximum of values in one IN list, and of parts of a UNION ALL (SQLite's limit for the latter)."""

PROCESS_IDS = select(tables.process.c.id, tables.process.c.namespace, tables.process.c.code)
PROCESSES_BY_KEY = PROCESS_IDS.where(
    tuple_(tables.process.c.namespace, tables.process.c.code).in_(bindparam("keys", expanding=True))
)
PROCESSES_BY_ID = PROCESS_IDS.where(tables.process.c.id.in_(bindparam("ids", expanding=True)))
POSITIONS_BY_ID = select(
    tables.position.c.id, tables.position.c.process_id, tables.position.c.elements
).where(tables.position.c.id.in_(bindparam("ids", expanding=True)))
POSITIONS_BY_DIGEST = (
    select(tables.position.c.id, tables.position.c.digest)
    .join(DIGEST_LIST, DIGEST_LIST.c.uuid == tables.position.c.digest)
    .where(tables.position.c.process_id == bindparam("process_id"))
)
LOCK_POSITIONS_BY_DIGEST = POSITIONS_BY_DIGEST.with_for_update(of=tables.position, read=True, key_share=True)
"""Keeps the positions from being pruned until the transaction ends: most references to them have no foreign
key that would do the same. SQLite needs no such lock, because only one transaction writes at a time."""
ADD_POSITIONS = insert_new(tables.position)
"""Another transaction may have added the same position since it was looked up."""


MAX_CACHED_BYTES = 8 * 2**20
"""About the most memory that the cached mappings of one kind take, in bytes."""


MAX_PUBLISHED = 1_000
"""If a transaction meets more positions, none of them enters the caches: they would push out all others.

Objects that outlive a large request also keep the memory around them: Python returns it in large pieces.
"""


MAX_UPGRADE_BYTES = 2**18
"""About the most memory that the heads of new upgrades take: their clients ask for their outcomes at once."""
UPGRADE_BYTES = 500


class UpgradeHead(NamedTuple):
    """What never changes of an upgrade, and says how its outcomes are listed."""

    id: int
    uuid: UpgradeId
    selection: SelectionKind
    link: LinkId | None
    named_ids: int


class KeyCache:
    """The mappings that a store keeps in memory, the most recently used ones."""

    def __init__(self, max_bytes: int = MAX_CACHED_BYTES) -> None:
        self.process_ids = BoundedCache[ProcessKey, int](max_bytes)
        self.process_keys = BoundedCache[int, ProcessKey](max_bytes)
        self.positions = BoundedCache[int, Position](max_bytes)
        self.digests = BoundedCache[Position, bytes](max_bytes)
        self.decided_position_ids = BoundedCache[tuple[int, Position], int](max_bytes)
        self.new_upgrades = BoundedCache[UpgradeId, UpgradeHead](MAX_UPGRADE_BYTES)


@dataclass(frozen=True, slots=True)
class _Learned:
    """The mappings that one connection has looked up, read or added."""

    process_ids: dict[ProcessKey, int] = field(default_factory=dict)
    process_keys: dict[int, ProcessKey] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)
    position_ids: dict[tuple[int, Position], int] = field(default_factory=dict)
    digests: dict[Position, bytes] = field(default_factory=dict)
    decided_position_ids: dict[tuple[int, Position], int] = field(default_factory=dict)
    new_upgrades: list[UpgradeHead] = field(default_factory=list)


class SurrogateKeys:
    """The surrogate keys as one connection sees them: those of the shared cache, and its own new ones.

    New ones stay out of the shared cache until the commit: after a rollback the database assigns the same
    numbers to other rows.
    """

    def __init__(self, connection: Connection, known: KeyCache) -> None:
        self._connection = connection
        self._known = known
        self._learned = _Learned()

    @property
    def connection(self) -> Connection:
        """The connection that these keys are read on."""
        return self._connection

    def publish(self) -> None:
        """Add the new keys to the shared cache. Call it only after the commit."""
        for key, number in self._learned.process_ids.items():
            self._known.process_ids.put(key, number, _size_of_key(key))
        for number, key in self._learned.process_keys.items():
            self._known.process_keys.put(number, key, _size_of_key(key))
        if len(self._learned.positions) <= MAX_PUBLISHED:
            for number, position in self._learned.positions.items():
                if self._known.positions.get(number) is None:
                    self._known.positions.put(number, position, _size_of_position(position))
        if len(self._learned.digests) <= MAX_PUBLISHED:
            for position, digest in self._learned.digests.items():
                self._known.digests.put(position, digest, _size_of_position(position))
        for head in self._learned.new_upgrades:
            self._known.new_upgrades.put(head.uuid, head, UPGRADE_BYTES)
        # All of them: the next chunk of the upgrade needs as many.
        for owned, number in self._learned.decided_position_ids.items():
            if self._known.decided_position_ids.get(owned) is None:
                self._known.decided_position_ids.put(owned, number, _size_of_position(owned[1]))

    def add_upgrade(self, head: UpgradeHead) -> None:
        """Note an upgrade that this transaction has added."""
        self._learned.new_upgrades.append(head)

    def new_upgrade(self, upgrade_id: UpgradeId) -> UpgradeHead | None:
        """The head of an upgrade that this program has added lately."""
        return self._known.new_upgrades.get(upgrade_id)

    async def process_id(self, key: ProcessKey) -> int | None:
        """The surrogate key of a process; None if it does not exist."""
        return (await self.process_ids((key,))).get(key)

    async def process_ids(self, keys: Iterable[ProcessKey]) -> Mapping[ProcessKey, int]:
        """The surrogate keys of the processes that exist."""
        distinct, learned = dict.fromkeys(keys), self._learned.process_ids
        missing = _missing(distinct, learned, self._known.process_ids)
        for batch in batches(key for key in missing if key.can_exist):
            bound = {"keys": [(key.namespace, key.code) for key in batch]}
            self._learn_processes(await self._connection.execute(PROCESSES_BY_KEY, bound))
        return _found(distinct, learned)

    async def process_key(self, number: int) -> ProcessKey:
        """The process key of a surrogate key."""
        return (await self.process_keys((number,)))[number]

    async def process_keys(self, numbers: Iterable[int]) -> Mapping[int, ProcessKey]:
        """The process key of each surrogate key."""
        distinct, learned = set(numbers), self._learned.process_keys
        for batch in batches(_missing(distinct, learned, self._known.process_keys)):
            self._learn_processes(await self._connection.execute(PROCESSES_BY_ID, {"ids": batch}))
        return _found(distinct, learned)

    async def positions(self, numbers: Iterable[int]) -> Mapping[int, Position]:
        """The elements of each position."""
        distinct, learned = set(numbers), self._learned.positions
        for batch in batches(_missing(distinct, learned, self._known.positions)):
            for number, _, elements in await self._connection.execute(POSITIONS_BY_ID, {"ids": batch}):
                learned[number] = frozenset(map(ElementId, json.loads(elements)))
        return _found(distinct, learned)

    def note_held_positions(self, process_id: int, numbers: Iterable[int]) -> None:
        """Note positions that have been read, of instances that this transaction has locked.

        So they stay stored until its end, and need neither a lock nor another look.
        """
        for number in numbers:
            self._learned.position_ids[process_id, self._learned.positions[number]] = number

    async def known_position_ids(
        self, process_id: int, positions: Iterable[Position], *, lock: bool = False
    ) -> Mapping[Position, int]:
        """The surrogate keys of the positions of a process that are stored.

        With `lock`, they stay stored until the transaction ends.
        """
        distinct = {(process_id, position): position for position in positions}
        learned = self._learned.position_ids
        if missing := [position for key, position in distinct.items() if key not in learned]:
            await self._find_positions(process_id, missing, lock=lock)
        return {position: number for (_, position), number in _found(distinct, learned).items()}

    async def decided_position_ids(
        self, process_id: int, positions: Iterable[Position]
    ) -> Mapping[Position, int]:
        """The surrogate keys of positions that stored decisions name. So they stay stored without a lock."""
        distinct = {(process_id, position): position for position in positions}
        learned = self._learned.decided_position_ids
        missing = _missing(distinct, learned, self._known.decided_position_ids)
        if missing:
            found = await self.known_position_ids(process_id, [position for _, position in missing])
            learned.update({(process_id, position): number for position, number in found.items()})
        return {position: learned[key] for key, position in distinct.items()}

    async def position_ids(self, process_id: int, positions: Iterable[Position]) -> Mapping[Position, int]:
        """The surrogate key of each position of a process. Adds new positions, in a write transaction."""
        known: dict[Position, int] = {}
        new: list[tuple[bytes, Position]] = []
        async for _, piece in pieces(list(dict.fromkeys(positions))):
            known.update(await self.known_position_ids(process_id, piece, lock=True))
            new += [(self._digest(position), position) for position in piece if position not in known]
        # All transactions insert along the digests, so that two of them cannot deadlock on the unique index.
        new.sort(key=itemgetter(0))
        async for _, added in pieces(new):
            rows = [
                {"process_id": process_id, "digest": digest, "elements": _canonical(position)}
                for digest, position in added
            ]
            if rows:
                await self._connection.execute(ADD_POSITIONS, rows)
        async for _, added in pieces(new):
            found = [position for _, position in added]
            known.update(await self.known_position_ids(process_id, found, lock=True))
        return known

    async def _find_positions(self, process_id: int, positions: Sequence[Position], *, lock: bool) -> None:
        by_digest = {self._digest(position): position for position in positions}
        statement = LOCK_POSITIONS_BY_DIGEST if lock else POSITIONS_BY_DIGEST
        bound = {"process_id": process_id, "digest_list": list(by_digest)}
        for number, digest in await self._connection.execute(statement, bound):
            self._learned.position_ids[process_id, by_digest[digest]] = number
            self._learned.positions[number] = by_digest[digest]

    def _digest(self, position: Position) -> bytes:
        learned = self._learned.digests
        digest = learned.get(position) or self._known.digests.get(position)
        if digest is None:
            digest = blake2b(_canonical(position).encode(), digest_size=16).digest()
            learned[position] = digest
        return digest

    def _learn_processes(self, rows: Iterable[Any]) -> None:
        for number, namespace, code in rows:
            key = ProcessKey(namespace=namespace, code=code)
            self._learned.process_ids[key] = number
            self._learned.process_keys[number] = key


def _canonical(position: Position) -> str:
    return json.dumps(sorted(position), ensure_ascii=False, separators=(",", ":"))


def _missing(keys: Iterable[Key], learned: dict[Key, Value], known: BoundedCache[Key, Value]) -> list[Key]:
    """The keys that must be read. What the cache has is learned, as it may leave the cache at any time."""
    missing = []
    for key in keys:
        if key in learned:
            continue
        value = known.get(key)
        if value is None:
            missing.append(key)
        else:
            learned[key] = value
    return missing


def _found(keys: Iterable[Key], learned: Mapping[Key, Value]) -> dict[Key, Value]:
    return {key: learned[key] for key in keys if key in learned}


def _size_of_key(key: ProcessKey) -> int:
    """About how much memory a cached process key takes, in bytes."""
    return 500 + 2 * (len(key.namespace) + len(key.code))


def _size_of_position(position: Position) -> int:
    """About how much memory a cached position takes, in bytes."""
    return 500 + sum(120 + 2 * len(element) for element in position)


def batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    """The values in batches of at most MAX_BOUND."""
    remaining = iter(values)
    while batch := list(islice(remaining, MAX_BOUND)):
        yield batch
