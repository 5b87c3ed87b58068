"""How does a command run: with which settings, on which store, and how does it say what went wrong?"""

import asyncio
import getpass
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from uvicorn.loops.auto import auto_loop_factory

from uplift.domain.errors import InvalidInput, UpliftError
from uplift.domain.model.access import Caller, Role
from uplift.gateway.database import database_in, open_store
from uplift.gateway.files.importer import ImportFailedError
from uplift.gateway.operations.remote import RemoteError
from uplift.gateway.settings import Settings, environment_variable
from uplift.storage.database import Database
from uplift.storage.schema import WrongSchema
from uplift.storage.store import SqlStore

Result = TypeVar("Result")


def settings_with(**options: Any) -> Settings:
    """The settings of the environment. An option wins, unless it is absent: None or an empty list."""
    try:
        return Settings(**{name: value for name, value in options.items() if value not in (None, [])})
    except ValidationError as error:
        fail(" ".join(map(_sentence, error.errors())))
    except SettingsError as error:
        fail(f"Expected UPLIFT_ALLOWED_ORIGINS to be a JSON list of strings, but: {error.__cause__}.")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's work to its end; what may go wrong is said in a sentence, with exit code 1."""
    try:
        # The loop that uvicorn would choose itself, uvloop: steps to the database's threads cost it half.
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            return runner.run(work)
    except (UpliftError, WrongSchema) as error:
        fail(error.message)
    except (ImportFailedError, RemoteError) as error:
        fail(str(error))
    except DBAPIError as error:
        fail(f"Expected the database to answer, but: {error.orig}.")
    except BrokenPipeError:  # whoever read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except OSError as error:
        fail(f"Expected to use {error.filename}, but: {error.strerror}." if error.filename else str(error))


def fail(message: str, *, code: int = 1) -> NoReturn:
    """Say what went wrong on standard error and leave with this exit code."""
    typer.secho(message, err=True, fg=typer.colors.RED)
    raise typer.Exit(code)


@asynccontextmanager
async def opened_store(settings: Settings, *, must_exist: bool = False) -> AsyncIterator[SqlStore]:
    """The store that the settings name. Raises InvalidInput when it must exist and does not."""
    store = await open_store(_place(settings, must_exist))
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def opened_database(settings: Settings, *, must_exist: bool = False) -> AsyncIterator[Database]:
    """As `opened_store`, but with whichever schema."""
    database = database_in(_place(settings, must_exist))
    try:
        yield database
    finally:
        await database.close()


def _place(settings: Settings, must_exist: bool) -> Path | URL:
    where = settings.database
    if must_exist and isinstance(where, Path) and not where.exists():
        raise InvalidInput(f"Expected to find the database {where}, but there is no such file.")
    return where


def local_caller() -> Caller:
    """Who works on the database directly: whoever may open it may do everything."""
    return Caller(name=f"cli:{_user()}", role=Role.SYSTEM_ADMIN)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user whom nobody has named
        return str(os.getuid())


def _sentence(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    return (
        f"Expected the setting {name} ({environment_variable(name)}) to be valid, "
        f"but got {error['input']!r}: {error['msg']}."
    )
