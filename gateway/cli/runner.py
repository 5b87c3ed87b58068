"""Runs a command: its settings, its database or gateway, and its error messages."""

import asyncio
import getpass
import os
import re
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
from uplift.gateway.auth.keys import LOCAL_PREFIX, is_well_formed
from uplift.gateway.cli.output import ExitCode, OutputError, complain, exit_after
from uplift.gateway.database import database_in, open_store
from uplift.gateway.database_clock import DatabaseClock
from uplift.gateway.files.importer import ImportFailedError
from uplift.gateway.operations.client import OperationsClient
from uplift.gateway.operations.local import LocalClient
from uplift.gateway.operations.remote import RemoteClient, RemoteError
from uplift.gateway.settings import Settings, environment_variable, without_password
from uplift.gateway.worker import worker_name
from uplift.storage.citus.examination import UnsafeCluster
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
    except InvalidInput as error:
        fail(error.message)
    except OSError as error:
        fail(f"Expected to read the secret {error.filename}, but: {error.strerror}.")
    except SettingsError as error:
        fail(_unreadable(error))


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command to its end. An expected error ends the program with one sentence and exit code 1."""
    try:
        # uvloop, as uvicorn would choose: it halves the cost of switching to the database's threads.
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            return runner.run(work)
    except (UpliftError, WrongSchema, UnsafeCluster) as error:
        fail(error.message)
    except (ImportFailedError, RemoteError) as error:
        fail(str(error))
    except DBAPIError as error:
        fail(f"Expected the database to answer, but: {error.orig}.")
    except OutputError as error:
        exit_after(error)
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except OSError as error:
        fail(f"Expected to use {error.filename}, but: {error.strerror}." if error.filename else str(error))


def fail(message: str, *, code: int = ExitCode.FAILED) -> NoReturn:
    """Print an error on standard error, and exit with this code."""
    complain(message)
    raise typer.Exit(code)


@asynccontextmanager
async def opened_store(settings: Settings, *, must_exist: bool = False) -> AsyncIterator[SqlStore]:
    """The store that the settings name. Raises InvalidInput when it must exist but does not."""
    store = await open_store(_place(settings, must_exist))
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def opened_database(settings: Settings, *, must_exist: bool = False) -> AsyncIterator[Database]:
    """Like `opened_store`, but a database with any schema."""
    database = database_in(_place(settings, must_exist))
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def operations_client(
    url: str | None, api_key: str | None, database_url: str | None
) -> AsyncIterator[OperationsClient]:
    """A client for the gateway at the URL, else for the database.

    Raises InvalidInput for a URL together with a database, or without an API key.
    """
    if url is None:
        settings = settings_with(database_url=database_url)
        async with opened_store(settings, must_exist=True) as store:
            clock = await DatabaseClock.measured(store.database)
            yield LocalClient(store, local_caller(), settings.build_worker(worker_name(), clock=clock))
        return
    if database_url is not None:
        raise InvalidInput(
            "Expected either a gateway or a database, but got both "
            f"{without_password(url)} (--url or UPLIFT_URL) and --database-url."
        )
    if api_key is None:
        raise InvalidInput(
            "Expected an API key for the gateway, as --api-key or UPLIFT_API_KEY, but got none."
        )
    if not is_well_formed(api_key.strip()):  # not shown: it may be another secret, pasted by mistake
        raise InvalidInput(
            "Expected an API key as 'uplift keys create' shows it, but the value of --api-key or "
            "UPLIFT_API_KEY has another form: it may be mistyped."
        )
    yield RemoteClient(url=url, api_key=api_key.strip())


def _place(settings: Settings, must_exist: bool) -> Path | URL:
    place = settings.database
    if must_exist and isinstance(place, Path) and not place.exists():
        raise InvalidInput(f"Expected to find the database {place}, but there is no such file.")
    return place


def local_caller() -> Caller:
    """The caller of commands on the database itself: a user who can open it may do everything."""
    return Caller(name=f"{LOCAL_PREFIX}{_user()}", role=Role.SYSTEM_ADMIN)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the user of a container may have no name
        return str(os.getuid())


def _unreadable(error: SettingsError) -> str:
    """Names the setting, which only the text of the error has, and what its text should have been."""
    found = re.search(r'field "(\w+)"', str(error))
    variable = environment_variable(found[1]) if found else "every setting"
    expected = "text in UTF-8" if isinstance(error.__cause__, UnicodeError) else "a JSON list of strings"
    return f"Expected {variable} to be {expected}, but: {error.__cause__}."


def _sentence(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    return (
        f"Expected the setting {name} ({environment_variable(name)}) to be valid, "
        f"but got {error['input']!r}: {error['msg']}."
    )
