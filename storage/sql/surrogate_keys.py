"""Maps process keys and positions to their surrogate keys, the integers that stand for them in the tables.

Both are inserted once and never change, so committed mappings are cached as long as the program runs.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from operator import itemgetter
from typing import Any

from sqlalchemy import bindparam, select, tuple_

from uplift.domain.model.instance import ElementId, Position
from uplift.domain.model.process import ProcessKey
from uplift.storage.sql import tables
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import insert_new

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
POSITIONS_BY_DIGEST = select(tables.position.c.id, tables.position.c.digest).where(
    tables.position.c.process_id == bindparam("process_id"),
    tables.position.c.digest.in_(bindparam("digests", expanding=True)),
)
ADD_POSITIONS = insert_new(tables.position)
"""Another transaction may have added the same position since it was looked up."""


@dataclass(frozen=True, slots=True)
class KeyCache:
    """The mappings in both directions that have been read or added so far."""

    process_ids: dict[ProcessKey, int] = field(default_factory=dict)
    process_keys: dict[int, ProcessKey] = field(default_factory=dict)
    position_ids: dict[tuple[int, Position], int] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)

    def update(self, other: "KeyCache") -> None:
        self.process_ids.update(other.process_ids)
        self.process_keys.update(other.process_keys)
        self.position_ids.update(other.position_ids)
        self.positions.update(other.positions)


class SurrogateKeys:
    """The surrogate keys as one connection sees them: those of the shared cache, and its own new ones.

    New ones stay out of the shared cache until the commit: after a rollback the database assigns the same
    numbers to other rows.
    """

    def __init__(self, connection: Connection, known: KeyCache) -> None:
        self._connection = connection
        self._known = known
        self._uncommitted = KeyCache()

    def publish(self) -> None:
        """Add the new keys to the shared cache. Call it only after the commit."""
        self._known.update(self._uncommitted)

    async def process_id(self, key: ProcessKey) -> int | None:
        """The surrogate key of a process; None if it does not exist."""
        return (await self.process_ids((key,))).get(key)

    async def process_ids(self, keys: Iterable[ProcessKey]) -> Mapping[ProcessKey, int]:
        """The surrogate keys of the processes that exist."""
        distinct = dict.fromkeys(keys)
        missing = _missing(distinct, self._known.process_ids, self._uncommitted.process_ids)
        for batch in batches(key for key in missing if key.can_exist):
            bound = {"keys": [(key.namespace, key.code) for key in batch]}
            self._learn_processes(await self._connection.execute(PROCESSES_BY_KEY, bound))
        return _found(distinct, self._known.process_ids, self._uncommitted.process_ids)

    async def process_key(self, number: int) -> ProcessKey:
        """The process key of a surrogate key."""
        return (await self.process_keys((number,)))[number]

    async def process_keys(self, numbers: Iterable[int]) -> Mapping[int, ProcessKey]:
        """The process key of each surrogate key."""
        distinct = set(numbers)
        for batch in batches(_missing(distinct, self._known.process_keys, self._uncommitted.process_keys)):
            self._learn_processes(await self._connection.execute(PROCESSES_BY_ID, {"ids": batch}))
        return _found(distinct, self._known.process_keys, self._uncommitted.process_keys)

    async def positions(self, numbers: Iterable[int]) -> Mapping[int, Position]:
        """The elements of each position."""
        distinct = set(numbers)
        for batch in batches(_missing(distinct, self._known.positions, self._uncommitted.positions)):
            for number, process_id, elements in await self._connection.execute(
                POSITIONS_BY_ID, {"ids": batch}
            ):
                self._learn_position(number, process_id, frozenset(map(ElementId, json.loads(elements))))
        return _found(distinct, self._known.positions, self._uncommitted.positions)

    async def known_position_ids(
        self, process_id: int, positions: Iterable[Position]
    ) -> Mapping[Position, int]:
        """The surrogate keys of the positions of a process that are stored."""
        distinct = dict.fromkeys((process_id, position) for position in positions)
        for batch in batches(_missing(distinct, self._known.position_ids, self._uncommitted.position_ids)):
            await self._find_positions(process_id, {_digest(position): position for _, position in batch})
        found = _found(distinct, self._known.position_ids, self._uncommitted.position_ids)
        return {position: number for (_, position), number in found.items()}

    async def position_ids(self, process_id: int, positions: Iterable[Position]) -> Mapping[Position, int]:
        """The surrogate key of each position of a process. Adds new positions, in a write transaction."""
        distinct = dict.fromkeys(positions)
        known = await self.known_position_ids(process_id, distinct)
        new = _missing(distinct, known)
        if not new:
            return known
        # All transactions insert along the digests, so that two of them cannot deadlock on the unique index.
        rows = sorted((_position_row(process_id, position) for position in new), key=itemgetter("digest"))
        await self._connection.execute(ADD_POSITIONS, rows)
        return await self.known_position_ids(process_id, distinct)

    async def _find_positions(self, process_id: int, by_digest: Mapping[bytes, Position]) -> None:
        bound = {"process_id": process_id, "digests": list(by_digest)}
        for number, digest in await self._connection.execute(POSITIONS_BY_DIGEST, bound):
            self._learn_position(number, process_id, by_digest[digest])

    def _learn_position(self, number: int, process_id: int, position: Position) -> None:
        self._uncommitted.positions[number] = position
        self._uncommitted.position_ids[process_id, position] = number

    def _learn_processes(self, rows: Iterable[Any]) -> None:
        for number, namespace, code in rows:
            key = ProcessKey(namespace=namespace, code=code)
            self._uncommitted.process_ids[key] = number
            self._uncommitted.process_keys[number] = key


def _position_row(process_id: int, position: Position) -> dict[str, Any]:
    return {"process_id": process_id, "digest": _digest(position), "elements": _canonical(position)}


def _canonical(position: Position) -> str:
    return json.dumps(sorted(position), ensure_ascii=False, separators=(",", ":"))


def _digest(position: Position) -> bytes:
    return blake2b(_canonical(position).encode(), digest_size=16).digest()


def _missing(keys: Iterable[Any], *caches: Mapping[Any, Any]) -> list[Any]:
    return [key for key in keys if not any(key in cache for cache in caches)]


def _found(keys: Iterable[Any], *caches: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: cache[key] for key in keys for cache in caches if key in cache}


def batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    """The values in batches of at most MAX_BOUND."""
    remaining = iter(values)
    while batch := list(islice(remaining, MAX_BOUND)):
        yield batch
