"""A browser that opens the address of the gateway gets to the console; other clients get a 404."""

from pathlib import Path

import pytest

from tests.gateway.served_world import a_served_world

pytestmark = pytest.mark.anyio

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def test_leads_browsers_to_the_console_and_others_nowhere(folder: Path) -> None:
    async with a_served_world(folder) as world:
        unknown = await world.client.get("/unknown")
        for method in ("GET", "HEAD"):
            redirect = await world.client.request(method, "/", headers=BROWSER)
            assert (redirect.status_code, redirect.headers["location"]) == (307, "/console")
            assert redirect.headers["vary"] == "Accept"
        for accept in ("*/*", "application/json", "text/html;q=0"):
            reply = await world.client.get("/", headers={"accept": accept})
            assert (
                (reply.status_code, reply.text) == (unknown.status_code, unknown.text) == (404, "Not Found")
            )
        assert (await world.client.post("/", headers=BROWSER)).status_code == 404


async def test_leads_to_graphiql_without_the_console(folder: Path) -> None:
    async with a_served_world(folder, console=False) as world:
        assert (await world.client.get("/", headers=BROWSER)).headers["location"] == "/graphql"
        assert (await world.client.get("/console", headers=BROWSER)).status_code == 404


async def test_leads_nowhere_without_a_page(folder: Path) -> None:
    async with a_served_world(folder, console=False, introspection=False) as world:
        assert (await world.client.get("/", headers=BROWSER)).status_code == 404


async def test_serves_the_console_without_introspection(folder: Path) -> None:
    async with a_served_world(folder, introspection=False) as world:
        assert (await world.client.get("/", headers=BROWSER)).headers["location"] == "/console"
        assert (await world.client.get("/console", headers=BROWSER)).status_code == 200
