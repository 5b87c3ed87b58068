"""The web site of the documents: each has a page, all links lead somewhere, nothing comes from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

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


def test_every_document_has_a_place_in_the_site() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    documents = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - {"README.md"}
    assert {path for path in documents if not path.startswith("decisions/")} <= listed


@long_only
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 40
    assert {
        address for page in pages for address in LOADED.findall(page.read_text(encoding="utf-8"))
    } == set()
    for page, text in MADE_FROM_CODE.items():
        assert text in (tmp_path / "reference" / page / "index.html").read_text(encoding="utf-8")
