"""The examples in docs/reference/graphql.md work as shown."""

import json
import re
from typing import Any

import pytest
from graphql import parse, validate
from strawberry import Schema

from tests.graphql_api.support.schema_client import Client
from tests.support.project import DOCS

DOCUMENT = DOCS / "reference" / "graphql.md"
EXAMPLE = re.compile(
    r"^```graphql\n(?P<query>.*?)^```\n(?:\n```json\n(?P<answer>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
CHANGING = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+Z"
    r"|\b(?!00000000-)[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b"
    r'|(?<="endCursor": )"[^"]*"|(?<="rate": )\d+\.\d+'
)
"""Times, generated ids, cursors and rates."""


def examples() -> list[tuple[str, str | None]]:
    return [(match["query"], match["answer"]) for match in EXAMPLE.finditer(DOCUMENT.read_text())]


def test_every_example_fits_the_schema(schema: Schema) -> None:
    assert len(examples()) > 10
    for query, _ in examples():
        assert validate(schema._schema, parse(query)) == [], query


@pytest.mark.anyio
async def test_every_example_gives_the_answer_shown(client: Client) -> None:
    known: dict[str, str] = {}
    for query, answer in examples():
        if answer is not None:
            actual = json.dumps(await answer_to(client, with_real_ids(query, known)))
            documented = json.dumps(json.loads(answer))
            assert CHANGING.sub("…", actual) == CHANGING.sub("…", documented), query
            known |= zip(CHANGING.findall(documented), CHANGING.findall(actual), strict=True)


def with_real_ids(query: str, known: dict[str, str]) -> str:
    """Replace the ids in a query of the document by those that the examples before it returned."""
    return CHANGING.sub(lambda found: known.get(found[0], found[0]), query)


async def answer_to(client: Client, query: str) -> Any:
    """The response to an operation; a subscription has only one."""
    if query.startswith("subscription"):
        [response] = [response async for response in client.follow(query)]
        return response
    data, errors = await client.answer(query)
    return {"errors": errors, "data": data} if errors else {"data": data}
