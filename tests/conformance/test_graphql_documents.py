"""GraphQL answers generated documents as its schema says, or refuses them with a documented error."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from graphql import DocumentNode, print_ast
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.documents import ANY_CHARACTER, documents, inputs
from tests.conformance.real_gateway import Gateway
from tests.conformance.replies import SCHEMA, must_be_a_response, must_fit

pytestmark = pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])

SHORT, LONG = 40, 2_000
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(gateway: Gateway) -> Iterator[Ask]:
    """Executes a document with variables; returns the status and the reply."""
    headers = {"authorization": f"Bearer {gateway.admin_key}", "content-type": "application/json"}
    with httpx2.Client(base_url=gateway.url, headers=headers, timeout=60) as client:

        def post(query: str, variables: Any = None) -> tuple[int, Any]:
            body = json.dumps({"query": query, "variables": variables})
            reply = client.post("/graphql", content=body)
            return reply.status_code, reply.json()

        yield post


@pytest.fixture
def often(is_long: bool) -> settings:
    """The number of examples of a test."""
    return settings(max_examples=LONG if is_long else SHORT, suppress_health_check=[HealthCheck.too_slow])


def test_an_answer_has_the_requested_fields_in_the_types_of_the_schema(
    gateway: Gateway, ask: Ask, often: settings
) -> None:
    seen: Counter[bool] = Counter()

    @often
    @given(documents(str(gateway.upgrade)))
    def holds(document: DocumentNode) -> None:
        status, reply = ask(print_ast(document))
        must_be_a_response(status, reply)
        must_fit(reply, document)
        seen[reply.get("data") is not None] += 1

    holds()
    assert seen[True] > seen[False], "most documents must find something to answer"


def test_a_garbled_document_is_refused_or_answered(gateway: Gateway, ask: Ask, often: settings) -> None:
    @often
    @given(documents(str(gateway.upgrade)), st.data())
    def holds(document: DocumentNode, data: st.DataObject) -> None:
        text = print_ast(document)
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(len(text), begin + 20)))
        put = data.draw(st.text(ANY_CHARACTER, max_size=5) | st.sampled_from('{}()[]"$@!:#&|.'))
        must_be_a_response(*ask(text[:begin] + put + text[end:]))

    holds()


@pytest.mark.parametrize("mutation", sorted(SCHEMA.mutation_type.fields if SCHEMA.mutation_type else ()))
def test_any_variable_is_refused_or_taken(mutation: str, ask: Ask, often: settings) -> None:
    kind = f"{mutation[0].upper()}{mutation[1:]}Input"

    @settings(often, max_examples=often.max_examples // 8)
    @given(inputs(kind))
    def holds(value: Any) -> None:
        query = f"mutation ($input: {kind}!) {{{mutation}(input: $input) {{userErrors {{code message}}}}}}"
        must_be_a_response(*ask(query, {"input": value}))

    holds()
