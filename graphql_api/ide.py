"""The GraphiQL page, which a browser gets at the GraphQL address, and the files that it loads.

graphiql/build.mjs builds the page. It is served from this package, so that it works without internet access.
"""

from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from uplift.web.built_page import BuiltPage, page_headers

BUILT_FILES = files("uplift.graphql_api") / "graphiql" / "dist"

PAGE_HEADERS = page_headers(
    [
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        # The Monaco editor sets style attributes and inserts a style element.
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self'",
        # The style sheet of the editor contains images as data: URLs.
        "img-src data:",
        # In CSP level 3, 'self' includes ws: and wss: on this host, which subscriptions need.
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)

INSTRUCTIONS = """\
# 1. Put your API key into the field at the top.
# 2. Run the query with the play button
#    or Ctrl-Enter (Cmd-Enter on a Mac).
#
# With a key, the Docs panel on the left describes
# every type, and Ctrl-Space completes names.

"""

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M8 2l5 6h-3v6H6V8H3z' fill='%23d60590'/%3E%3C/svg%3E"
)

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Uplift GraphiQL</title>
<link rel="icon" href="{icon}">
<link rel="license" href="{static}/{licences}">
<link rel="stylesheet" href="{static}/{style}">
<script type="module" src="{static}/{script}"></script>
</head>
<body>
<main id="graphiql" data-default-query="{query}"><p role="status">Loading GraphiQL …</p></main>
<noscript>GraphiQL needs JavaScript. The API does not: POST operations to this address.</noscript>
</body>
</html>
"""


class GraphiQLPage:
    """Responds to a GET request with the GraphiQL page. `static_routes` serve the files that the page loads.

    At the first visit the editor contains `default_query` below a comment with instructions. `path` is the
    path of the page, relative to the root of the application. Raises PageNotBuiltError if the package
    does not contain the files.
    """

    def __init__(
        self,
        *,
        default_query: str,
        path: str = "/graphql",
        built_files: Traversable = BUILT_FILES,
    ) -> None:
        self._query = INSTRUCTIONS + default_query
        self._static_path = f"{path}/static"
        # Relative, so that the files load below any path of a proxy, whether the gateway knows it or not.
        self._static_link = f"{path.rpartition('/')[2]}/static"
        self._built = BuiltPage.read(built_files)

    def __call__(self, _: Request) -> Response:
        page = PAGE.format(
            icon=ICON,
            static=escape(self._static_link),
            script=self._built.script,
            style=self._built.style,
            licences=self._built.licences,
            query=escape(self._query),
        )
        return HTMLResponse(page, headers=PAGE_HEADERS)

    def static_routes(self) -> list[BaseRoute]:
        return self._built.routes(self._static_path, name="graphiql-file")
