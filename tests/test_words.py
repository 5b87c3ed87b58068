"""Words and style: no word of the glossary's second table is left, and prose keeps a few rules.

Prose is in documents, docstrings, comments, messages and descriptions. CONTRIBUTING.md says why this is not
vale.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.project import DOCS, ROOT
from tests.support.prose import Prose, prose_of_document, prose_of_module, prose_of_openapi
from tests.test_architecture import PACKAGES

GLOSSARY = DOCS / "reference" / "glossary.md"
OPENAPI = ROOT / "rest_compat" / "openapi.json"
SCHEMAS = (ROOT / "graphql_api" / "schema.graphql", OPENAPI)
DOCUMENTS = sorted({*DOCS.rglob("*.md"), *ROOT.glob("*.md"), ROOT / "bench" / "README.md"} - {GLOSSARY})
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


def retired() -> Iterator[tuple[str, str]]:
    """Each word of the table, with each place where it is not used."""
    table = GLOSSARY.read_text(encoding="utf-8").partition("## Words we do not use")[2]
    for words, places in re.findall(r"^\| (.+?) \| .+? \| ([a-z_, ]+) \|$", table, re.MULTILINE):
        for word in words.split(", "):
            for place in places.split(", "):
                yield word, place


RETIRED = tuple(retired())


@cache
def modules(place: str) -> tuple[Path, ...]:
    folders = PACKAGES if place in {"code", "loop", "prose"} else (place,)
    return tuple(path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))


@cache
def tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


@cache
def defined_names(module: Path) -> tuple[tuple[str, int], ...]:
    """Every name that a module defines, with its line: functions, classes, parameters, variables, fields."""
    found = []
    for node in ast.walk(tree(module)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.append((node.name, node.lineno))
            case ast.arg():
                found.append((node.arg, node.lineno))
            case ast.Name(ctx=ast.Store()):
                found.append((node.id, node.lineno))
            case ast.Attribute(ctx=ast.Store()):
                found.append((node.attr, node.lineno))
    return tuple(found)


def loop_variables(module: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            for part in ast.walk(node.target):
                if isinstance(part, ast.Name):
                    yield part.id, part.lineno


@cache
def comments_and_docstrings(module: Path) -> tuple[tuple[str, int], ...]:
    text = module.read_text(encoding="utf-8")
    found = [
        (token.string, token.start[0])
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            for offset, line in enumerate(str(node.value.value).splitlines()):
                found.append((line, node.lineno + offset))
    return tuple(found)


def parts(name: str) -> list[str]:
    """The words of a name in snake_case or camelCase."""
    return re.findall(r"[a-z0-9]+", re.sub(r"([A-Z])", r"_\1", name).lower())


def uses_word(name: str, word: str) -> bool:
    return name == word.strip("`") if word.startswith("`") else word in parts(name)


def uses_phrase(text: str, phrase: str) -> bool:
    return re.search(rf"\b{phrase}\b", text, re.IGNORECASE) is not None


def uses(word: str, place: str) -> Iterator[str]:
    """Where a retired word is used, as file:line."""
    if place == "prose":
        for module in modules(place):
            for text, line in comments_and_docstrings(module):
                if uses_phrase(text, word):
                    yield f"{module.relative_to(ROOT)}:{line}"
        for document in (*DOCUMENTS, *SCHEMAS):
            for line, text in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
                if uses_phrase(text, word):
                    yield f"{document.relative_to(ROOT)}:{line}"
    elif place == "schema":
        for schema in SCHEMAS:
            for line, text in enumerate(schema.read_text(encoding="utf-8").splitlines(), 1):
                named = re.match(r'\s*"?(\w+)"?[:(]', text) or re.match(r"(?:type|input|enum) (\w+)", text)
                if named and uses_word(named[1], word):
                    yield f"{schema.relative_to(ROOT)}:{line}"
    else:
        for module in modules(place):
            names = loop_variables(module) if place == "loop" else defined_names(module)
            for name, line in names:
                if uses_word(name, word):
                    yield f"{module.relative_to(ROOT)}:{line} ({name})"


@pytest.mark.parametrize(("word", "place"), RETIRED)
def test_a_retired_word_is_used_nowhere(word: str, place: str) -> None:
    assert list(uses(word, place)) == []


def test_the_table_is_read() -> None:
    assert len(RETIRED) > 50
    assert ("whoever", "prose") in RETIRED
    assert ("`GIVEN`", "code") in RETIRED


def test_a_word_is_found_as_part_of_a_name() -> None:
    assert uses_word("share_size", "share")
    assert uses_word("largestShare", "share")
    assert not uses_word("shared", "share")
    assert not uses_word("one_id", "`one`")
    assert uses_word("one", "`one`")


def test_what_the_glossary_names_exists() -> None:
    words = GLOSSARY.read_text(encoding="utf-8").partition("## Words we do not use")[0]
    code = "".join(path.read_text(encoding="utf-8") for path in (*modules("code"), SCHEMAS[0]))
    named = re.findall(r"`([^`]+)`", "".join(re.findall(r"^\| .* \| (.+) \|$", words, re.MULTILINE)))
    missing = {
        name
        for name in named
        for part in re.findall(r"\w+(?:-\w+)*", name)
        if not re.search(rf"\b{part.removeprefix('UPLIFT_').lower()}\b", code, re.IGNORECASE)
    }
    assert missing == set()


@cache
def prose() -> tuple[Prose, ...]:
    """All prose of documents, of product code and of the OpenAPI document."""
    documents = {*DOCS.rglob("*.md"), *ROOT.glob("*.md"), ROOT / "bench" / "README.md"}
    modules = (module for package in PACKAGES for module in sorted((ROOT / package).rglob("*.py")))
    return (
        *(piece for document in sorted(documents) for piece in prose_of_document(document)),
        *(piece for module in modules for piece in prose_of_module(module)),
        *prose_of_openapi(OPENAPI),
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
    described = [piece.text for piece in prose_of_openapi(OPENAPI)]
    assert "The upgrade is completed." in described
    assert len(prose()) > 10_000
