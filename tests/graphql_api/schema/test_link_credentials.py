"""The inputs of `linkEngine`: where tokens are fetched, and how often the engine is read."""

import pytest

from tests.graphql_api.support.schema_client import Client

pytestmark = pytest.mark.anyio

LINK = """
mutation($input: LinkEngineInput!) {
  linkEngine(input: $input) {
    link {credentials {scheme user environment file tokenUrl audience scope}} userErrors {code field}
  }
}
"""
CLIENT = {"scheme": "OAUTH", "user": "uplift", "environment": "UPLIFT_LINK_CLIENT"}
URL = "https://login.example/token"


async def linked(client: Client, **credentials: str) -> dict[str, object]:
    given = {"name": "c8", "kind": "CAMUNDA8", "namespace": "c8", "url": "http://engine.example/v2"}
    asked = await client.ask(LINK, input={**given, "credentials": {**CLIENT, **credentials}})
    return dict(asked["linkEngine"])


async def test_a_client_and_its_url_of_tokens_are_added_and_shown(client: Client) -> None:
    assert await linked(client, tokenUrl=URL, audience="zeebe") == {
        "link": {
            "credentials": {**CLIENT, "file": None, "tokenUrl": URL, "audience": "zeebe", "scope": None}
        },
        "userErrors": [],
    }


async def test_a_client_without_a_url_of_tokens_is_an_error_of_that_field(client: Client) -> None:
    for credentials in ({}, {"tokenUrl": "ftp://login.example/"}):
        assert await linked(client, **credentials) == {
            "link": None,
            "userErrors": [{"code": "INVALID_INPUT", "field": ["credentials", "tokenUrl"]}],
        }


@pytest.mark.parametrize("seconds", [0, 1e300])
async def test_an_interval_out_of_bounds_is_an_error_of_that_field(client: Client, seconds: float) -> None:
    link = {"name": "own", "kind": "CAMUNDA7", "namespace": "crm", "url": "http://engine.example/"}
    answer = await client.ask(LINK, input={**link, "sweepSeconds": seconds})
    assert answer["linkEngine"] == {
        "link": None,
        "userErrors": [{"code": "INVALID_INPUT", "field": ["sweepSeconds"]}],
    }
