"""Holds each statement on a database with buckets to the rule that lets a cluster run it.

A statement names either tables of the coordinator only, or bucketed tables and bound arrays only. It writes
or locks rows of one bucket, which is bound. Over all buckets it only reads, and locks nothing.
"""

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    Alias,
    BindParameter,
    ClauseElement,
    Column,
    Engine,
    FromClause,
    TableClause,
    TextClause,
    event,
)
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, ColumnClause

from uplift.storage.database import Database
from uplift.storage.sql.bucket_tables import BUCKET
from uplift.storage.sql.buckets import BUCKETED

DIVIDED_NAMES = frozenset((*BUCKETED, "cohort_part"))
LOCKS = re.compile(r"\bFOR (NO KEY UPDATE|UPDATE|SHARE|KEY SHARE)\b")
WRITES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM) (\w+)")
INSERTED = re.compile(r"INSERT INTO (\w+) \(([^)]*)\)")
NAMES = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)")


class BrokenRule(AssertionError):
    """A statement that a cluster could not run, or not safely."""


def require_rule(statement: ClauseElement, sql: str) -> None:
    """Raise BrokenRule if a statement breaks the rule."""
    if isinstance(statement, TextClause) and (named := DIVIDED_NAMES.intersection(NAMES.findall(sql))):
        raise BrokenRule(f"It names {sorted(named)} by text: {sql}")
    places = list(_places(statement))
    names = {_name(place) for place in places}
    divided = names & DIVIDED_NAMES
    if not divided:
        return
    if others := names - DIVIDED_NAMES:
        raise BrokenRule(f"It names {sorted(divided)} and on the coordinator {sorted(others)}: {sql}")
    written = {name for _, name in WRITES.findall(LOCKS.sub("", sql))}
    if not written and not LOCKS.search(sql):
        return
    filled = {name for name, columns in INSERTED.findall(sql) if "bucket" in columns.split(", ")}
    bound = _bound_to_one_bucket(statement)
    for place in places:
        is_filled = _name(place) in filled and not isinstance(place, Alias)
        if place not in bound and not is_filled:
            raise BrokenRule(f"It writes or locks {_name(place)} in any bucket: {sql}")


async def watch(database: Database) -> None:
    """Hold all statements to the rule that the connections of this database send from now on."""
    seen: set[str] = set()

    def check(_: Any, __: Any, sql: str, ___: Any, context: Any, ____: Any) -> None:
        if sql in seen:
            return
        # What tests send as text, past the store, has not been compiled.
        if context.compiled is not None:
            require_rule(context.compiled.statement, sql)
        seen.add(sql)

    async with database.reading() as reader, database.writing() as writer:
        for connection in (reader, writer):
            assert connection.sync_connection is not None
            engine: Engine = connection.sync_connection.engine
            event.listen(engine, "before_cursor_execute", check)


def _places(statement: ClauseElement) -> Iterator[FromClause]:
    """Each table or alias of a table that a statement names."""
    aliased: set[FromClause] = set()
    found: dict[FromClause, None] = {}
    for element in visitors.iterate(statement):
        # UPDATE and DELETE name further tables by their columns only.
        place = element.table if isinstance(element, ColumnClause) else element
        if isinstance(place, Alias) and isinstance(place.element, TableClause):
            found[place] = None
            if place.name != "excluded":
                aliased.add(place.element)
        elif isinstance(place, TableClause):
            found[place] = None
    for place in found:
        # Iterating an alias yields its table as well; `excluded` stands for the row of an INSERT.
        is_excluded = isinstance(place, Alias) and place.name == "excluded"
        if not is_excluded and (isinstance(place, Alias) or place not in aliased):
            yield place


def _name(place: FromClause) -> str:
    table = place.element if isinstance(place, Alias) else place
    assert isinstance(table, TableClause)
    return table.name


def _bound_to_one_bucket(statement: ClauseElement) -> set[FromClause]:
    """The tables whose bucket equals the bound one, by themselves or through another table."""
    bound: set[FromClause] = set()
    joined: list[tuple[FromClause, FromClause]] = []
    for element in visitors.iterate(statement):
        if not isinstance(element, BinaryExpression) or element.operator is not operators.eq:
            continue
        left, right = element.left, element.right
        if not (isinstance(left, Column) and left.name == "bucket"):
            continue
        if isinstance(right, BindParameter) and right.key == BUCKET.key:
            bound.add(left.table)
        elif isinstance(right, Column) and right.name == "bucket":
            joined.append((left.table, right.table))
    for _ in joined:
        for first, second in joined:
            if first in bound or second in bound:
                bound |= {first, second}
    return bound
