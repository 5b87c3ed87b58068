"""What a proxy says about a request counts only if the proxy is named, and only if it can be read."""

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from tests.gateway.gateway_world import error_of
from tests.gateway.served_world import a_served_world
from uplift.gateway.http.forwarded import OWN_PATHS, Forwarded, TrustedProxies, read_root_path

pytestmark = pytest.mark.anyio

PROXIES = TrustedProxies(["10.0.0.0/8", "192.0.2.7", "fd00::/8", "2001:db8::1"])
LIES = {
    "x-forwarded-for": "198.51.100.9",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "uplift.example",
    "x-forwarded-prefix": "/tools",
}


async def seen(
    *headers: tuple[str, str], peer: str | None = "10.0.0.1", root_path: str = "", **scope: Any
) -> Scope:
    """The request as the application sees it, from a request with these headers."""
    found: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope)

    request = {
        "type": "http",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "client": (peer, 50_000) if peer else None,
        "headers": [
            (b"host", b"gateway:8000"),
            *((name.encode(), value.encode("latin-1")) for name, value in headers),
        ],
        **scope,
    }
    await Forwarded(app, root_path=root_path, proxies=PROXIES)(request, _nothing, _nothing)
    [scope_of_app] = found
    return scope_of_app


async def _nothing(*_: object) -> Any:
    raise AssertionError("Expected to send and receive nothing")


def facts(scope: Scope) -> tuple[str, str, list[str], str]:
    """The client's address, the scheme, all values of Host, and the root path."""
    hosts = [value.decode() for name, value in scope["headers"] if name == b"host"]
    return scope["client"][0], scope["scheme"], hosts, scope.get("root_path", "")


async def test_believes_a_named_proxy() -> None:
    assert facts(await seen(*LIES.items())) == ("198.51.100.9", "https", ["uplift.example"], "/tools")


@pytest.mark.parametrize("peer", ["192.0.2.7", "10.9.9.9", "fd12::1", "2001:DB8::1", "::ffff:10.0.0.1"])
async def test_knows_a_proxy_in_every_spelling(peer: str) -> None:
    assert (await seen(*LIES.items(), peer=peer))["client"][0] == "198.51.100.9"


@pytest.mark.parametrize("peer", ["198.51.100.1", "192.0.2.8", "2001:db8::2", "testclient", ""])
async def test_believes_nobody_else(peer: str) -> None:
    assert facts(await seen(*LIES.items(), peer=peer or "x")) == (peer or "x", "http", ["gateway:8000"], "")


async def test_believes_a_caller_through_a_unix_socket_only_if_unix_is_named() -> None:
    scope = await seen(*LIES.items(), peer=None)
    assert (scope["client"], scope["scheme"]) == (None, "http")
    named = TrustedProxies(["unix", "10.0.0.0/8"])
    assert named.client_of("unix", ["198.51.100.9"]) == ("198.51.100.9", 1)
    assert named.client_of("unix", ["198.51.100.9", "10.0.0.1"]) == ("198.51.100.9", 2)
    assert named.client_of("unix", ["unix"]) == ("unix", 1)
    assert "unix" not in PROXIES


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (["198.51.100.9"], "198.51.100.9"),
        (["203.0.113.5, 198.51.100.9"], "198.51.100.9"),  # what is further left, the client may have made up
        (["198.51.100.9, 10.2.2.2"], "198.51.100.9"),
        (["203.0.113.5", "198.51.100.9, 10.2.2.2", "fd00::7"], "198.51.100.9"),
        (["10.3.3.3, 10.2.2.2"], "10.3.3.3"),  # a client inside
        (["198.51.100.9:4711"], "198.51.100.9"),
        (["[2001:db8::99]:4711"], "2001:db8::99"),
        (["[2001:db8::99]"], "2001:db8::99"),
        (["2001:DB8:0::99"], "2001:db8::99"),
        (["::ffff:198.51.100.9"], "198.51.100.9"),
        (["198.51.100.9, ::ffff:10.2.2.2"], "198.51.100.9"),
        (["198.51.100.9, 2001:db8::1"], "198.51.100.9"),
        ([""], "10.0.0.1"),
        (["unknown"], "10.0.0.1"),
        (["198.51.100.9, unknown"], "10.0.0.1"),
        (["198.51.100.9, unknown, 10.2.2.2"], "10.2.2.2"),
        (["198.51.100.9\n"], "198.51.100.9"),
        (["198.51.100.256"], "10.0.0.1"),
        (["198.51.100.9:4711:1"], "10.0.0.1"),
        (["[198.51.100.9"], "10.0.0.1"),
        (["é"], "10.0.0.1"),
        (["198.51.100.9,"], "10.0.0.1"),
    ],
)
async def test_the_client_is_the_last_address_that_no_proxy_has(lines: list[str], client: str) -> None:
    scope = await seen(*(("x-forwarded-for", line) for line in lines))
    assert scope["client"][0] == client


@pytest.mark.parametrize(
    ("proto", "scheme"),
    [
        (["https"], "https"),
        (["HTTPS"], "https"),
        (["http"], "http"),
        (["wss"], "https"),
        (["ftp"], "http"),
        ([""], "http"),
        (["https://"], "http"),
        (["http, https"], "https"),  # a stranger said http, the only proxy appended https
        (["http", "https"], "https"),
    ],
)
async def test_the_scheme_is_what_the_proxy_said(proto: list[str], scheme: str) -> None:
    said = [("x-forwarded-for", "198.51.100.9"), *(("x-forwarded-proto", value) for value in proto)]
    assert (await seen(*said))["scheme"] == scheme
    socket = await seen(*said, type="websocket", scheme="ws")
    assert socket["scheme"] == scheme.replace("http", "ws")


