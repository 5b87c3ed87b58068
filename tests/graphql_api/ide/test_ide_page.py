"""The GraphiQL page is complete, cacheable, and restricted by a content security policy."""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from tests.support.long_mode import IS_LONG
from uplift.graphql_api.ide import (
    BUILT_FILES,
    CONTENT_TYPES,
    GraphiQLNotBuiltError,
    GraphiQLPage,
    accepts_gzip,
)

pytestmark = pytest.mark.anyio

DIST = Path(str(BUILT_FILES))
MANIFEST = json.loads((DIST / "manifest.json").read_text())


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


def test_the_page_is_built_from_the_sources_beside_it() -> None:
    sources = sorted(
        path for path in DIST.parent.iterdir() if path.suffix in {".mjs", ".js", ".jsx", ".css", ".json"}
    )
    digest = hashlib.sha256()
    for path in sources:
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    assert digest.hexdigest() == MANIFEST["sources"], (
        "run: cd graphql_api/graphiql && npm ci && node build.mjs"
    )


@pytest.mark.skipif(not IS_LONG, reason="installs packages for a minute: UPLIFT_FAULTS=long")
def test_a_new_build_makes_the_same_bytes(tmp_path: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("needs npm, which is not installed")
    folder = tmp_path / "graphiql"
    shutil.copytree(DIST.parent, folder, ignore=shutil.ignore_patterns("dist", "node_modules"))
    for command in (["npm", "ci", "--no-audit", "--no-fund"], ["node", "build.mjs"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    built = {path.name: path.read_bytes() for path in (folder / "dist").iterdir()}
    assert built == {path.name: path.read_bytes() for path in DIST.iterdir()}


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
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZIP;q=0.5", True),
        ("br;q=1.0, gzip; q=0.8", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
    ],
)
def test_reads_whether_a_client_accepts_gzip(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


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


def test_every_name_contains_a_hash_of_the_contents() -> None:
    assert [name for name in MANIFEST["files"] if not re.search(r"-[0-9A-Z]{8}\.\w+$", name)] == []


def test_manifest_lists_exactly_the_built_files() -> None:
    assert sorted(path.name.removesuffix(".gz") for path in DIST.glob("*.gz")) == sorted(MANIFEST["files"])
    assert {MANIFEST["script"], MANIFEST["style"], MANIFEST["licences"]} <= set(MANIFEST["files"])


def test_every_file_that_a_script_or_style_names_is_built() -> None:
    names = re.compile(rb"[\w.-]+-[0-9A-Z]{8}\.(?:js|css|ttf)\b")
    named = {
        name.decode()
        for path in DIST.glob("*.gz")
        for name in names.findall(gzip.decompress(path.read_bytes()))
    }
    assert len(named) > 10
    assert named - set(MANIFEST["files"]) == set()


def test_files_contain_no_build_time_and_no_operating_system() -> None:
    for path in DIST.glob("*.gz"):
        header = path.read_bytes()[:10]
        assert header[4:8] == bytes(4), path
        assert header[9] == 255, path


def test_licences_are_served_as_in_the_package() -> None:
    served = gzip.decompress((DIST / f"{MANIFEST['licences']}.gz").read_bytes())
    assert served == (DIST / "THIRD_PARTY_LICENSES.txt").read_bytes()
    for package in ("graphiql", "graphql", "monaco-editor", "react"):
        assert re.search(rf"^{package} \d\S+ \(MIT\)$", served.decode(), re.MULTILINE), package


@pytest.mark.parametrize("missing", ["manifest.json", f"{MANIFEST['script']}.gz"])
def test_an_incomplete_package_is_refused_before_anything_is_served(tmp_path: Path, missing: str) -> None:
    for path in DIST.iterdir():
        if path.name != missing:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(GraphiQLNotBuiltError, match=re.escape(missing)) as error:
        GraphiQLPage(default_query="{ it }", built_files=tmp_path)
    assert error.value.missing == tmp_path / missing
