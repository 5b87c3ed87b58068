"""What does a browser see at the GraphQL address, and where does that page get its scripts from?

The page is GraphiQL, built by graphiql/build.mjs and served out of this package: it works without internet.
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

BUILT_FILES = files("uplift.graphql_api") / "graphiql" / "dist"

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        # The editor (Monaco) places lines by style attributes and colours them by a style element.
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self'",
        # The editor's style sheet draws wavy lines and the like from data: addresses.
        "img-src data:",
        # 'self' also covers ws: and wss: at this host (CSP level 3), which subscriptions need.
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
        "Vary": "Accept",  # the same address answers JSON to other clients
    }
)

FILE_HEADERS = MappingProxyType(
    {
        # A worker has the policy of its own file, not the page's: it may load and send nothing.
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

HOW_TO_BEGIN = """\
# 1. Put your key into the Headers tab below,
#    after "Bearer ".
# 2. Run the query with the play button
#    or Ctrl-Enter (Cmd-Enter on a Mac).
#
# With the key there, Docs on the left explain
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
<noscript>GraphiQL needs JavaScript. The API does not: send operations by POST to this address.</noscript>
</body>
</html>
"""


class GraphiQLNotBuiltError(RuntimeError):
    """The package lacks a file of the page, so that a browser would get a broken one."""

    code = "GRAPHIQL_NOT_BUILT"

    def __init__(self, missing: Traversable) -> None:
        self.missing = missing
        super().__init__(
            f"Expected to serve GraphiQL from the package, but {missing} is missing; "
            "run `npm ci && node build.mjs` in graphql_api/graphiql, or install a complete package."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPage:
    """What the build left: the names that the page refers to, and every file's gzipped bytes by its name."""

    script: str
    style: str
    licences: str
    gzipped: Mapping[str, bytes]


class GraphiQLPage:
    """Answers a browser's GET with GraphiQL: `Route("/graphql", endpoint), *page.static_routes()`.

    `default_query` is what the editor holds at the first visit, below a comment that says how to begin.
    `static_path` is where the routes serve the page's files, seen from the root of the application.
    Raises GraphiQLNotBuiltError if the package does not contain them.
    """

    def __init__(
        self,
        *,
        default_query: str,
        static_path: str = "/graphql/static",
        built_files: Traversable = BUILT_FILES,
    ) -> None:
        self._query = HOW_TO_BEGIN + default_query
        self._static_path = static_path.rstrip("/")
        self._built = read_built_page(built_files)

    def __call__(self, request: Request) -> Response:
        page = PAGE.format(
            icon=ICON,
            static=escape(request.scope.get("root_path", "") + self._static_path),
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
    manifest = json.loads(_read(folder / "manifest.json"))
    return BuiltPage(
        script=manifest["script"],
        style=manifest["style"],
        licences=manifest["licences"],
        gzipped={name: _read(folder / f"{name}.gz") for name in manifest["files"]},
    )


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client that sends this header wants gzip; one that sends none gets the plain bytes."""
    for coding in accept_encoding.lower().split(","):
        name, _, parameters = coding.partition(";")
        if name.strip() in {"gzip", "x-gzip", "*"}:
            return not _is_refusal(parameters)
    return False


def _is_refusal(parameters: str) -> bool:
    weight = parameters.replace(" ", "").removeprefix("q=")
    return bool(weight) and not weight.strip("0.")


def _read(file: Traversable) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as absence:
        raise GraphiQLNotBuiltError(file) from absence
