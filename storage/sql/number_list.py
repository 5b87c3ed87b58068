"""Passes a list of numbers to a statement as one bound parameter, for the same reasons as a list of ids."""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Integer, Select, bindparam, column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType

from uplift.storage.sql.types import LONGS, NUMBERS


class _UnpackedNumbers(FunctionElement[Any]):
    """A table function that unpacks a list of numbers into rows `(value)`."""

    inherit_cache = True
    name = "numbers"


@compiles(_UnpackedNumbers, "sqlite")
def _unpacked_in_sqlite(element: _UnpackedNumbers, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_UnpackedNumbers, "postgresql")
def _unpacked_in_postgresql(element: _UnpackedNumbers, compiler: SQLCompiler, **options: Any) -> str:
    return f"(SELECT unnest({compiler.process(element.clauses, **options)}) AS value)"


class _IsListed(FunctionElement[bool]):
    """Whether a number is in a list."""

    inherit_cache = True
    name = "is_listed"
    type = Boolean()

    def self_group(self, against: OperatorType | None = None) -> Any:
        """As it is. SQLAlchemy would add `= 1` on SQLite, which then finds no index for it."""
        del against
        return self


@compiles(_IsListed, "sqlite")
def _is_listed_in_sqlite(element: _IsListed, compiler: SQLCompiler, **options: Any) -> str:
    number, numbers = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{number} IN (SELECT value FROM json_each({numbers}))"  # noqa: S608  # compiled parts, no values


@compiles(_IsListed, "postgresql")
def _is_listed_in_postgresql(element: _IsListed, compiler: SQLCompiler, **options: Any) -> str:
    number, numbers = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{number} = ANY ({numbers})"


def is_listed(number: ColumnElement[int | None], parameter: str) -> ColumnElement[bool]:
    """Whether a number is in the list of 64-bit numbers that is bound by this name.

    PostgreSQL seeks each number in an index. For IN with a subquery it may join the list with all rows that
    meet the other conditions, of which it expects few in a table that was not analyzed yet.
    """
    return _IsListed(number, bindparam(parameter, type_=LONGS))


def numbers_in(parameter: str) -> Select[Any]:
    """The numbers of a list that is bound by this name."""
    unpacked = _UnpackedNumbers(bindparam(parameter, type_=NUMBERS))
    return select(unpacked.table_valued(column("value", Integer), name=parameter).c.value)
