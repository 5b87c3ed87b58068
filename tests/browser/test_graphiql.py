"""GraphiQL works in a real browser, with an API key and without the internet."""

import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import strawberry
import uvicorn
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError

from tests.browser.graphiql_page import CHROMIUM, GraphiQLPage, a_browser
from uplift.graphql_api.ide import GraphiQLPage as ServedPage

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]

KEY = "k3y-of-the-test"


@strawberry.type
class Query:
    @strawberry.field(description="Says whom it greets.")  # type: ignore[untyped-decorator]  # as it is typed
    def greeting(self, name: str = "world") -> str:
        return f"Hello {name}"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self) -> AsyncIterator[int]:
        yield 41
        yield 42


class GuardedGraphQL(GraphQL[None, None]):
    """Answers browsers with the page, and API clients only with the key."""

    page = ServedPage(default_query="query Greet {\n  greeting\n}\n")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._without_key(Request(scope)) if scope["type"] == "http" else None
        await (answer or super().__call__)(scope, receive, send)

    def _without_key(self, request: Request) -> Any:
        if request.method == "GET" and "text/html" in request.headers["accept"]:
            return self.page(request)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return JSONResponse({"errors": [{"message": "No valid key."}]}, status_code=401)
        return None

    async def on_ws_connect(self, context: Any) -> Any:
        if context["connection_params"].get("Authorization") != f"Bearer {KEY}":
            raise ConnectionRejectionError({"reason": "No valid key."})
        return await super().on_ws_connect(context)


def name_of_worker(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2].partition(".worker-")[0]


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    api = GuardedGraphQL(strawberry.Schema(Query, subscription=Subscription))
    routes = [Route("/graphql", api), WebSocketRoute("/graphql", api), *api.page.static_routes()]
    with served(Starlette(routes=routes)) as origin:
        yield f"{origin}/graphql"


@pytest.fixture
def graphiql(browser: Browser, address: str) -> Iterator[GraphiQLPage]:
    graphiql = GraphiQLPage(browser)
    graphiql.open(address)
    yield graphiql
    graphiql.close()


@pytest.fixture(scope="module")
def kept_page(browser: Browser, address: str) -> Iterator[GraphiQLPage]:
    """A page that several tests share, because loading it takes longer than they do.

    Other pages do not find what it stores.
    """
    graphiql = GraphiQLPage(browser, has_own_context=True)
    graphiql.open(address)
    yield graphiql
    graphiql.close()


@pytest.fixture
def used(kept_page: GraphiQLPage) -> GraphiQLPage:
    """The shared page, with the right key. It keeps all else but complaints, which fail one test only."""
    kept_page.complaints.clear()
    kept_page.enter_key(KEY)
    return kept_page


def test_shows_what_to_do_before_there_is_a_key(graphiql: GraphiQLPage) -> None:
    assert graphiql.query_text().startswith("# 1. Put your API key into the field at the top.")
    assert "greeting" in graphiql.query_text()
    expect(graphiql.key_field()).to_have_value("")
    expect(graphiql.key_field()).to_have_attribute("type", "password")
    assert graphiql.page.title() == "Uplift GraphiQL"
    graphiql.open_documentation()
    expect(graphiql.page.locator(".without-key .graphiql-doc-explorer-error")).to_be_visible()
    assert graphiql.complaints == []


def test_runs_a_query_with_the_key_and_contacts_no_other_server(
    graphiql: GraphiQLPage, address: str, tmp_path: Path
) -> None:
    graphiql.enter_key(KEY)
    graphiql.run()
    graphiql.expect_result("Hello world")
    graphiql.open_documentation()
    expect(graphiql.documentation()).to_contain_text("Query")
    expect(graphiql.documentation().locator("svg title").first).to_have_text("magnifying glass icon")
    graphiql.page.screenshot(path=tmp_path / "graphiql.png")

    assert {urlsplit(url).netloc for url in graphiql.requested} == {urlsplit(address).netloc}
    assert graphiql.complaints == []


def test_receives_a_subscription_with_the_key(used: GraphiQLPage) -> None:
    used.enter_query("subscription { count }")
    used.run()
    used.expect_result("42")
    assert used.complaints == []


def test_marks_an_unknown_field_once_the_schema_is_known(used: GraphiQLPage) -> None:
    used.enter_query("{ unknown }")
    used.expect_marked_mistake()
    assert {"editor", "graphql", "json"} <= {name_of_worker(url) for url in used.requested}
    assert used.complaints == []


