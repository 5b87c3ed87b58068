"""The health probes `/healthz` and `/readyz`."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from structlog import get_logger

from uplift.storage.database import Database

TIMEOUT = 5
"""Seconds in which the database must answer, or the gateway is not ready."""


def health_routes(database: Database) -> list[BaseRoute]:
    """`/healthz` checks the program, `/readyz` its database too. Neither needs an API key."""

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        try:
            async with asyncio.timeout(TIMEOUT):
                await database.ping()
        except Exception:
            get_logger().warning("not ready: the database does not answer or takes no writes", exc_info=True)
            return JSONResponse(
                {"status": "unavailable", "database": "does not answer or takes no writes"}, status_code=503
            )
        return JSONResponse({"status": "ok", "database": "answers"})

    return [Route("/healthz", alive), Route("/readyz", ready)]
