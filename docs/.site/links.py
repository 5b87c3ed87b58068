"""Leads the links of a document to the pages of the site. mkdocs calls it for each page.

Documents link to files of the repository, so that they can be read there as well. A link to a file that has
no page becomes its text.
"""

import posixpath
import re
from typing import Any

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
NAMED_BLOCK = re.compile(r"^```(\w+) (\S+)$", re.MULTILINE)
"""The beginning of a block of code that names its file."""
PAGES = {
    "README.md": "index.md",
    "docs/README.md": "documents.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "graphql_api/schema.graphql": "reference/schema.md",
    "rest_compat/openapi.json": "reference/openapi.md",
}
"""The page of the site for each file outside of docs/."""
FILES = {page: file for file, page in PAGES.items()}
GENERATED = {
    "reference/schema.md",
    "reference/openapi.md",
    "reference/options.md",
    "reference/python.md",
}


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The text of a page, with its links."""
    place = page.file.src_uri
    if place.startswith("decisions/"):
        page.meta["search"] = {"boost": 0.3}  # in results, how-tos and references come first
    if place in GENERATED:
        return markdown
    return NAMED_BLOCK.sub(r'```\1 title="\2"', with_links(markdown, place))


def with_links(markdown: str, place: str) -> str:
    """The text of the page `place`, with links to pages instead of files."""
    source = FILES.get(place, f"docs/{place}")

    def replaced(found: re.Match[str]) -> str:
        text, path, anchor = found[1], found[2], found[3] or ""
        if not path or "://" in path:
            return found[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        target = PAGES.get(file) or (file.removeprefix("docs/") if file.startswith("docs/") else None)
        if target is None or not target.endswith(".md"):
            return text
        return f"[{text}]({posixpath.relpath(target, posixpath.dirname(place) or '.')}{anchor})"

    return LINK.sub(replaced, markdown)
