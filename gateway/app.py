"""The composition root: builds the web application from its parts."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from uplift.console.page import ConsolePage
from uplift.domain.clock import Clock
from uplift.domain.model.access import ApiKey
from uplift.domain.rules.comparer import Comparer
from uplift.domain.scope import visible_to
from uplift.engines.registry import engine_of
from uplift.gateway.auth.key_uses import KeyUses
from uplift.gateway.auth.keys import Authenticator, present_key
from uplift.gateway.auth.stream_watch import StreamWatch
from uplift.gateway.comparing.process_comparer import ProcessComparer
from uplift.gateway.database_clock import DatabaseClock
from uplift.gateway.http.cors import cors_middleware
from uplift.gateway.http.health import health_routes
from uplift.gateway.http.home import home_route
from uplift.gateway.http.rate_limit import RateLimit
from uplift.gateway.link_worker import LinkWorker
from uplift.gateway.memory import QuietCollection
from uplift.gateway.observability.measured_engine import MeasuredEngine
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.observability.refusals import StreamRefusals
from uplift.gateway.settings import Settings
from uplift.gateway.worker import UpgradeWorker, worker_name
from uplift.graphql_api.context import Context
from uplift.graphql_api.engine.endpoint import GraphQLEndpoint, graphql_routes
from uplift.graphql_api.engine.streams import Streams
from uplift.graphql_api.ide import GraphiQLPage
from uplift.graphql_api.loaders import Loaders
from uplift.graphql_api.schema import build_schema
from uplift.graphql_api.server_info import ServerInfo
from uplift.rest_compat.routes import rest_routes
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.web.origins import Origins
from uplift.web.request_memory import RequestMemory
from uplift.web.request_slots import RequestSlots

EXAMPLE_QUERY = """\
query Overview {
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


def build_app(
    store: SqlStore,
    settings: Settings,
    metrics: Metrics | None = None,
    stopping: asyncio.Event | None = None,
) -> Starlette:
    """The application over an open store. It runs upgrades itself unless the setting `worker` is off.

    Set `stopping` at shutdown: then event streams and requests that wait for an upgrade end, and the worker
    stops after its current chunks.
    """
    metrics, stopping = metrics or Metrics(), stopping or asyncio.Event()
    keys = SqlKeys(store.database)
    clock = DatabaseClock(store.database)
    uses = KeyUses(keys, clock)
    rate_limit = RateLimit(settings.rate_limit) if settings.rate_limit else None
    authenticate = Authenticator(keys, uses, rate_limit, clock)
    limits = settings.graphql_limits()
    server = ServerInfo(
        model_limits=settings.document_limits(), rate_limit=rate_limit.rate if rate_limit else None
    )
    origins = Origins(settings.allowed_origins)
    comparer = settings.process_comparer(present_key)
    worker = settings.build_worker(worker_name(), clock=clock, on_chunk=metrics.chunk_done, comparer=comparer)

    async def context_for(headers: Mapping[str, str]) -> Context:
        caller = await authenticate(headers.get("authorization"))
        visible = visible_to(store, caller)
        return Context(
            store=visible,
            caller=caller,
            worker=worker,
            wait_seconds=settings.wait_seconds,
            loaders=Loaders(visible),
            stopping=stopping,
            limits=limits,
            server=server,
            connect=engine_of,
            on_settled=metrics.orders_settled,
        )

    async def owner_of(headers: Mapping[str, str]) -> ApiKey:
        return await authenticate.recheck(headers.get("authorization"))

    memory = RequestMemory(max_body_bytes=settings.max_body_bytes)
    slots = RequestSlots(settings.max_operations, settings.max_operations_per_key)
    streams = Streams(limits, owner_of=owner_of, on_refusal=StreamRefusals(metrics).note)
    page = GraphiQLPage(default_query=EXAMPLE_QUERY, path="/graphql")
    endpoint = GraphQLEndpoint(
        build_schema(),
        context_for=context_for,
        limits=limits,
        allowed_origins=settings.allowed_origins,
        ide=page if settings.introspection else None,
        recheck=owner_of,
        streams=streams,
        stopping=stopping,
        memory=memory,
        slots=slots,
        caller_of=lambda context: context.caller.name,
    )
    app = Starlette(
        routes=[
            *graphql_routes("/graphql", endpoint),
            *(page.static_routes() if settings.introspection else []),
            *(ConsolePage(path="/console").routes() if settings.console else []),
            *home_routes(settings),
            *health_routes(store.database),
            *rest_routes(
                store, authenticate, worker, settings.rest_limits(), stopping, origins, memory, slots
            ),
        ],
        middleware=cors_middleware(origins),
        lifespan=partial(
            background_tasks,
            store,
            settings,
            metrics,
            uses,
            StreamWatch(keys, streams, clock),
            clock,
            comparer,
            QuietCollection(memory, store.database),
            stopping,
        ),
    )
    # Starlette would redirect a trailing slash to an absolute URL, which a proxy may have under another name.
    app.router.redirect_slashes = False
    return app


def home_routes(settings: Settings) -> list[BaseRoute]:
    """The route of `/`, which leads to the console or else to GraphiQL, if one of them is served."""
    if settings.console:
        return [home_route("/console")]
    return [home_route("/graphql")] if settings.introspection else []


def upgrade_worker(
    store: SqlStore,
    settings: Settings,
    metrics: Metrics,
    clock: Clock,
    comparer: Comparer,
    stopping: asyncio.Event,
) -> UpgradeWorker:
    """A worker with these settings."""
    return UpgradeWorker(
        store,
        settings.build_worker(worker_name(), clock=clock, on_chunk=metrics.chunk_done, comparer=comparer),
        on_failure=metrics.upgrade_failed,
        concurrency=settings.worker_concurrency,
        stopping=stopping,
        stop_timeout=settings.stop_seconds,
    )


def link_worker(
    store: SqlStore,
    settings: Settings,
    metrics: Metrics,
    clock: Clock,
    comparer: Comparer,
    stopping: asyncio.Event,
) -> LinkWorker:
    """A worker that holds links, with these settings."""
    return LinkWorker(
        store,
        settings.build_worker(worker_name(), clock=clock, comparer=comparer),
        stopping=stopping,
        stop_timeout=settings.stop_seconds,
        connect=lambda link: MeasuredEngine(engine_of(link), link.name, metrics),
        private_webhooks=settings.webhook_private_addresses,
    )


@asynccontextmanager
async def background_tasks(
    store: SqlStore,
    settings: Settings,
    metrics: Metrics,
    uses: KeyUses,
    watch: StreamWatch,
    clock: DatabaseClock,
    comparer: ProcessComparer,
    collection: QuietCollection,
    stopping: asyncio.Event,
    _: Starlette,
) -> AsyncIterator[None]:
    """Starlette's lifespan: stores key uses, watches keys, collects garbage and runs upgrades."""
    try:
        async with (
            following_clock(clock, stopping),
            storing_key_uses(uses, stopping),
            beside(watch.check_until(stopping), stopping),
            beside(collection.run_until(stopping), stopping),
            running_upgrades(store, settings, metrics, clock, comparer, stopping),
        ):
            yield
    finally:
        await comparer.close()


@asynccontextmanager
async def following_clock(clock: DatabaseClock, stopping: asyncio.Event) -> AsyncIterator[None]:
    """Keeps the clock at the time of the database."""
    await clock.measure()
    async with beside(clock.measure_until(stopping), stopping):
        yield


@asynccontextmanager
async def storing_key_uses(uses: KeyUses, stopping: asyncio.Event) -> AsyncIterator[None]:
    """Stores the uses of API keys at intervals, and at the end."""
    try:
        async with beside(uses.store_until(stopping), stopping):
            yield
    finally:
        await uses.store()


@asynccontextmanager
async def running_upgrades(
    store: SqlStore,
    settings: Settings,
    metrics: Metrics,
    clock: Clock,
    comparer: Comparer,
    stopping: asyncio.Event,
) -> AsyncIterator[None]:
    """Runs upgrades and links, unless other programs do. At the end it waits for chunks and requests."""
    if not settings.worker:
        yield
        return
    worker = upgrade_worker(store, settings, metrics, clock, comparer, stopping)
    links = link_worker(store, settings, metrics, clock, comparer, stopping)
    async with beside(worker.run(), stopping), beside(links.run(), stopping):
        yield


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None], stopping: asyncio.Event) -> AsyncIterator[None]:
    """Runs work beside the block. At its end it sets `stopping`, by which the work ends, and waits for it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        stopping.set()
        await task
