"""Passes a list of cohorts of upgrades to a statement as one bound parameter.

The cohorts of a filter may be thousands. An IN list of them is limited in length, and PostgreSQL compares
each row with each of its values. Of the table that the parameter is unpacked into, both databases make an
index.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Integer, Select, Text, bindparam, column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

COHORT = ("upgrade_id", "version", "status", "position_id", "origin_version", "origin_position_id")
"""The columns that identify a cohort of an upgrade, in `decision` and in `outcome`."""
IN_SQLITE = (
    "(SELECT value ->> 0 AS upgrade_id, value ->> 1 AS version, value ->> 2 AS status,"
    " value ->> 3 AS position_id, value ->> 4 AS origin_version, value ->> 5 AS origin_position_id"
    " FROM json_each({}))"
)
IN_POSTGRESQL = (
    "(SELECT (value ->> 0)::integer AS upgrade_id, (value ->> 1)::integer AS version,"
    " (value ->> 2)::integer AS status, (value ->> 3)::integer AS position_id,"
    " (value ->> 4)::integer AS origin_version, (value ->> 5)::integer AS origin_position_id"
    " FROM jsonb_array_elements(CAST({} AS jsonb)) AS listed(value))"
)


class _UnpackedCohorts(FunctionElement[Any]):
    """A table function that unpacks a JSON list of lists of numbers into rows of the columns COHORT."""

    inherit_cache = True
    name = "cohorts"


@compiles(_UnpackedCohorts, "sqlite")
def _unpacked_in_sqlite(element: _UnpackedCohorts, compiler: SQLCompiler, **options: Any) -> str:
    return IN_SQLITE.format(compiler.process(element.clauses, **options))


@compiles(_UnpackedCohorts, "postgresql")
def _unpacked_in_postgresql(element: _UnpackedCohorts, compiler: SQLCompiler, **options: Any) -> str:
    return IN_POSTGRESQL.format(compiler.process(element.clauses, **options))


def cohorts_in(parameter: str) -> Select[Any]:
    """The cohorts that `bind_cohorts` has bound by this name."""
    unpacked = _UnpackedCohorts(bindparam(parameter, type_=Text()))
    listed = unpacked.table_valued(*(column(name, Integer) for name in COHORT), name=parameter)
    return select(*(listed.c[name] for name in COHORT))


def bind_cohorts(cohorts: Iterable[Sequence[int]]) -> str:
    """The value of the parameter: numbers in the order of COHORT, as they are stored, for each cohort."""
    return json.dumps([list(cohort) for cohort in cohorts])
