"""Sends a browser that opens the address of the gateway to GraphiQL."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from uplift.graphql_api.engine.response import accepts_html


def home_route() -> BaseRoute:
    """The route of `/`. Clients other than browsers get the 404 of any unknown path."""
    return Route("/", _Home())


class _Home:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accept = Headers(scope=scope).get("accept", "")
        if scope["method"] not in ("GET", "HEAD") or not accepts_html(accept):
            raise HTTPException(404)
        page = f"{scope.get('root_path', '')}/graphql"
        await RedirectResponse(page, headers={"vary": "Accept"})(scope, receive, send)
