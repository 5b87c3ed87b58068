"""Writes what commands show, so that a failure to write never hides the result of an operation.

A terminal may lack letters, a pipe may be closed, a disk may be full. Commands that change something call
`report`: they end as their operation did. Commands whose output is their result call `show` or write to
`data_output`: they end with ExitCode.UNWRITTEN if it could not be written. A pipe that its reader has closed
is no failure.
"""

import errno
import io
import json
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, NoReturn, TextIO

import typer
from rich.console import Console, RenderableType
from rich.text import Text

WIDTH_OF_FILES = 200
"""Columns in files and pipes, so that lines are not wrapped."""


class ExitCode(IntEnum):
    """How a program ended. Codes from 64 on are those of sysexits.h; 130 is the shell's for Ctrl+C."""

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    CRASHED = 70
    UNWRITTEN = 74
    INTERRUPTED = 130


class OutputError(Exception):
    """Standard output could not be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"Expected to write standard output, but: {error.strerror}.")
        self.is_closed_pipe = error.errno == errno.EPIPE


class _Sink(io.FileIO):
    """A stream's file. It keeps its first error, and discards what cannot be written, unless `is_strict`."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.error: OSError | None = None
        self.is_strict = False

    def write(self, data: Any, /) -> int:
        try:
            while (written := super().write(data)) is None:  # the other end has made it non-blocking
                select.select([], [self], [])
        except OSError as error:
            self.error = self.error or error
            if self.is_strict:
                raise
            return memoryview(data).nbytes
        return written


def protect_streams() -> None:
    """Make standard output and standard error streams that take any letter, and never raise."""
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started the program: no other file may take its descriptor
            descriptor = os.open(os.devnull, os.O_RDWR)
            stream = os.fdopen(descriptor) if name == "stdin" else _stream(descriptor, "utf-8")
        elif name != "stdin":
            stream = _protected(stream)
        setattr(sys, name, stream)


def _protected(stream: TextIO) -> TextIO:
    if os.name != "posix":  # Windows has a file of its own for consoles
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        return stream
    stream.flush()
    return _stream(stream.fileno(), stream.encoding)


def _stream(descriptor: int, encoding: str) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(_Sink(descriptor)),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=True,
    )


def console() -> Console:
    """Standard output for tables."""
    out = Console(highlight=False, markup=False)
    if out.is_terminal or "COLUMNS" in os.environ:
        return out
    return Console(width=WIDTH_OF_FILES, highlight=False, markup=False)


def report(output: RenderableType) -> None:
    """Print the result of an operation. Its exit code does not depend on whether that succeeds."""
    if isinstance(output, str):
        sys.stdout.write(f"{output}\n")
    else:
        console().print(output)
    sys.stdout.flush()


def report_json(value: Any) -> None:
    """As `report`, as JSON. Letters are escaped if the terminal may lack them."""
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    report(json.dumps(value, indent=2, ensure_ascii=not is_unicode))


def show(output: RenderableType, *, lost: str = "") -> None:
    """Print what a command is for. Exits with UNWRITTEN and the sentence `lost` if that fails."""
    report(output)
    if (error := _error_of_output()) is not None and error.errno != errno.EPIPE:
        _exit_unwritten(OutputError(error), lost)


@contextmanager
def data_output() -> Iterator[TextIO]:
    """Standard output for data, always in UTF-8, whatever the terminal. Raises OutputError."""
    sys.stdout.flush()
    sink = _sink()
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    if sink is not None:
        sink.is_strict = True
    try:
        yield out
        out.flush()
    except OSError as error:
        raise OutputError(error) from error
    finally:
        if sink is not None:
            sink.is_strict = False
        out.detach()


def write_data(text: str) -> None:
    """Write data to standard output; exit with UNWRITTEN if that fails."""
    try:
        with data_output() as out:
            out.write(text)
    except OutputError as error:
        exit_after(error)


def exit_after(error: OutputError) -> NoReturn:
    """End a command whose output could not be written."""
    if error.is_closed_pipe:
        raise typer.Exit(ExitCode.DONE)
    _exit_unwritten(error)


def complain(message: str) -> None:
    """Print an error on standard error, in red on a terminal."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(message, style="red"))


def complain_of_output() -> None:
    """Say so if something could not be written, unless the reader of a pipe has closed it."""
    if (error := _error_of_output()) is not None and error.errno != errno.EPIPE:
        complain(str(OutputError(error)))


def is_output_lost() -> bool:
    """Whether nobody has read the last output."""
    return _error_of_output() is not None


def _exit_unwritten(error: OutputError, lost: str = "") -> NoReturn:
    complain(f"{error} {lost}".rstrip())
    _mark_reported()
    raise typer.Exit(ExitCode.UNWRITTEN)


def _mark_reported() -> None:
    if (sink := _sink()) is not None:
        sink.error = None


def _error_of_output() -> OSError | None:
    sys.stdout.flush()
    sink = _sink()
    return None if sink is None else sink.error


def _sink() -> _Sink | None:
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw if isinstance(raw, _Sink) else None
