"""A webhook of a linked engine is added with the link, and shown with what became of the last event."""

from dataclasses import replace
from typing import Any

import pytest

from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import ORDER, add_process

pytestmark = pytest.mark.anyio

SHOWN = "{name webhookError webhook {url secret {environment file} oldSecret {environment file}}}"
LINK = f"""
mutation($input: LinkEngineInput!) {{
  linkEngine(input: $input) {{link {SHOWN} userErrors {{code field}}}}
}}
"""
URL = "https://shop.example/hook"


async def link(client: Client, **webhook: Any) -> dict[str, Any]:
    given = {"name": "own", "kind": "PULL", "namespace": ORDER.namespace, "processes": [ORDER.code]}
    asked = await client.ask(LINK, input={**given, "webhook": {"url": URL, **webhook}})
    return dict(asked["linkEngine"])


async def test_a_webhook_is_added_and_shown_with_its_last_error(client: Client) -> None:
    await add_process(client.store, ORDER)
    linked = await link(
        client, secret={"environment": "UPLIFT_LINK_NEW"}, oldSecret={"environment": "UPLIFT_LINK_OLD"}
    )
    webhook = {
        "url": URL,
        "secret": {"environment": "UPLIFT_LINK_NEW", "file": None},
        "oldSecret": {"environment": "UPLIFT_LINK_OLD", "file": None},
    }
    assert linked == {"link": {"name": "own", "webhookError": None, "webhook": webhook}, "userErrors": []}
    async with client.store.transaction() as transaction:
        (stored,) = await client.store.links.all()
        locked = await transaction.links.lock(stored.id)
        assert locked is not None
        await locked.save(replace(locked.status, webhook_error="The answer is 500."))
    (shown,) = (await client.ask(f"{{links {SHOWN}}}"))["links"]
    assert shown == {"name": "own", "webhookError": "The answer is 500.", "webhook": webhook}


@pytest.mark.parametrize(
    ("webhook", "field"),
    [
        ({"secret": {"environment": "HOME"}}, ["webhook", "secret", "environment"]),
        (
            {"secret": {"environment": "UPLIFT_LINK_A"}, "oldSecret": {"environment": "PATH"}},
            ["webhook", "oldSecret", "environment"],
        ),
        (
            {"secret": {"environment": "UPLIFT_LINK_A"}, "oldSecret": {"environment": "UPLIFT_LINK_A"}},
            ["webhook", "oldSecret"],
        ),
        ({"secret": {"environment": "UPLIFT_LINK_A"}, "url": "ftp://x/"}, ["webhook", "url"]),
    ],
)
async def test_a_bad_field_of_a_webhook_is_named_and_nothing_is_written(
    client: Client, webhook: dict[str, Any], field: list[str]
) -> None:
    await add_process(client.store, ORDER)
    refused = await link(client, **webhook)
    assert refused == {"link": None, "userErrors": [{"code": "INVALID_INPUT", "field": field}]}
    assert await client.store.links.all() == ()