def test_prettifies_the_query(used: GraphiQLPage) -> None:
    used.enter_query("{greeting}")
    used.prettify()
    expect(used.editor("Operation Editor").locator(".view-line")).to_have_count(4)
    assert used.query_text() == "{\n  greeting\n}\n"
    assert used.complaints == []


def test_shows_the_refusal_of_a_wrong_key(graphiql: GraphiQLPage) -> None:
    graphiql.enter_key("wrong")
    graphiql.run()
    graphiql.expect_result("No valid key.")


def test_leaves_the_key_in_the_session_of_the_tab_only(
    graphiql: GraphiQLPage, browser: Browser, address: str
) -> None:
    graphiql.enter_key(f"  Bearer {KEY} ")
    graphiql.run()
    graphiql.expect_result("Hello world")
    graphiql.page.wait_for_timeout(1000)  # GraphiQL stores half a second after the last change
    stored = graphiql.stored()
    assert "greeting" in json.dumps(stored)
    assert KEY not in json.dumps([stored["local"], stored["cookies"]])
    assert stored["session"] == {"uplift:key": KEY}
    assert not [url for url in graphiql.requested if KEY in url]
    graphiql.open(address)
    graphiql.run()
    graphiql.expect_result("Hello world")
    graphiql.enter_key("")
    assert graphiql.stored()["session"] == {}
    graphiql.run()
    graphiql.expect_result("No valid key.")


def test_shows_the_key_only_when_asked(used: GraphiQLPage) -> None:
    expect(used.key_field()).to_have_attribute("type", "password")
    used.page.get_by_role("button", name="Show", exact=True).click()
    expect(used.key_field()).to_have_attribute("type", "text")
    expect(used.key_field()).to_have_value(KEY)


def test_a_key_among_the_headers_wins(graphiql: GraphiQLPage) -> None:
    graphiql.enter_key("wrong")
    graphiql.enter_header("authorization", f"Bearer {KEY}")
    graphiql.run()
    graphiql.expect_result("Hello world")
    graphiql.page.wait_for_timeout(1000)  # as above
    assert KEY not in json.dumps(graphiql.stored())


def test_opens_a_link_to_an_operation_and_makes_one_without_the_key(
    graphiql: GraphiQLPage, browser: Browser, address: str
) -> None:
    query = "query Other { greeting }\nquery Greet($name: String) { greeting(name: $name) }"
    fields = {"query": query, "variables": '{"name": "Ada & Bob"}', "operationName": "Greet"}
    graphiql.enter_key(KEY)
    graphiql.open(f"{address}?{urlencode(fields)}")
    assert graphiql.query_text() == query
    expect(graphiql.page.get_by_role("tab", name="Greet", selected=True)).to_be_visible()
    assert graphiql.variables_text() == fields["variables"]
    graphiql.page.keyboard.press("Escape")
    graphiql.run()
    graphiql.page.get_by_role("menuitem", name="Greet").click()
    graphiql.expect_result("Hello Ada & Bob")

    link = graphiql.copy_link()
    assert KEY not in link
    assert dict(parse_qsl(urlsplit(link).query)) == fields
    assert graphiql.complaints == []


def test_keeps_the_key_in_a_new_tab_and_for_an_operation_of_an_earlier_visit(
    graphiql: GraphiQLPage, address: str
) -> None:
    graphiql.enter_key(KEY)
    graphiql.run()
    graphiql.expect_result("Hello world")
    graphiql.open_tab()
    graphiql.enter_query("{ greeting }")
    graphiql.run()
    graphiql.expect_result("Hello world")
    graphiql.open(address)
    graphiql.repeat_from_history("Greet")
    graphiql.run()
    graphiql.expect_result("Hello world")


def test_follows_the_dark_scheme_of_the_system(browser: Browser, address: str, tmp_path: Path) -> None:
    graphiql = GraphiQLPage(browser, color_scheme="dark")
    graphiql.open(address)
    graphiql.page.screenshot(path=tmp_path / "graphiql-dark.png")
    background = graphiql.page.locator(".graphiql-container").evaluate(
        "it => getComputedStyle(it).backgroundColor"
    )
    graphiql.close()
    assert background == "rgb(33, 42, 59)"
