"""Passes a list of numbers to a statement as one bound parameter, for the same reasons as a list of ids."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Integer, Select, bindparam, column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from uplift.storage.sql.types import NUMBERS


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


def numbers_in(parameter: str, type_: TypeEngine[Sequence[int]] = NUMBERS) -> Select[Any]:
    """The numbers of a list that is bound by this name. They have 32 bits, and 64 with the type LONGS."""
    unpacked = _UnpackedNumbers(bindparam(parameter, type_=type_))
    return select(unpacked.table_valued(column("value", Integer), name=parameter).c.value)
