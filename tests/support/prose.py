"""Finds the prose of the project: paragraphs of documents, docstrings, comments, and messages."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.project import ROOT

BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"``[^`]+``|`[^`]*`")
ITEM = re.compile(r"\n(?=\s*(?:[-*#|>]|\d+\.))")
COMMENT = re.compile(r"(?:^[ ]*#[ !:][^\n]*\n?)+|[ ]{2}#[ ][^\n]*", re.MULTILINE)
END = re.compile(r"(?<=[.!?;])[)\"'*_]*\s+(?=[\"'(*_]*[A-Za-z0-9…])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """A piece of prose without code: one paragraph, table cell, docstring, comment or message."""

    place: str
    text: str

    @property
    def sentences(self) -> list[str]:
        """The sentences, or their parts between semicolons. Code counts as one word."""
        return END.split(self.text)


def prose_of_document(path: Path) -> Iterator[Prose]:
    """The paragraphs, list items and table cells of a Markdown document, without blocks of code."""
    text = BLOCK.sub(lambda block: "\n" * block[0].count("\n"), path.read_text(encoding="utf-8"))
    line = 1
    for block in re.split(r"(\n\s*\n)", text):
        if block.strip() and not block.startswith("    "):
            at = line
            for item in ITEM.split(block):
                for cell in re.split(r"(?<!\\)\|", item) if item.startswith("|") else [item]:
                    yield _prose(path, at, cell)
                at += item.count("\n") + 1
        line += block.count("\n")


def prose_of_module(path: Path) -> Iterator[Prose]:
    """The docstrings and comments of a module, and the sentences among its texts."""
    source = path.read_text(encoding="utf-8")
    for comment in COMMENT.finditer(source):
        text = re.sub(r"^\s*#[ !:]?", "", comment[0], flags=re.MULTILINE)
        yield _prose(path, source.count("\n", 0, comment.start()) + 1, text)
    inside: set[ast.AST] = set()
    for node in ast.walk(ast.parse(source)):
        if node in inside:
            continue
        match node:
            case ast.JoinedStr():
                inside.update(ast.walk(node))
                parts = [part.value if isinstance(part, ast.Constant) else "CODE" for part in node.values]
                text = "".join(map(str, parts))
            case ast.Constant(value=str(text)):
                pass
            case _:
                continue
        for paragraph in re.split(r"\n\s*\n", text):
            if _is_prose(paragraph):
                yield _prose(path, node.lineno, paragraph)


def prose_of_openapi(path: Path) -> Iterator[Prose]:
    """The descriptions and summaries of an OpenAPI document."""
    nodes = [json.loads(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            texts = [text for key in ("summary", "description") if isinstance(text := node.get(key), str)]
            yield from (_prose(path, 1, paragraph) for text in texts for paragraph in text.split("\n\n"))
        nodes += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def _is_prose(text: str) -> bool:
    """Whether a text is of sentences, and not of code, SQL or a pattern."""
    begins = re.match(r"\s*[A-Z`'\"][^\n]*\s\w+\s", text)
    return begins is not None and re.search(r"[a-z)`'\"}][.:]\s*$", text) is not None


def _prose(path: Path, line: int, text: str) -> Prose:
    """The text as one line: code as the word CODE, and links as their texts."""
    text = CODE.sub("CODE", " ".join(text.split()))
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"https?://\S+|^[#>|*\-\s]+|^\d+\.\s|\*\*", "", text).strip()
    return Prose(place=f"{path.relative_to(ROOT)}:{line}", text=text)
