"""Provides the Starlette routes of the legacy REST path.

app = Starlette(routes=[*rest_routes(store, authenticate, worker), ...])
"""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.resources import files

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from uplift.domain.model.access import Authenticate
from uplift.domain.ports import Store
from uplift.domain.use_cases.worker import Worker
from uplift.rest_compat.body import RestLimits
from uplift.rest_compat.endpoints import StatusEndpoint, UpgradeEndpoint
from uplift.rest_compat.errors import to_rest_error
from uplift.rest_compat.replies import error_response, json_response
from uplift.rest_compat.requests import STATUS_PATH, UPGRADE_PATH, path_not_found, root_path_of
from uplift.web.errors import require_method
from uplift.web.origins import Origins
from uplift.web.request_memory import RequestMemory
from uplift.web.request_slots import RequestSlots

__all__ = ["RestLimits", "openapi_document", "rest_routes"]

Answer = Callable[[Scope, Receive], Awaitable[Response]]


def rest_routes(
    store: Store,
    authenticate: Authenticate,
    worker: Worker,
    limits: RestLimits | None = None,
    stopping: asyncio.Event | None = None,
    origins: Origins | None = None,
    memory: RequestMemory | None = None,
    slots: RequestSlots | None = None,
) -> list[BaseRoute]:
    """The routes of the legacy path, its status resource, its document, and a 404 for all else below `/pub`.

    `worker` runs an upgrade that fits into one chunk; larger ones are queued for the workers of the store.
    Once `stopping` is set, no client waits for the end of its upgrade. Pages of `origins` may make requests.
    `memory` bounds the sum of the requests, and `slots` their number; both may be shared with other routes.
    """
    limits, slots = limits or RestLimits(), slots or RequestSlots()
    upgrade = UpgradeEndpoint(
        store=store,
        authenticate=authenticate,
        worker=worker,
        limits=limits,
        stopping=stopping or asyncio.Event(),
        origins=origins or Origins(),
        memory=memory or RequestMemory(max_body_bytes=limits.max_body_bytes),
        slots=slots,
    )
    status = StatusEndpoint(store=store, authenticate=authenticate, slots=slots)
    return [
        Route(UPGRADE_PATH, _App(upgrade.answer)),
        Route(STATUS_PATH, _App(status.answer)),
        Route("/openapi.json", _App(_document(openapi_document()))),
        # Starlette would redirect a trailing slash, which makes another path here (rest.md#the-path).
        Route("/pub/{rest:path}", _App(_not_found)),
        Route("//pub/{rest:path}", _App(_not_found)),
    ]


def openapi_document() -> bytes:
    """The OpenAPI 3.1 document of this path as JSON text."""
    return files(__package__).joinpath("openapi.json").read_bytes()


class _App:
    """An ASGI application that reports every error in the error form of this path."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(scope, receive)
        except Exception as error:
            response = error_response(to_rest_error(error))
        await response(scope, receive, send)


def _document(text: bytes) -> Answer:
    document: dict[str, object] = msgspec.json.decode(text)

    async def answer(scope: Scope, _: Receive) -> Response:
        require_method(scope["method"], "GET", "HEAD")
        root_path = root_path_of(scope)
        if not root_path:
            return json_response(text, status=200)
        below = msgspec.json.encode({**document, "servers": [{"url": root_path}]})
        return json_response(below, status=200)

    return answer


async def _not_found(scope: Scope, _: Receive) -> Response:
    raise path_not_found(scope)
