"""The GraphiQL page, which a browser gets at the GraphQL address, and the files that it loads.

graphiql/build.mjs builds the page. It is served from this package, so that it works without internet access.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from uplift.web.media_types import preferred

BUILT_FILES = files("uplift.graphql_api") / "graphiql" / "dist"

CONTENT_SECURITY_POLICY = "; ".join(
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

PAGE_HEADERS = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
        "Vary": "Accept",  # other clients get JSON from the same address
    }
)

FILE_HEADERS = MappingProxyType(
    {
        # A web worker gets the policy of its own file, not of the page. It needs no network access.
        "Content-Security-Policy": "default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "public, max-age=31536000, immutable",
        "Vary": "Accept-Encoding",
    }
)

CONTENT_TYPES = MappingProxyType(
    {
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".ttf": "font/ttf",
        ".txt": "text/plain; charset=utf-8",
    }
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


class GraphiQLNotBuiltError(RuntimeError):
    """A file of the page is missing from the package."""

    code = "GRAPHIQL_NOT_BUILT"

    def __init__(self, missing: Traversable) -> None:
        self.missing = missing
        super().__init__(
            f"Expected to serve GraphiQL from the package, but {missing} is missing; "
            "run `npm ci && node build.mjs` in graphql_api/graphiql, or install a complete package."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPage:
    """The result of the build: the files that the page refers to, and all files, gzipped, by name."""

    script: str
    style: str
    licences: str
    gzipped: Mapping[str, bytes]


class GraphiQLPage:
    """Responds to a GET request with the GraphiQL page. `static_routes` serve the files that the page loads.

    At the first visit the editor contains `default_query` below a comment with instructions. `path` is the
    path of the page, relative to the root of the application. Raises GraphiQLNotBuiltError if the package
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
        self._built = read_built_page(built_files)

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
        return [Route(f"{self._static_path}/{{name}}", self._file, methods=["GET"], name="graphiql-file")]

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        gzipped = self._built.gzipped.get(name)
        if gzipped is None:
            raise HTTPException(404)
        media_type = CONTENT_TYPES[PurePosixPath(name).suffix]
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            return Response(
                gzipped, media_type=media_type, headers={**FILE_HEADERS, "Content-Encoding": "gzip"}
            )
        return Response(gzip.decompress(gzipped), media_type=media_type, headers=FILE_HEADERS)


def read_built_page(folder: Traversable) -> BuiltPage:
    """Read the page from the folder that its build wrote."""
    manifest = json.loads(_read(folder / "manifest.json"))
    return BuiltPage(
        script=manifest["script"],
        style=manifest["style"],
        licences=manifest["licences"],
        gzipped={name: _read(folder / f"{name}.gz") for name in manifest["files"]},
    )


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header allows gzip. An empty header does not."""
    quality_of = dict(preferred(accept_encoding))
    named = [name for name in ("gzip", "x-gzip", "*") if name in quality_of]
    return bool(named) and quality_of[named[0]] > 0


def _read(file: Traversable) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise GraphiQLNotBuiltError(file) from error
