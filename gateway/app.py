"""How the parts are put together into one web application: the composition root."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial

from starlette.applications import Starlette
from structlog import get_logger

from domain.upgrading import continue_upgrade
from gateway.health import health_routes
from gateway.keys import authenticator
from gateway.settings import Settings
from graphql_api.context import Context, context_of
from graphql_api.http import GraphQLEndpoint, graphql_routes
from graphql_api.ide import GraphiQLPage
from graphql_api.schema import build_schema
from rest_compat.routes import rest_routes
from storage.keys import SqlKeys
from storage.store import SqlStore

EXAMPLE_QUERY = """\
{
  processes(first: 10) {
    nodes {
      namespace
      code
      latestPublishedVersion { number }
      cohorts { version status position count }
    }
  }
}
"""


def build_app(store: SqlStore, settings: Settings) -> Starlette:
    """The application over an open store. Unfinished upgrades go on as soon as it starts."""
    authenticate = authenticator(SqlKeys(store.database))

    async def context_for(headers: Mapping[str, str]) -> Context:
        return context_of(store, await authenticate(headers.get("authorization")))

    page = GraphiQLPage(default_query=EXAMPLE_QUERY, static_path="/graphql/static")
    endpoint = GraphQLEndpoint(
        build_schema(),
        context_for=context_for,
        limits=settings.graphql_limits(),
        allowed_origins=settings.allowed_origins,
        ide=page if settings.introspection else None,
    )
    return Starlette(
        routes=[
            *graphql_routes("/graphql", endpoint),
            *(page.static_routes() if settings.introspection else []),
            *health_routes(store.database),
            *rest_routes(store, authenticate, settings.rest_limits()),
        ],
        lifespan=partial(finishing_upgrades, store),
    )


@asynccontextmanager
async def finishing_upgrades(store: SqlStore, _: Starlette) -> AsyncIterator[None]:
    """While the application runs, work off what is unfinished; a chunk that is under way ends first."""
    task = asyncio.create_task(finish_upgrades(store))
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def finish_upgrades(store: SqlStore) -> None:
    """Go on with the upgrades that an earlier run of the program left unfinished."""
    for upgrade in await store.unfinished_upgrades():
        get_logger().info("going on with an unfinished upgrade", upgrade=str(upgrade.id), done=upgrade.total)
        await continue_upgrade(store, upgrade)
