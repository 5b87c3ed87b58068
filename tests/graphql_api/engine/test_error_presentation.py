"""Tests what a client and what the log learns of an error."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.graphql_api.engine.served import a_client

pytestmark = pytest.mark.anyio


async def ask(query: str, **more: object) -> Any:
    async with a_client() as client:
        response = await client.post("/graphql", json={"query": query, **more})
        return response.json()


async def test_masks_an_unexpected_error_and_logs_it_with_the_same_id() -> None:
    with capture_logs() as logs:
        answer = await ask("{ boom }")
    [error] = answer["errors"]
    error_id = error["extensions"]["id"]
    assert error == {
        "message": f"Unexpected error, please report it to the operator of this server (id {error_id}).",
        "locations": [{"line": 1, "column": 3}],
        "path": ["boom"],
        "extensions": {"code": "INTERNAL", "id": error_id},
    }
    [entry] = logs
    trace = entry.pop("exception")
    assert entry == {"event": "unexpected_error", "log_level": "error", "error_id": error_id}
    assert trace.startswith("Traceback")
    assert trace.endswith("RuntimeError: SELECT secret FROM keys\n")


async def test_logs_no_values_of_variables_with_a_traceback() -> None:
    with capture_logs() as logs:
        await ask("query($name: String!) { hello(name: $name) boom }", variables={"name": "a-key-of-someone"})
    assert "a-key-of-someone" not in str(logs)


async def test_gives_each_unexpected_error_its_own_id() -> None:
    with capture_logs() as logs:
        answer = await ask("{ a: boom b: boom }")
    assert len({error["extensions"]["id"] for error in answer["errors"]}) == 2
    assert [entry["error_id"] for entry in logs] == [error["extensions"]["id"] for error in answer["errors"]]


@pytest.mark.parametrize("field", ["mustNotBeNull", "tooBig"])
async def test_masks_a_result_that_its_own_type_cannot_show(field: str) -> None:
    with capture_logs() as logs:
        answer = await ask(f"{{ {field} }}")
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL"]
    assert len(logs) == 1


async def test_shows_a_refusal_of_the_domain_with_its_code_and_field() -> None:
    with capture_logs() as logs:
        answer = await ask("{ refused hello }")
    assert answer == {
        "data": {"refused": None, "hello": "hello you"},
        "errors": [
            {
                "message": "Expected a number, but got 'x'.",
                "locations": [{"line": 1, "column": 3}],
                "path": ["refused"],
                "extensions": {"code": "INVALID_INPUT", "field": ["input", "number"]},
            }
        ],
    }
    assert logs == []


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"query": "{ forged\nERROR line"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ unknown }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": '{ hello(name: "x", other: 1) }'}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query($n: String!) { hello(name: $n) }", "variables": {"n": 5}}, "BAD_USER_INPUT"),
        ({"query": "query A { hello } query B { hello }"}, "BAD_USER_INPUT"),
        ({"query": "query A { hello }", "operationName": "B"}, "BAD_USER_INPUT"),
        ({"query": "fragment F on Query { hello }"}, "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_never_logs_a_mistake_of_the_client(
    request_: dict[str, Any], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs:
        answer = await ask(**request_)
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert "data" not in answer
    assert logs == []
    assert caplog.records == []


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        (
            "query($name: String!) { hello(name: $name) }",
            {"name": None},
            "Variable '$name' has invalid value: Expected value of non-null type 'String!' not to be null.",
        ),
        (
            "query($n: String!) { hello(name: $n) }",
            {"n": [True, "None"]},
            "Variable '$n' has invalid value: String cannot represent a non string value: [true, 'None']",
        ),
        (
            "{ hello(name: null) }",
            {},
            "Expected value of non-null type 'String!' not to be null.",
        ),
    ],
)
async def test_speaks_of_values_in_the_words_of_json(
    query: str, variables: dict[str, object], message: str
) -> None:
    [error] = (await ask(query, variables=variables))["errors"]
    assert error["message"] == message
