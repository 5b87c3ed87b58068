"""Tests which query texts are valid, and that each is parsed once."""

from typing import Any

import pytest
import strawberry
from graphql import OperationType, get_introspection_query

from uplift.graphql_api.engine.documents import DocumentError, Documents
from uplift.graphql_api.engine.limits import Limits


@strawberry.input(one_of=True)
class Selection:
    ids: list[int] | None
    status: str | None


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "you") -> str:
        return name

    @strawberry.field
    def count(self, selection: Selection) -> int:
        return len(selection.ids or ())


@strawberry.type
class Mutation:
    @strawberry.mutation
    def change(self) -> str:
        return "done"


SCHEMA = strawberry.Schema(Query, Mutation)._schema


def documents(**limits: Any) -> Documents:
    return Documents(SCHEMA, Limits(**limits))


def refusal(text: str, **limits: Any) -> list[tuple[str, object]]:
    """The messages and codes that this text is refused with."""
    with pytest.raises(DocumentError) as refused:
        documents(**limits).find(text)
    return [(error.message, (error.extensions or {})["code"]) for error in refused.value.errors]


def test_reads_each_text_once() -> None:
    found = documents()
    first = found.find("{ hello }")
    assert found.find("{ hello }") is first
    assert found.find("{ hello  }") is not first
    assert (found.hits, found.misses) == (1, 2)


def test_drops_the_least_recently_used_text() -> None:
    cache = documents(max_cached_characters=130)
    texts = [f"{{ a{number}: hello }}" for number in range(10)]
    for text in [*texts, texts[0], "{ another }".replace("another", "b0: hello")]:
        cache.find(text)
    assert (cache.hits, cache.misses) == (1, 11)
    cache.find(texts[0])
    assert (cache.hits, cache.misses) == (2, 11)
    cache.find(texts[1])
    assert (cache.hits, cache.misses) == (2, 12)


def test_caches_no_more_text_than_allowed() -> None:
    found = documents(max_cached_characters=140)
    texts = [f"{{ a{number}: hello }}" for number in range(12)]
    for text in texts[:10]:
        assert len(text) == 13
        found.find(text)
    found.find(texts[-1])
    found.find(texts[0])
    assert (found.hits, found.misses) == (0, 12)


def test_never_caches_a_text_that_would_push_out_many_others() -> None:
    found = documents(max_cached_characters=1_000)
    found.find("{ hello }")
    found.find("{ hello }" + " " * 200)
    found.find("{ hello }" + " " * 200)
    found.find("{ hello }")
    assert (found.hits, found.misses) == (1, 3)


def test_does_not_cache_an_invalid_text() -> None:
    found = documents()
    for _ in range(2):
        with pytest.raises(DocumentError):
            found.find("{ helo }")
    assert (found.hits, found.misses) == (0, 2)


def test_knows_the_type_of_an_operation_by_its_name() -> None:
    document = documents().find("query Q { hello } mutation M { change }")
    assert document.operation_type("Q") is OperationType.QUERY
    assert document.operation_type("M") is OperationType.MUTATION
    assert document.operation_type(None) is None
    assert document.operation_type("X") is None


def test_knows_the_type_of_the_only_operation_without_its_name() -> None:
    assert documents().find("mutation M { change }").operation_type(None) is OperationType.MUTATION


def test_refuses_a_text_that_is_not_graphql() -> None:
    assert refusal("{ hello") == [("Syntax Error: Expected Name, found <EOF>.", "GRAPHQL_PARSE_FAILED")]


def test_refuses_a_text_that_does_not_fit_the_schema() -> None:
    message = "Cannot query field 'helo' on type 'Query'. Did you mean 'hello'?"
    assert refusal("{ helo }") == [(message, "GRAPHQL_VALIDATION_FAILED")]


def test_suggests_no_names_when_introspection_is_off() -> None:
    expected = [("Cannot query field 'helo' on type 'Query'.", "GRAPHQL_VALIDATION_FAILED")]
    assert refusal("{ helo }", introspection=False) == expected


def test_refuses_introspection_when_it_is_off() -> None:
    messages = [message for message, _ in refusal(get_introspection_query(), introspection=False)]
    assert messages[0] == (
        "GraphQL introspection has been disabled, but the requested query contained the field '__schema'."
    )
    documents(introspection=False).find("{ __typename }")


def test_stops_parsing_at_the_token_limit() -> None:
    text = "{ " + "hello " * 20_000 + "}"
    expected = "Syntax Error: Document contains more than 2000 tokens. Parsing aborted."
    assert refusal(text) == [(expected, "GRAPHQL_PARSE_FAILED")]


def test_stops_parsing_at_too_many_comments() -> None:
    [(message, code)] = refusal("#\n" * 3_000 + "{ hello }")
    assert (message, code) == (
        "Syntax Error: Document contains more than 2000 comments. Parsing aborted.",
        "GRAPHQL_PARSE_FAILED",
    )


def test_refuses_a_long_text_before_parsing_it() -> None:
    [(message, code)] = refusal("{ hello }" + " " * 100, max_document_characters=50)
    assert "50" in message
    assert code == "GRAPHQL_PARSE_FAILED"


def test_refuses_a_document_over_a_limit_before_validating_it() -> None:
    text = "{ " + " ".join(f"a{number}: helo" for number in range(3)) + " }"
    assert refusal(text, max_aliases=2) == [
        ("Expected at most 2 aliases, but the document has more.", "LIMIT_EXCEEDED")
    ]


@pytest.mark.parametrize("text", ["{" * 500 + "}" * 500, "{ ... " * 400 + "{ hello" + "}" * 401])
def test_refuses_a_deeply_nested_text_without_running_out_of_stack(text: str) -> None:
    [(_, code)] = refusal(text)
    assert code == "GRAPHQL_PARSE_FAILED"


def test_a_one_of_input_must_have_exactly_one_key() -> None:
    expected = "OneOf Input Object 'Selection' must specify exactly one key."
    assert refusal('{ count(selection: {ids: [1], status: "x"}) }') == [
        (expected, "GRAPHQL_VALIDATION_FAILED")
    ]


def test_checks_a_one_of_input_inside_a_fragment_that_stands_first() -> None:
    nullable = "fragment F on Query { count(selection: {ids: $ids}) } query($ids: [Int!]) { ...F }"
    expected = "Variable 'ids' must be non-nullable to be used for OneOf Input Object 'Selection'."
    assert refusal(nullable) == [(expected, "GRAPHQL_VALIDATION_FAILED")]
    documents().find("fragment F on Query { count(selection: {ids: $ids}) } query($ids: [Int!]!) { ...F }")


def test_reports_an_undefined_variable_in_a_one_of_input_as_a_mistake_of_the_text() -> None:
    assert refusal("{ count(selection: {ids: $ids}) }") == [
        ("Variable '$ids' is not defined.", "GRAPHQL_VALIDATION_FAILED")
    ]
