"""Prepares repeated statements.

SQLAlchemy caches the SQL of a statement, but looks up the processors of its values and rows at each
execution. For a small statement that takes longer than SQLite does. A prepared statement looks them up once.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

Process = Callable[[Any], Any]
RUN_INLINE = {"run_inline": True}
"""The execution options of a statement that reads a few rows, each by a unique index.

SQLite executes it faster than a switch to another thread and back, which may take milliseconds on a machine
with few cores. So it runs on the thread of the event loop.
"""
RUN_IN_THREAD = {"run_inline": False}
"""The execution options of a statement that may take long, even in a transaction on a few instances."""


FEW_ROWS = 4
"""Up to so many rows of parameters are converted row by row."""


class Rows:
    """The result of a statement: its rows, the number of changed rows, the primary key of an inserted row."""

    __slots__ = ("_rows", "inserted_primary_key", "rowcount")

    def __init__(self, rows: list[Any], rowcount: int, lastrowid: int | None) -> None:
        self._rows = rows
        self.rowcount = rowcount
        self.inserted_primary_key = (lastrowid,)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        return self._rows

    def one_or_none(self) -> Any:
        if len(self._rows) > 1:
            raise MultipleResultsFound(f"Expected at most one row, but there are {len(self._rows)}.")
        return self._rows[0] if self._rows else None

    def scalar_one_or_none(self) -> Any:
        row = self.one_or_none()
        return None if row is None else row[0]

    def scalar_one(self) -> Any:
        if not self._rows:
            raise NoResultFound("Expected one row, but there is none.")
        return self.scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a statement: bound by name, or a constant if `name` is None."""

    name: str | None
    constant: Any
    process: Process | None


class PreparedStatement:
    """A statement as SQL, with the processors of its parameters and its rows."""

    def __init__(self, statement: Any, compiled: SQLCompiler, dialect: Dialect) -> None:
        self.sql = compiled.string
        self.run_inline: bool | None = statement.get_execution_options().get("run_inline")
        names = compiled.positiontup or ()
        parameters = {name: _parameter(compiled, dialect, name) for name in names}
        # A long list of ids is bound several times: it is converted once.
        bound = [name for name, parameter in parameters.items() if parameter.name is not None]
        fixed = [name for name, parameter in parameters.items() if parameter.name is None]
        self._bound = bound
        self._constants = [parameters[name].constant for name in fixed]
        self._converters = _converters(parameters[name].process for name in bound)
        order = [*bound, *fixed]
        self._places = None if order == list(names) else [order.index(name) for name in names]
        columns = [] if statement.is_dml else list(statement.selected_columns)
        self._readers = _converters(_reader(column.type, dialect) for column in columns)
        self._make_row = _row_maker([column.key for column in columns])

    def bind(self, bound: Mapping[str, Any]) -> tuple[Any, ...]:
        """The parameters of one execution."""
        values = [bound[name] for name in self._bound]
        for place, process in self._converters:
            values[place] = process(values[place])
        values += self._constants
        return tuple(values if self._places is None else [values[place] for place in self._places])

    def bind_all(self, bound: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        """The parameters of many executions. Converts column by column, which is faster than row by row."""
        if len(bound) <= FEW_ROWS:
            return [self.bind(parameters) for parameters in bound]
        columns: list[list[Any]] = [[parameters[name] for parameters in bound] for name in self._bound]
        for place, process in self._converters:
            columns[place] = [process(value) for value in columns[place]]
        columns += [[constant] * len(bound) for constant in self._constants]
        if self._places is not None:
            columns = [columns[place] for place in self._places]
        return list(zip(*columns, strict=True))

    def read(self, rows: Sequence[Any]) -> list[Any]:
        """The rows as named tuples, converted to Python values."""
        make, readers = self._make_row, self._readers
        if not readers:
            return [make(row) for row in rows]
        read = []
        for row in rows:
            values = list(row)
            for place, process in readers:
                values[place] = process(values[place])
            read.append(make(values))
        return read


class StatementCache:
    """Caches prepared statements. A statement is prepared when it is executed for the second time."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._statements: WeakKeyDictionary[Any, dict[tuple[str, ...], PreparedStatement | None]] = (
            WeakKeyDictionary()
        )

    def prepared(self, statement: Any, names: tuple[str, ...]) -> PreparedStatement | None:
        """The statement for parameters of these names; None if it is new or its SQL depends on the values."""
        known = self._statements.get(statement)
        if known is None:
            self._statements[statement] = {}
            return None
        if names not in known:
            known[names] = self._prepare(statement, names)
        return known[names]

    def _prepare(self, statement: Any, names: tuple[str, ...]) -> PreparedStatement | None:
        # SQLAlchemy executes the others itself: the SQL of an expanding IN depends on its values, and
        # columns of RETURNING have no processors here.
        compiled = statement.compile(dialect=self._dialect, column_keys=names)
        has_known_columns = statement.is_select or (statement.is_dml and not compiled.effective_returning)
        if compiled.post_compile_params or not has_known_columns:
            return None
        return PreparedStatement(statement, compiled, self._dialect)


def _row_maker(names: list[str]) -> Callable[[Sequence[Any]], Any]:
    row: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # the names are those of a statement
    # What `row._make` does, without its check of the length: SQLite returns a value for each column.
    return partial(tuple.__new__, row)


def _converters(processes: Iterable[Process | None]) -> list[tuple[int, Process]]:
    """The processes of those columns that have one, with their places."""
    return [(place, process) for place, process in enumerate(processes) if process is not None]


def _parameter(compiled: SQLCompiler, dialect: Dialect, name: str) -> Parameter:
    # `positiontup`, `binds` and `effective_value` are undocumented; SQLAlchemy's compiler has no public way
    # to list the parameters in their order.
    bind = compiled.binds[name]
    process = bind.type.dialect_impl(dialect).bind_processor(dialect)
    if bind.required:
        return Parameter(name=name, constant=None, process=process)
    constant = bind.effective_value if process is None else process(bind.effective_value)
    return Parameter(name=None, constant=constant, process=None)


def _reader(type_: TypeEngine[Any], dialect: Dialect) -> Process | None:
    return type_.dialect_impl(dialect).result_processor(dialect, None)
