"""The documents: links lead somewhere, indexes are complete, and decisions keep their form."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project import DOCS, ROOT
from tests.test_architecture import PACKAGES

READMES = (ROOT / "bench" / "README.md", ROOT / "changelog.d" / "README.md")
DOCUMENTS = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *READMES])
DECISIONS = sorted(path for path in (DOCS / "decisions").iterdir() if path.name != "README.md")
CITATION = re.compile(r"([\w/-]+\.md)(?:#([\w-]+))?")
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)")


def anchors(document: Path) -> Iterator[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    for heading in re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        yield re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    broken = []
    for path, anchor in LINK.findall(document.read_text(encoding="utf-8")):
        if "://" in path:
            continue
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in set(anchors(target))):
            broken.append(f"{path}#{anchor}")
    assert broken == []


def test_the_index_lists_every_document() -> None:
    listed = {path for path, _ in LINK.findall((DOCS / "README.md").read_text(encoding="utf-8"))}
    documents = {path.relative_to(DOCS) for path in DOCS.rglob("*.md")}
    assert {str(path) for path in documents if path.parts[0] != "decisions"} - {"README.md"} <= listed


def test_the_index_of_decisions_lists_every_decision() -> None:
    listed = [
        path for path, _ in LINK.findall((DOCS / "decisions" / "README.md").read_text(encoding="utf-8"))
    ]
    assert listed == [path.name for path in DECISIONS]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.name[:4])
def test_a_decision_is_a_claim_of_at_most_thirty_lines(decision: Path) -> None:
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", decision.name)
    assert len(decision.read_text(encoding="utf-8").splitlines()) <= 30


def sources() -> Iterator[Path]:
    yield ROOT / "pyproject.toml"
    for folder in (*PACKAGES, "bench", "tests"):
        yield from (path for path in (ROOT / folder).rglob("*.py") if ".venv" not in path.parts)


def test_every_document_and_section_that_code_cites_exists() -> None:
    broken = []
    for source in sources():
        for name, anchor in CITATION.findall(source.read_text(encoding="utf-8")):
            found = [path for path in DOCUMENTS if str(path).endswith(f"/{name.lstrip('/')}")]
            if not found or (anchor and anchor not in {a for path in found for a in anchors(path)}):
                broken.append(f"{source.relative_to(ROOT)}: {name}#{anchor}")
    assert broken == []


def test_every_decision_that_is_cited_exists() -> None:
    numbers = {path.name[:4] for path in DECISIONS}
    for path in (*DOCUMENTS, *sources()):
        cited = re.findall(r"decisions?[/ ](\d{4})\b", path.read_text(encoding="utf-8"))
        assert set(cited) <= numbers, path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    folders = "|".join((*PACKAGES, "bench", "docs", "src", "tests"))
    named = re.findall(rf"(?<![\w/.-])(?:{folders})/[\w./-]*\w", document.read_text(encoding="utf-8"))
    assert [path for path in named if "NNNN" not in path and not (ROOT / path).exists()] == []
