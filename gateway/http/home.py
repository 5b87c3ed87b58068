"""Sends a browser that opens the address of the gateway to one of its pages."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from uplift.graphql_api.engine.response import accepts_html


def home_route(page: str) -> BaseRoute:
    """The route of `/`, which leads to the page at this path. Clients other than browsers get a 404."""
    return Route("/", _Home(page))


class _Home:
    def __init__(self, page: str) -> None:
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accept = Headers(scope=scope).get("accept", "")
        if scope["method"] not in ("GET", "HEAD") or not accepts_html(accept):
            raise HTTPException(404)
        page = f"{scope.get('root_path', '')}{self._page}"
        await RedirectResponse(page, headers={"vary": "Accept"})(scope, receive, send)
