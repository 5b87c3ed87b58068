"""A released schema changes by the rules of docs/reference/graphql.md: first deprecate, then remove."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.other_tools import javascript_tools
from tests.support.project import ROOT

SCHEMA = ROOT / "graphql_api" / "schema.graphql"
RELEASED = ROOT / "graphql_api" / "released.graphql"
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
RELEASES = re.findall(r"^## [\d.]+ \(\d{4}-\d\d-\d\d\)$", CHANGELOG, re.MULTILINE)
BEFORE = """
type Query {
  old: Int @deprecated(reason: "Use `new`.")
  new: Int
  kept(first: Int, size: Int @deprecated(reason: "Use `first`.")): State
}
enum State {OLD @deprecated(reason: "Never used.") NEW}
"""


def breaking_changes(before: Path, after: Path) -> list[str]:
    """What graphql-inspector calls breaking, without the removal of what was deprecated."""
    done = subprocess.run(
        ["node", "schema-changes.mjs", str(before), str(after)],
        cwd=javascript_tools(),
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return [
        line.removeprefix("BREAKING ") for line in done.stdout.splitlines() if line.startswith("BREAKING")
    ]


@pytest.mark.parametrize(
    ("after", "changes"),
    [
        ("type Query {new: Int kept(first: Int, after: Int): State} enum State {NEW OTHER}", []),
        (
            "type Query {old: Int kept(first: Int!): String} enum State {NEW}",
            [
                "Type for argument 'first' on field 'Query.kept' changed from 'Int' to 'Int!'",
                "Field 'Query.kept' changed type from 'State' to 'String'",
                "Field 'new' was removed from object type 'Query'",
            ],
        ),
    ],
)
def test_a_change_breaks_clients_unless_it_removes_what_was_deprecated(
    after: str, changes: list[str], tmp_path: Path
) -> None:
    for name, text in (("before", BEFORE), ("after", after)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert sorted(breaking_changes(tmp_path / "before", tmp_path / "after")) == sorted(changes)


def test_the_schema_of_the_last_release_is_kept() -> None:
    assert RELEASED.exists() == bool(RELEASES), (
        f"{RELEASED.name} is the schema of the last release: docs/how-to/release.md says how to release"
    )


@pytest.mark.skipif(not RELEASES, reason="before the first release every change is allowed")
def test_no_client_of_the_last_release_breaks() -> None:
    assert breaking_changes(RELEASED, SCHEMA) == []
