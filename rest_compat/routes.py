"""Where in a web application is the legacy REST path, and how is a request to it answered?

app = Starlette(routes=[*rest_routes(store, authenticate, worker), ...])
"""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from uplift.domain.model.access import Authenticate
from uplift.domain.ports import Store
from uplift.domain.use_cases.run import Worker
from uplift.rest_compat.errors import refusal_of
from uplift.rest_compat.openapi import openapi_document
from uplift.rest_compat.replies import json_response, refusal_response
from uplift.rest_compat.request_body import RestLimits
from uplift.rest_compat.requests import (
    STATUS_PATH,
    UPGRADE_PATH,
    AllowsOrigin,
    check_method,
    no_page,
    no_such_path,
)
from uplift.rest_compat.status import UpgradeStatus
from uplift.rest_compat.upgrade import Upgrading

__all__ = ["RestLimits", "rest_routes"]

Answer = Callable[[Scope, Receive], Awaitable[Response]]


def rest_routes(
    store: Store,
    authenticate: Authenticate,
    worker: Worker,
    limits: RestLimits | None = None,
    stopping: asyncio.Event | None = None,
    allows_origin: AllowsOrigin = no_page,
) -> list[BaseRoute]:
    """The routes of the legacy path, its status resource, its document, and a 404 for all else below `/pub`.

    `worker` says how much is moved at once; whoever works off the queue of the store moves what is larger.
    Once `stopping` is set, no client waits for the end of its upgrade any longer.
    `allows_origin` tells which web pages may ask for upgrades.
    """
    upgrading = Upgrading(
        store=store,
        authenticate=authenticate,
        worker=worker,
        limits=limits or RestLimits(),
        stopping=stopping or asyncio.Event(),
        allows_origin=allows_origin,
    )
    status = UpgradeStatus(store=store, authenticate=authenticate)
    return [
        Route(UPGRADE_PATH, _Endpoint(upgrading.answer)),
        Route(STATUS_PATH, _Endpoint(status.answer)),
        Route("/openapi.json", _Endpoint(_serving(openapi_document()))),
        # Without these Starlette would redirect a trailing slash, but here it makes another path
        # (rest.md#the-path).
        Route("/pub/{rest:path}", _Endpoint(_not_found)),
        Route("//pub/{rest:path}", _Endpoint(_not_found)),
    ]


class _Endpoint:
    """An ASGI application that says everything that goes wrong in the error form of this API."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(scope, receive)
        except Exception as error:
            response = refusal_response(refusal_of(error))
        await response(scope, receive, send)


def _serving(document: bytes) -> Answer:
    """Shows a document of JSON to anybody."""

    async def answer(scope: Scope, _: Receive) -> Response:
        check_method(scope, "GET", "HEAD")
        return json_response(document, status=200)

    return answer


async def _not_found(scope: Scope, _: Receive) -> Response:
    raise no_such_path(scope)
