"""The style of prose: documents, docstrings, comments and messages keep rules that a program can check.

CONTRIBUTING.md says why this is not vale. tests/test_words.py has the words that are not used.
"""

import re
from functools import cache

import pytest

from tests.support.project import DOCS, ROOT
from tests.support.prose import Prose, prose_of_document, prose_of_module
from tests.test_architecture import PACKAGES

MAX_WORDS = 40
"""The longest sentence, in words. A name in backticks counts as one word, and a semicolon ends a sentence."""
PATTERNS = {
    "a contraction": re.compile(
        r"\b\w+(?:n't|'re|'ve|'ll|'m)\b|\b(?:it|that|there|what|who|let|here)'s\b", re.IGNORECASE
    ),
    "a Latin abbreviation": re.compile(r"\b(?:e\.g|i\.e|etc|viz|cf)\.|\bvia\b", re.IGNORECASE),
    "a word that says nothing": re.compile(
        r"\b(?:simply|obviously|basically|actually|really|very|of course)\b", re.IGNORECASE
    ),
    "two words for one": re.compile(
        r"\b(?:in order to|due to the fact|at this point in time|make use of|and also)\b", re.IGNORECASE
    ),
    "a word twice": re.compile(r"\b(?!CODE)([A-Za-z]+) \1\b", re.IGNORECASE),
    "a wrong article": re.compile(
        r"\b(?:[Aa] (?!one\b|once\b|us|uni|uv|ur|eu)[aeiou][a-z]|[Aa]n (?!hour|honest)[b-df-hj-np-tv-z][a-z])"
    ),
}
"""What prose does not have."""


@cache
def prose() -> tuple[Prose, ...]:
    """All prose of documents and of product code."""
    documents = {*DOCS.rglob("*.md"), *ROOT.glob("*.md"), ROOT / "bench" / "README.md"}
    modules = (module for package in PACKAGES for module in sorted((ROOT / package).rglob("*.py")))
    return (
        *(piece for document in sorted(documents) for piece in prose_of_document(document)),
        *(piece for module in modules for piece in prose_of_module(module)),
    )


def faults(piece: Prose) -> list[str]:
    """What is wrong with a piece of prose, each with its place."""
    found = [
        f"{piece.place}: {name}: {match[0]}"
        for name, pattern in PATTERNS.items()
        for match in pattern.finditer(piece.text)
    ]
    lengths = [(len(sentence.split()), sentence) for sentence in piece.sentences]
    return found + [f"{piece.place}: {words} words: {text}" for words, text in lengths if words > MAX_WORDS]


def test_prose_keeps_the_rules() -> None:
    assert [fault for piece in prose() for fault in faults(piece)] == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("It doesn't end.", "a contraction: doesn't"),
        ("Names, versions etc. are kept.", "a Latin abbreviation: etc."),
        ("Simply repeat it.", "a word that says nothing: Simply"),
        ("Stop it in order to wait.", "two words for one: in order to"),
        ("It is the the last.", "a word twice: the the"),
        ("Send a order.", "a wrong article: a or"),
        ("Read an row.", "a wrong article: an ro"),
        (f"The {'long ' * MAX_WORDS}end.", f"{MAX_WORDS + 2} words: The {'long ' * MAX_WORDS}end."),
    ],
)
def test_a_fault_is_found(text: str, fault: str) -> None:
    assert faults(Prose(place="x:1", text=text))[-1] == f"x:1: {fault}"


def test_code_and_names_are_no_faults() -> None:
    text = "A user sends a unique key, an hour later a URL, and `a or` of a European."
    assert faults(Prose(place="x:1", text=text.replace("`a or`", "CODE"))) == []


def test_all_kinds_of_prose_are_read() -> None:
    module = ROOT / "domain" / "errors.py"
    texts = [piece.text for piece in prose_of_module(module)]
    assert "No link has this name." in texts, "a docstring"
    assert any(text.startswith("Expected to add link 'CODE', but") for text in texts), "a message"
    comments = [piece.text for piece in prose_of_module(ROOT / "gateway" / "reasons" / "catalogue.py")]
    assert comments
    cells = [piece.text for piece in prose_of_document(DOCS / "reference" / "metrics.md")]
    assert "Open client connections." in cells, "a cell of a table"
    assert len(prose()) > 10_000