async def test_of_several_proxies_that_append_the_first_one_counts() -> None:
    scope = await seen(
        ("x-forwarded-for", "203.0.113.5, 198.51.100.9, 10.2.2.2"),  # a stranger, and two proxies
        ("x-forwarded-proto", "ftp, https, http"),
        ("x-forwarded-host", "evil.example, uplift.example, inner:8000"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-prefix", "/tools"),
        ("x-forwarded-prefix", "/inner"),
    )
    assert facts(scope) == ("198.51.100.9", "https", ["uplift.example"], "/tools")


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "a b",
            "evil.example/x",
            "me@evil.example",
            "evil.example:port",
            "[::1",
            "ä.example",
            "a" * 300,
        ),
        "evil.example?x",
        "evil.example\\",
    ],
)
async def test_a_malformed_host_counts_as_absent(host: str) -> None:
    assert facts(await seen(("x-forwarded-host", host)))[2] == ["gateway:8000"]


@pytest.mark.parametrize(
    "host", ["uplift.example", "uplift.example:8443", "192.0.2.1:80", "[2001:db8::1]:443"]
)
async def test_a_host_may_have_a_port(host: str) -> None:
    assert facts(await seen(("x-forwarded-host", host)))[2] == [host]


MALFORMED_PATHS = [
    *("tools", "//evil.example", "/a//b", "/..", "/a/../b", "/.", "/a/./b", "/a b", "/a?b", "/a%2fb", "/ä"),
    *("/a\\b", "/a\nb", "http://evil.example/a", "/<script>"),
    *OWN_PATHS,
    *("/pub", "/graphql/static", "/graphql/x", "/pub/v1/bpm"),
]


@pytest.mark.parametrize("path", MALFORMED_PATHS)
async def test_a_path_that_is_no_root_path_is_refused_as_a_setting_and_ignored_as_a_header(path: str) -> None:
    with pytest.raises(ValueError, match=r"^Expected a path "):
        read_root_path(path)
    scope = await seen(("x-forwarded-prefix", path), root_path="/known")
    assert scope["root_path"] == "/known"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ""),
        ("/", ""),
        ("/tools", "/tools"),
        ("/tools/", "/tools"),
        ("/a/b.c/~d_-", "/a/b.c/~d_-"),
        ("/...", "/..."),
        ("/publish", "/publish"),
        ("/pub/uplift", "/pub/uplift"),
    ],
)
def test_reads_a_root_path(text: str, path: str) -> None:
    assert read_root_path(text) == path


@pytest.mark.parametrize(
    ("path", "complete"),
    [
        ("/graphql", "/tools/graphql"),
        ("/tools/graphql", "/tools/graphql"),
        ("/", "/tools/"),
        ("/tools", "/tools"),
        ("/tools/", "/tools/"),
        ("/toolshed", "/tools/toolshed"),
    ],
)
@pytest.mark.parametrize("by", ["setting", "header"])
async def test_the_path_is_complete_whether_the_proxy_removes_the_prefix_or_not(
    path: str, complete: str, by: str
) -> None:
    said = [("x-forwarded-prefix", "/tools/")] if by == "header" else []
    scope = await seen(
        *said, root_path="" if said else "/tools", path=path, raw_path=path.encode(), type="http"
    )
    assert (scope["path"], scope["raw_path"], scope["root_path"]) == (complete, complete.encode(), "/tools")


@pytest.mark.parametrize("listed", ["proxy.example", "10.0.0.1/8", "10.0.0.0/33", "", "*", "10.0.0.1:80"])
def test_a_proxy_is_named_by_its_address(listed: str) -> None:
    said = error_of("serve", "--trusted-proxy", listed)
    assert said.startswith(
        "Expected the setting trusted_proxies (UPLIFT_TRUSTED_PROXIES) to be valid, but got "
    )
    assert (
        "Expected an address like 10.0.0.7, a network like 10.0.0.0/8 or fd00::/8, or unix, but got" in said
    )


def test_a_root_path_that_cannot_be_is_said_in_a_sentence() -> None:
    said = error_of("serve", UPLIFT_ROOT_PATH="tools")
    assert said.startswith("Expected the setting root_path (UPLIFT_ROOT_PATH) to be valid, but got 'tools': ")
    assert "Expected a path like /tools/uplift, but got 'tools'" in said


async def test_every_path_of_the_gateway_is_known(folder: Any) -> None:
    async with a_served_world(folder) as world:
        paths = {route.path for route in world.app.routes if isinstance(route, Route | WebSocketRoute)}
    unknown = {path for path in paths if not path.startswith(OWN_PATHS)}
    assert unknown == {"/", "/pub/{rest:path}", "//pub/{rest:path}"}, "add the others to OWN_PATHS"


async def test_a_proxy_that_changes_host_does_not_make_a_page_foreign(folder: Any) -> None:
    query: Mapping[str, object] = {"query": "{ processes { nodes { code } } }"}
    async with a_served_world(folder) as world:
        transport = httpx2.ASGITransport(Forwarded(world.app, proxies=PROXIES), client=("10.0.0.1", 50_000))
        async with httpx2.AsyncClient(transport=transport, base_url="http://inner:8000") as client:
            page = {"authorization": f"Bearer {world.reader}", "origin": "https://uplift.example"}
            refused = await client.post("/graphql", json=query, headers=page)
            allowed = await client.post(
                "/graphql", json=query, headers={**page, "x-forwarded-host": "uplift.example"}
            )
    assert refused.status_code == 403
    assert allowed.status_code == 200
