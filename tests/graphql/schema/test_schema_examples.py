"""What docs/graphql.md shows is what happens."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from graphql import parse, validate
from schema_client import Client
from strawberry import Schema

DOCUMENT = Path(__file__).parents[3] / "docs" / "graphql.md"
EXAMPLE = re.compile(
    r"^```graphql\n(?P<query>.*?)^```\n(?:\n```json\n(?P<answer>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
CHANGING = re.compile(
    r'"(?:\d{4}-\d\d-\d\dT[^"]*Z|[0-9a-f]{8}-[0-9a-f]{4}-4[^"]*)"|(?<="endCursor": )"[^"]*"'
)
GIVEN = '"00000000-'


def examples() -> list[tuple[str, str | None]]:
    return [(match["query"], match["answer"]) for match in EXAMPLE.finditer(DOCUMENT.read_text())]


def without_what_changes(answer: Any) -> str:
    """The answer as text, with times, cursors and the ids that were made up blotted out."""
    text = json.dumps(answer, indent=1)
    return CHANGING.sub(lambda found: found[0] if found[0].startswith(GIVEN) else '"…"', text)


def test_every_example_fits_the_schema(schema: Schema):
    assert len(examples()) > 10
    for query, _ in examples():
        assert validate(schema._schema, parse(query)) == [], query


@pytest.mark.anyio
async def test_every_example_gives_the_answer_shown(client: Client):
    for query, answer in examples():
        if answer is not None:
            data, errors = await client.answer(query)
            given = json.loads(json.dumps({"errors": errors, "data": data} if errors else {"data": data}))
            assert without_what_changes(given) == without_what_changes(json.loads(answer)), query
