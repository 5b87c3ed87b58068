"""The page of the console, and the routes that serve it and the files that it loads.

build.mjs builds the page. It is served from this package, so that it works without internet access.
"""

from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from uplift.web.built_page import BuiltPage, page_headers

BUILT_FILES = files("uplift.console") / "dist"

PAGE_HEADERS = page_headers(
    [
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        # The icon of the page, and images in the style sheet, are data: URLs.
        "img-src 'self' data:",
        # In CSP level 3, 'self' includes ws: and wss: on this host, which subscriptions need.
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E"
    "%3Crect width='24' height='24' rx='6' fill='%233550d8'/%3E"
    "%3Cpath d='M7 11.5 12 6.5l5 5M7 17.5l5-5 5 5' fill='none' stroke='white' stroke-width='2.2' "
    "stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E"
)

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Uplift</title>
<link rel="icon" href="{icon}">
<link rel="license" href="{static}/{licences}">
<link rel="stylesheet" href="{static}/{style}">
<script type="module" src="{static}/{script}"></script>
</head>
<body>
<div id="console"></div>
<noscript>The console needs JavaScript. The API does not: POST operations to the address graphql.</noscript>
</body>
</html>
"""


class ConsolePage:
    """Serves the console at `path`, which is relative to the root of the application.

    Raises PageNotBuiltError if the package does not contain the files.
    """

    def __init__(self, *, path: str = "/console", built_files: Traversable = BUILT_FILES) -> None:
        self._path = path
        self._built = BuiltPage.read(built_files)
        self._page = PAGE.format(
            icon=escape(ICON),
            # Relative, so that the files load below any path of a proxy, whether the gateway knows it or not.
            static=escape(f"{path.rpartition('/')[2]}/static"),
            script=self._built.script,
            style=self._built.style,
            licences=self._built.licences,
        )

    def routes(self) -> list[BaseRoute]:
        """The routes of the page and of its files."""
        return [
            Route(self._path, self._show, methods=["GET"], name="console"),
            *self._built.routes(f"{self._path}/static", name="console-file"),
        ]

    async def _show(self, _: Request) -> Response:
        return HTMLResponse(self._page, headers=PAGE_HEADERS)
