"""Serves a page that was built beforehand: gzipped files with hashed names, and their headers.

Each package with a page has a folder `dist` with the files and a `manifest.json`, which page_build/ writes.
"""

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from uplift.web.media_types import preferred

CONTENT_TYPES = MappingProxyType(
    {
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".ttf": "font/ttf",
        ".txt": "text/plain; charset=utf-8",
    }
)


def page_headers(policy: Iterable[str]) -> Mapping[str, str]:
    """The headers of a page whose content security policy has these directives."""
    return MappingProxyType(
        {
            "Content-Security-Policy": "; ".join(policy),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
            "Vary": "Accept",  # other clients get JSON, or a 404, from the same address
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


class PageNotBuiltError(RuntimeError):
    """A file of a page is missing from the package."""

    code = "PAGE_NOT_BUILT"

    def __init__(self, missing: Traversable) -> None:
        self.missing = missing
        super().__init__(
            f"Expected to serve a page from the package, but {missing} is missing; "
            "run `npm ci && node build.mjs` in the folder above `dist`, or install a complete package."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPage:
    """The result of a build: the files that the page refers to, and all files, gzipped, by name."""

    script: str
    style: str
    licences: str
    gzipped: Mapping[str, bytes]

    @classmethod
    def read(cls, folder: Traversable) -> "BuiltPage":
        """The page in the folder that its build wrote. Raises PageNotBuiltError if a file is missing."""
        manifest = json.loads(_read(folder / "manifest.json"))
        return cls(
            script=manifest["script"],
            style=manifest["style"],
            licences=manifest["licences"],
            gzipped={name: _read(folder / f"{name}.gz") for name in manifest["files"]},
        )

    def routes(self, path: str, *, name: str) -> list[BaseRoute]:
        """The routes that serve the files below this path."""
        return [Route(f"{path}/{{name}}", self._file, methods=["GET"], name=name)]

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        gzipped = self.gzipped.get(name)
        if gzipped is None:
            raise HTTPException(404)
        media_type = CONTENT_TYPES[PurePosixPath(name).suffix]
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            return Response(
                gzipped, media_type=media_type, headers={**FILE_HEADERS, "Content-Encoding": "gzip"}
            )
        return Response(gzip.decompress(gzipped), media_type=media_type, headers=FILE_HEADERS)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header allows gzip. An empty header does not."""
    quality_of = dict(preferred(accept_encoding))
    named = [name for name in ("gzip", "x-gzip", "*") if name in quality_of]
    return bool(named) and quality_of[named[0]] > 0


def _read(file: Traversable) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise PageNotBuiltError(file) from error
