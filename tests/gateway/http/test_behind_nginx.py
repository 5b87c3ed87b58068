"""The gateway below a path prefix, behind a real nginx with the configuration that the project ships."""

import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.sync_api import expect
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.browser.graphiql_page import CHROMIUM, GraphiQLPage, a_browser
from tests.conformance.real_gateway import Gateway, served_gateway
from tests.gateway.gateway_world import until
from tests.support.nginx import Nginx, nginx_before, unavailable_reason
from tests.support.project import DOCS

pytestmark = pytest.mark.skipif(bool(unavailable_reason()), reason=unavailable_reason())

UPGRADE = "/pub/v1/bpm/instance/bytemplate/lending/consumer-loan/version"
PROGRESS = "subscription ($id: UUID!) { upgradeProgress(id: $id) { state } }"
KEPT, REMOVED, OTHER = "https://…/uplift", "http://…/uplift", "http://…/team/flows"
"""Ways to pass requests on: with the prefix, without it, and without another prefix that a header names."""


def settings_of_the_page() -> dict[str, str]:
    """The variables with which docs/how-to/proxy.md starts a gateway."""
    page = (DOCS / "how-to" / "proxy.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^```sh\n(.*) uplift serve\n```$", page, re.MULTILINE)
    return dict(variable.split("=", 1) for variable in shlex.split(command))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with served_gateway(tmp_path_factory.mktemp("gateway"), None, **settings_of_the_page()) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def nginx(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with nginx_before(urlsplit(gateway.url).netloc, tmp_path_factory.mktemp("nginx")) as nginx:
        yield nginx


@pytest.fixture(scope="module", params=[KEPT, REMOVED, OTHER])
def base(request: pytest.FixtureRequest, nginx: Nginx) -> str:
    """The address of the gateway at the proxy, without a slash at the end."""
    addresses = {
        KEPT: nginx.url,
        REMOVED: f"{nginx.plain_url}/uplift",
        OTHER: f"{nginx.plain_url}/team/flows",
    }
    return addresses[request.param]


@pytest.fixture(scope="module")
def client(nginx: Nginx) -> Iterator[httpx2.Client]:
    with httpx2.Client(verify=nginx.tls(), timeout=30) as client:
        yield client


def bearing(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_the_location_of_an_upgrade_leads_through_the_proxy(
    base: str, client: httpx2.Client, gateway: Gateway
) -> None:
    headers = {**bearing(gateway.admin_key), "prefer": "respond-async"}
    accepted = client.post(f"{base}{UPGRADE}", json={"updateAllActive": True}, headers=headers)
    assert accepted.status_code == 202
    location = accepted.headers["location"]
    assert location.startswith(f"{urlsplit(base).path}/pub/v1/bpm/upgrades/")
    status = client.get(httpx2.URL(base).join(location), headers=bearing(gateway.reader_key))
    assert status.status_code == 200
    assert status.json()["upgradeId"] == accepted.json()["upgradeId"]


def test_a_trailing_slash_is_not_redirected(base: str, client: httpx2.Client) -> None:
    assert client.get(f"{base}/readyz").json() == {"status": "ok", "database": "answers"}
    other = client.get(f"{base}/readyz/")
    assert other.status_code == 404
    assert "location" not in other.headers


def test_the_address_of_the_gateway_leads_browsers_to_the_pages(base: str, client: httpx2.Client) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    redirect = client.get(f"{base}/", headers=browser)
    assert redirect.headers["location"] == f"{urlsplit(base).path}/console"
    for path in ("console", "graphql"):
        page = client.get(f"{base}/{path}", headers=browser)
        links = re.findall(r'(?:src|href)="([^":]+)"', page.text)
        assert len(links) == 3
        for link in links:
            assert client.get(httpx2.URL(f"{base}/{path}").join(link)).status_code == 200
    assert client.get(f"{base}/").status_code == 404


def test_the_openapi_document_names_the_address_of_the_proxy(base: str, client: httpx2.Client) -> None:
    address = f"{base}/openapi.json"
    document = client.get(address).json()
    [server] = document["servers"]
    assert str(httpx2.URL(address).join(server["url"])) == base
    assert UPGRADE.replace("lending/consumer-loan", "{namespace}/{code}") in document["paths"]


def test_events_pass_the_proxy(base: str, client: httpx2.Client, gateway: Gateway) -> None:
    headers = {**bearing(gateway.reader_key), "accept": "text/event-stream"}
    request = {"query": PROGRESS, "variables": {"id": str(gateway.upgrade)}}
    with client.stream("POST", f"{base}/graphql", json=request, headers=headers) as stream:
        text = stream.read().decode()
    assert stream.status_code == 200
    assert '"state":"COMPLETED"' in text
    assert "event: complete" in text


def test_a_websocket_passes_the_proxy(nginx: Nginx, gateway: Gateway) -> None:
    init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {gateway.reader_key}"}}
    payload = {"query": PROGRESS, "variables": {"id": str(gateway.upgrade)}}
    with connect(
        f"{nginx.url.replace('https', 'wss')}/graphql",
        ssl=nginx.tls(),
        origin=Origin(f"https://localhost:{nginx.tls_port}"),
        subprotocols=[Subprotocol("graphql-transport-ws")],
    ) as socket:
        socket.send(json.dumps(init))
        assert json.loads(socket.recv(30)) == {"type": "connection_ack"}
        socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        event = json.loads(socket.recv(30))
    assert event["payload"]["data"] == {"upgradeProgress": {"state": "COMPLETED"}}


def test_a_page_of_the_proxy_may_call_and_a_foreign_one_may_not(
    nginx: Nginx, client: httpx2.Client, gateway: Gateway
) -> None:
    own = f"localhost:{nginx.tls_port}"
    for origin, status in ((f"https://{own}", 200), (f"http://{own}", 403), ("https://evil.example", 403)):
        headers = {**bearing(gateway.reader_key), "origin": origin}
        reply = client.post(f"{nginx.url}/graphql", json={"query": "{ __typename }"}, headers=headers)
        assert reply.status_code == status
    lie = {**headers, "x-forwarded-host": "evil.example"}  # nginx replaces it
    assert (
        client.post(f"{nginx.url}/graphql", json={"query": "{ __typename }"}, headers=lie).status_code == 403
    )


def test_log_lines_have_the_address_from_which_the_proxy_was_called(nginx: Nginx, gateway: Gateway) -> None:
    lie = {"x-forwarded-for": "203.0.113.5"}
    calls = {"by-the-proxy": nginx.url, "around-the-proxy": gateway.url}
    elsewhere = httpx2.HTTPTransport(local_address="127.0.0.2", verify=nginx.tls())
    with httpx2.Client(transport=elsewhere) as client:
        for name, url in calls.items():
            client.get(f"{url}/openapi.json", headers={**lie, "x-request-id": name})
    until(lambda: all(name in gateway.program.errors for name in calls))
    lines = {line.get("request_id"): line for line in map(json.loads, gateway.program.errors.splitlines())}
    assert [lines[name]["client"] for name in calls] == ["127.0.0.2", "127.0.0.2"]


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}")
def test_both_pages_work_below_the_prefix(nginx: Nginx, gateway: Gateway) -> None:
    with a_browser() as browser:
        graphiql = GraphiQLPage(browser, any_certificate=True)
        graphiql.open(f"{nginx.url}/graphql")
        graphiql.enter_key(gateway.reader_key)
        graphiql.run()
        graphiql.expect_result('"code": "order_approval"')
        graphiql.enter_query(PROGRESS.replace("($id: UUID!)", "").replace("$id", f'"{gateway.upgrade}"'))
        graphiql.run()
        graphiql.expect_result('"state": "COMPLETED"')

        console = graphiql.page  # the same tab, which has the key already
        console.goto(f"{nginx.url}/")
        console.wait_for_url(f"{nginx.url}/console")
        console.get_by_role("link", name="Consumer loan application").click()
        expect(console.locator(".diagram-count").first).to_be_visible()
    assert f"wss://localhost:{nginx.tls_port}/uplift/graphql" in graphiql.requested
    addresses = {
        (urlsplit(url).netloc, urlsplit(url).path.startswith("/uplift/")) for url in graphiql.requested
    }
    assert addresses == {(f"localhost:{nginx.tls_port}", True)}
    assert graphiql.complaints == []
