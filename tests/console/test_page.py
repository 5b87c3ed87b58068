"""The page of the console is complete, small, cacheable, and restricted by a content security policy."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from graphql import build_schema, parse, validate
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.support.built_pages import PageFolder
from tests.support.long_mode import long_only
from tests.support.project import ROOT
from uplift.console.page import BUILT_FILES, ConsolePage

pytestmark = pytest.mark.anyio

FOLDER = Path(str(BUILT_FILES)).resolve().parent
OPERATIONS = sorted((FOLDER / "src" / "operations").glob("*.graphql"))
SOURCES = (
    *(FOLDER / name for name in ("build.mjs", "package.json", "package-lock.json", "tsconfig.json")),
    *(path for path in (FOLDER / "src").rglob("*") if path.suffix in {".ts", ".tsx", ".css"}),
)
PAGE = PageFolder(root=FOLDER, sources=SOURCES)


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    app = Starlette(routes=[*ConsolePage().routes(), Mount("/uplift", routes=ConsolePage().routes())])
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def test_is_built_from_the_sources_beside_it_and_complete() -> None:
    PAGE.require_built_from_sources()
    PAGE.require_complete()
    PAGE.require_neutral()
    mit = ("@urql/core", "bpmn-auto-layout", "graphql-ws", "preact")
    PAGE.require_licences([*((name, "MIT") for name in mit), ("bpmn-js", "LicenseRef-bpmn.io")])


@long_only
def test_a_new_build_makes_the_same_bytes(tmp_path: Path) -> None:
    PAGE.require_same_bytes_again(tmp_path)


def test_its_operations_fit_the_schema() -> None:
    schema = build_schema((ROOT / "graphql_api" / "schema.graphql").read_text())
    document = parse("\n".join(path.read_text() for path in OPERATIONS))
    assert validate(schema, document) == []


async def test_may_load_only_from_its_own_server(client: httpx2.AsyncClient) -> None:
    page = await client.get("/console")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["content-security-policy"].split("; ") == [
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert not re.search(r"<script[^>]*>[^<]|<style|\s(?:on\w+|style)=", page.text)


@pytest.mark.parametrize("prefix", ["", "/uplift"])
async def test_refers_to_files_beside_it_wherever_it_is(client: httpx2.AsyncClient, prefix: str) -> None:
    page = (await client.get(f"{prefix}/console")).text
    links = re.findall(r'(?:src|href)="(console/[^"]+)"', page)
    assert len(links) == 3
    for link in links:
        file = await client.get(f"{prefix}/{link}", headers={"accept-encoding": "gzip"})
        assert file.status_code == 200
        assert file.headers["content-encoding"] == "gzip"
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_stays_within_its_budget() -> None:
    sizes = {path.name.removesuffix(".gz"): path.stat().st_size / 1000 for path in PAGE.dist.glob("*.gz")}
    texts = PAGE.contents()
    first = loaded_at_once(PAGE.manifest["script"], texts)
    lazy = {name: size for name, size in sizes.items() if name.endswith(".js") and name not in first}
    screens = {name for name in lazy if re.match(r"(compare|instance|plan|process|upgrade)-", name)}
    for_screens = set[str]().union(*(loaded_at_once(name, texts) for name in screens))
    drawing = [name for name in lazy if re.match(r"(viewer|layout_worker)-", name)]
    assert len(drawing) == 2
    diagram = set[str]().union(*(loaded_at_once(name, texts) for name in drawing)) - first - for_screens
    assert sum(sizes[name] for name in first) <= 45
    assert sizes[PAGE.manifest["style"]] <= 12
    assert sum(sizes[name] for name in diagram) <= 70
    assert max(size for name, size in lazy.items() if name not in diagram) <= 15
    assert sum(sizes.values()) <= 180


def loaded_at_once(script: str, texts: dict[str, bytes]) -> set[str]:
    """A script and all that it imports statically."""
    found, open_ = set[str](), [script]
    while open_:
        name = open_.pop()
        if name not in found:
            found.add(name)
            imported = re.findall(r'(?:from|import)\s*"\./([^"]+)"', texts[name].decode())
            open_ += imported
    return found
