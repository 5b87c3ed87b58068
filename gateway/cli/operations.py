"""On what does a command operate: a database here, or a gateway somewhere else?"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from uplift.domain.errors import InvalidInput
from uplift.domain.model.process import ProcessKey
from uplift.gateway.auth.keys import is_well_formed
from uplift.gateway.cli.runner import local_caller, opened_store, settings_with
from uplift.gateway.operations.client import OperationsClient
from uplift.gateway.operations.local import LocalClient
from uplift.gateway.operations.remote import Gateway
from uplift.gateway.settings import without_password
from uplift.gateway.worker import worker_name

Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", envvar="UPLIFT_URL", help="A gateway to ask instead.")
]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", envvar="UPLIFT_KEY", help="The API key for that gateway."),
]


@asynccontextmanager
async def operator_for(
    url: str | None, key: str | None, database_url: str | None
) -> AsyncIterator[OperationsClient]:
    """The gateway at the URL, or else the database. Raises InvalidInput for both, or for a missing key."""
    if url is None:
        settings = settings_with(database_url=database_url)
        async with opened_store(settings, must_exist=True) as store:
            yield LocalClient(store, local_caller(), settings.build_worker(worker_name()))
        return
    if database_url is not None:
        raise InvalidInput(
            "Expected either a gateway or a database, but got both "
            f"{without_password(url)} (--url or UPLIFT_URL) and --database-url."
        )
    if key is None:
        raise InvalidInput("Expected an API key for the gateway, as --key or UPLIFT_KEY, but got none.")
    if not is_well_formed(key.strip()):  # never shown: it may be another secret, pasted by mistake
        raise InvalidInput(
            "Expected an API key as 'uplift keys create' shows it, but what is given as --key or UPLIFT_KEY "
            "is none, or mistyped."
        )
    yield Gateway(url=url, key=key.strip())


def process_key(name: str) -> ProcessKey:
    """The process that NAMESPACE/CODE names. Raises InvalidInput."""
    namespace, slash, code = name.partition("/")
    if not slash or not namespace or not code:
        raise InvalidInput(f"Expected the process as NAMESPACE/CODE, but got {name!r}.")
    return ProcessKey(namespace=namespace, code=code)
