"""The GraphiQL page is complete, cacheable, and restricted by a content security policy."""

import gzip
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from tests.support.built_pages import PageFolder
from tests.support.long_mode import IS_LONG
from uplift.graphql_api.ide import BUILT_FILES, GraphiQLPage
from uplift.web.built_page import CONTENT_TYPES, PageNotBuiltError

pytestmark = pytest.mark.anyio

DIST = Path(str(BUILT_FILES)).resolve()
SOURCES = (path for path in DIST.parent.iterdir() if path.suffix in {".mjs", ".js", ".jsx", ".css", ".json"})
PAGE = PageFolder(root=DIST.parent, sources=tuple(SOURCES))
MANIFEST = PAGE.manifest


def an_app(default_query: str = "{ it }") -> Starlette:
    page = GraphiQLPage(default_query=default_query)

    async def endpoint(request: Request) -> Response:
        return page(request)

    return Starlette(routes=[Route("/graphql", endpoint), *page.static_routes()])


def a_client(app: Starlette) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test")


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with a_client(an_app()) as client:
        yield client


def policy_of(response: httpx2.Response) -> dict[str, list[str]]:
    directives = response.headers["content-security-policy"].split("; ")
    return {name: sources for name, *sources in (directive.split(" ") for directive in directives)}


async def test_page_is_html_that_is_revalidated_at_every_visit(client: httpx2.AsyncClient) -> None:
    response = await client.get("/graphql")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["vary"] == "Accept"
    assert "<title>Uplift GraphiQL</title>" in response.text


async def test_page_may_load_only_from_its_own_server(client: httpx2.AsyncClient) -> None:
    response = await client.get("/graphql")
    assert policy_of(response) == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "worker-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'"],
        "img-src": ["data:"],
        "connect-src": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"


async def test_page_has_no_inline_script(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/graphql")).text
    assert re.findall(r"<script\b[^>]*>", page) == [
        f'<script type="module" src="graphql/static/{MANIFEST["script"]}">'
    ]
    assert not re.search(r"<script[^>]*>[^<]", page)
    assert not re.search(r"\son\w+=|javascript:", page)


async def test_page_refers_only_to_files_that_are_served(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/graphql")).text
    addresses = re.findall(r'(?:src|href)="(graphql/[^"]+)"', page)
    assert len(addresses) == 3
    for address in addresses:
        assert (await client.get(f"/{address}")).status_code == 200


async def test_page_contains_the_default_query_as_data_below_instructions() -> None:
    query = 'query Q { it(a: "</main><script>alert(1)</script>") }'
    async with a_client(an_app(query)) as client:
        page = (await client.get("/graphql")).text
    [text] = re.findall(r'data-default-query="([^"]*)"', page)
    assert unescape(text).startswith("# 1. Put your API key into the field at the top.")
    assert unescape(text).endswith(query)
    assert "<script>alert" not in page


async def test_page_of_a_mounted_app_refers_to_files_below_the_mount() -> None:
    async with a_client(Starlette(routes=[Mount("/uplift", an_app())])) as client:
        page = (await client.get("/uplift/graphql")).text
        [script] = re.findall(r'<script type="module" src="([^"]*)">', page)
        assert script == f"graphql/static/{MANIFEST['script']}"
        assert (await client.get(f"/uplift/{script}")).status_code == 200


@pytest.mark.parametrize("name", MANIFEST["files"])
async def test_file_is_sent_gzipped_and_may_be_kept_for_ever(client: httpx2.AsyncClient, name: str) -> None:
    response = await client.get(f"/graphql/static/{name}", headers={"Accept-Encoding": "br, gzip"})
    assert response.status_code == 200
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"] == CONTENT_TYPES[Path(name).suffix]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert policy_of(response) == {"default-src": ["'none'"]}
    assert response.content == gzip.decompress((DIST / f"{name}.gz").read_bytes())


async def test_file_is_sent_plain_to_a_client_without_gzip(client: httpx2.AsyncClient) -> None:
    name = MANIFEST["style"]
    response = await client.get(f"/graphql/static/{name}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in response.headers
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.content == gzip.decompress((DIST / f"{name}.gz").read_bytes())


@pytest.mark.parametrize(
    "path",
    [
        "manifest.json",
        "main.js",
        f"{MANIFEST['script']}.gz",
        "../manifest.json",
        "%2e%2e%2fmanifest.json",
        "..%2f..%2f..%2fide.py",
        "%2fetc%2fpasswd",
        "",
    ],
)
async def test_nothing_but_the_listed_files_is_served(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(f"/graphql/static/{path}")
    assert response.status_code == 404
    assert response.text == "Not Found"


async def test_files_can_only_be_read(client: httpx2.AsyncClient) -> None:
    assert (await client.post(f"/graphql/static/{MANIFEST['script']}")).status_code == 405


def test_the_page_is_built_from_the_sources_beside_it_and_complete() -> None:
    PAGE.require_built_from_sources()
    PAGE.require_complete()
    PAGE.require_neutral()
    PAGE.require_licences((name, "MIT") for name in ("graphiql", "graphql", "monaco-editor", "react"))


@pytest.mark.skipif(not IS_LONG, reason="installs packages for a minute: UPLIFT_FAULTS=long")
def test_a_new_build_makes_the_same_bytes(tmp_path: Path) -> None:
    PAGE.require_same_bytes_again(tmp_path)


@pytest.mark.parametrize("missing", ["manifest.json", f"{MANIFEST['script']}.gz"])
def test_an_incomplete_package_is_refused_before_anything_is_served(tmp_path: Path, missing: str) -> None:
    for path in DIST.iterdir():
        if path.name != missing:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(PageNotBuiltError, match=re.escape(missing)) as error:
        GraphiQLPage(default_query="{ it }", built_files=tmp_path)
    assert error.value.missing == tmp_path / missing
