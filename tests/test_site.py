"""The web site of the documents: each has a page, all links lead somewhere, nothing comes from elsewhere."""

import functools
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.browser.graphiql_page import CHROMIUM, a_browser
from tests.support.long_mode import long_only
from tests.support.project import DOCS, ROOT

LOADED = re.compile(r"""<(?:script|link|img|iframe)[^>]*?(?:src|href)=["']?(https?://[^"'\s>]+)""")

MADE_FROM_CODE = {
    "schema": "upgradeInstances",
    "openapi": "unselectedIds",
    "options": "--all-active",
    "python": "upgrade_instances",
}
"""A name that each page has which is made from the code."""
HOW_TOS = (
    "Legacy REST client",
    "Frontend with Apollo",
    "Frontend with urql",
    "Camunda 7",
    "An engine of your own",
    "PostgreSQL",
    "Kubernetes",
    "Behind nginx",
)


def test_every_document_has_a_place_in_the_site() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    documents = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - {"README.md"}
    assert {path for path in documents if not path.startswith("decisions/")} <= listed


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site. A warning fails the build."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@long_only
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    assert {
        address for page in pages for address in LOADED.findall(page.read_text(encoding="utf-8"))
    } == set()
    for page, text in MADE_FROM_CODE.items():
        assert text in (site / "reference" / page / "index.html").read_text(encoding="utf-8")
    tutorial = (site / "tutorial" / "first-upgrade" / "index.html").read_text(encoding="utf-8")
    assert [title for title in HOW_TOS if not re.search(rf">\s*{title}\s*<", tutorial)] == []


@long_only
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs a real Chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_search_and_calculator_work_in_a_browser(address: str, scheme: Literal["light", "dark"]) -> None:
    with a_browser() as browser:
        page = browser.new_page(color_scheme=scheme)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}/explanation/load-model/")
        assert page.locator("body").get_attribute("data-md-color-scheme") == (
            "slate" if scheme == "dark" else "default"
        )
        page.get_by_label("Instances at the beginning").fill("100000000")
        page.get_by_label("Registrations a second").fill("0")
        expect(page.locator("#load-databases")).to_have_text("2")
        search = page.locator(".md-search__input")
        search.click()
        search.press_sequentially("COMPENSATION_LOST")
        expect(page.locator(".md-search-result__list h1", has_text="Reasons")).to_be_visible(timeout=60_000)
        assert complaints == []
