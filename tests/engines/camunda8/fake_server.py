"""Serves a cluster in memory by the REST API of Camunda 8.8, on a real socket.

Each request and reply is checked against the published shapes.
"""

import base64
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from tests.engines.camunda8.cluster import Cluster, Rejection, Row
from tests.engines.camunda8.shapes import PROBLEM, REPLIES, REQUESTS, misfits

MIGRATION = "/process-instances/{key}/migration"

Handler = Callable[[Request], Awaitable[Response]]


class FakeServer:
    """The server: its cluster, what it was asked, and what did not fit the published shapes.

    `upcoming` are answers of any shape that the next migrations get instead of being carried out. With
    `authorization` set, requests need this header.
    """

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.url = ""
        self.gateway_version = "8.8.3"
        self.authorization: str | None = None
        self.asked: list[str] = []
        self.misfits: list[str] = []
        self.upcoming: deque[Response] = deque()

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Self]:
        """Runs a server."""
        fake = cls()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            fake.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v2"
            config = uvicorn.Config(fake._app(), lifespan="off", log_config=None, ws="none")
            config.load()
            server = uvicorn.Server(config)
            server.lifespan = config.lifespan_class(config)
            # Not `serve`: it looks ten times a second whether to end, and most tests are shorter than that.
            await server.startup([listener])
            await server.on_tick(0)  # sets the header `date`
            try:
                yield fake
            finally:
                await server.shutdown([listener])

    def _app(self) -> Starlette:
        cluster = self.cluster

        def search(path: str, rows: Callable[[], Iterable[Row]]) -> Route:
            async def handle(request: Request) -> Response:
                return JSONResponse(_page(await request.json(), list(rows())))

            return Route(path, self._checked(path, handle), methods=["POST"])

        routes = [
            Route("/topology", self._checked("/topology", self._topology)),
            Route(
                "/process-definitions/{key}/xml", self._checked("/process-definitions/{key}/xml", self._xml)
            ),
            search(
                "/process-definitions/search",
                lambda: (definition.row() for definition in cluster.definitions.values()),
            ),
            search(
                "/process-instances/search", lambda: (running.row() for running in cluster.exported.values())
            ),
            search(
                "/element-instances/search",
                lambda: (row for running in cluster.exported.values() for row in running.element_rows()),
            ),
            Route(
                MIGRATION,
                self._checked(MIGRATION, self._migrate),
                methods=["POST"],
            ),
        ]
        return Starlette(routes=[Mount("/v2", routes=routes)])

    def _checked(self, path: str, handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            self.asked.append(f"{request.method} {path}")
            if self.authorization not in {None, request.headers.get("authorization")}:
                return problem(401, "Unauthorized", "The credentials are unknown.")
            if path in REQUESTS:
                await self._check(request, f"request {path}", REQUESTS[path], await request.body())
            key = request.path_params.get("key", "0")
            if not key.isascii() or not key.isdigit():
                return problem(400, "INVALID_ARGUMENT", f"Failed to convert '{key}' to a key.")
            if path == MIGRATION and self.upcoming:
                return self.upcoming.popleft()
            reply = await handler(request)
            if reply.status_code >= 400:
                await self._check(request, f"error {path}", PROBLEM, bytes(reply.body))
            elif path in REPLIES:
                await self._check(request, f"reply {path}", REPLIES[path], bytes(reply.body))
            return reply

        return handle

    async def _check(self, request: Request, what: str, shape: Mapping[str, Any], body: bytes) -> None:
        is_json = (
            what.startswith(("reply", "error")) or request.headers.get("content-type") == "application/json"
        )
        found = misfits(shape, json.loads(body)) if is_json else ["it is not JSON"]
        self.misfits += [f"{what}: {message}" for message in found]

    async def _topology(self, _: Request) -> Response:
        broker = {"nodeId": 0, "host": "127.0.0.1", "port": 26501, "partitions": [], "version": "8.8.3"}
        return JSONResponse(
            {
                "brokers": [broker],
                "clusterSize": 1,
                "partitionsCount": 1,
                "replicationFactor": 1,
                "gatewayVersion": self.gateway_version,
                "lastCompletedChangeId": "-1",
            }
        )

    async def _xml(self, request: Request) -> Response:
        if "text/xml" not in request.headers.get("accept", ""):
            return problem(406, "Not Acceptable", "Acceptable representations: [text/xml].")
        definition = self.cluster.definitions.get(request.path_params["key"])
        if definition is None:
            return problem(404, "NOT_FOUND", "There is no process definition with this key.")
        return Response(definition.document, media_type="text/xml")

    async def _migrate(self, request: Request) -> Response:
        body = await request.json()
        try:
            self.cluster.migrate(
                request.path_params["key"], body["targetProcessDefinitionKey"], body["mappingInstructions"]
            )
        except Rejection as rejection:
            return rejected(rejection)
        return Response(status_code=204)


def problem(status: int, title: str, detail: str) -> Response:
    """An error, as problem details (RFC 9457)."""
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(content, status, media_type="application/problem+json")


def rejected(rejection: Rejection) -> Response:
    """The reply for a command that the engine rejects."""
    detail = f"Command 'MIGRATE' rejected with code '{rejection.code}': {rejection.reason}"
    return problem(rejection.status, rejection.code, detail)


def _page(query: Mapping[str, Any], rows: list[Row]) -> Mapping[str, Any]:
    found = [
        row for row in rows if all(_holds(row[name], wanted) for name, wanted in query["filter"].items())
    ]
    fields = [order["field"] for order in query["sort"]]

    def place(row: Row) -> list[Any]:
        return [int(row[name]) if name.endswith("Key") else row[name] for name in fields]

    found.sort(key=place)
    after = query["page"].get("after")
    rest = (
        found if after is None else [row for row in found if place(row) > json.loads(base64.b64decode(after))]
    )
    items = rest[: query["page"].get("limit", 100)]
    page: dict[str, object] = {"totalItems": len(found), "hasMoreTotalItems": False}
    if items:
        for name, row in (("startCursor", items[0]), ("endCursor", items[-1])):
            page[name] = base64.b64encode(json.dumps(place(row)).encode()).decode()
    return {"items": items, "page": page}


def _holds(value: object, wanted: object) -> bool:
    return value in wanted["$in"] if isinstance(wanted, dict) else value == wanted
