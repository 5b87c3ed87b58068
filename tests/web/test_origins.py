"""Tests which web pages may use the API."""

import pytest

from uplift.web.errors import RequestError
from uplift.web.origins import Origins

TOOLS = Origins(["https://Tools.example:443/", "http://[::1]:8080"])


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"origin": "https://tools.example"}, True),
        ({"origin": "https://TOOLS.example:443"}, True),
        ({"origin": "http://[::1]:8080"}, True),
        ({"origin": "http://gateway.example"}, True),
        ({"origin": "https://gateway.example"}, True),
        ({"origin": "https://anything.example", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "http://tools.example"}, False),
        ({"origin": "https://tools.example:8443"}, False),
        ({"origin": "https://tools.example.evil.example"}, False),
        ({"origin": "http://gateway.example:8080"}, False),
        ({"origin": "https://evil.example", "sec-fetch-site": "cross-site"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "https://["}, False),
        ({"origin": "https://tools.example:port"}, False),
    ],
)
def test_allows_programs_own_pages_and_listed_origins(headers: dict[str, str], allowed: bool) -> None:
    assert TOOLS.allow({"host": "gateway.example", **headers}) is allowed


@pytest.mark.parametrize(
    ("host", "allowed"), [("gateway.example:443", True), ("gateway.example:80", False), ("", False)]
)
def test_a_port_that_is_left_out_is_the_default_one_of_the_page(host: str, allowed: bool) -> None:
    assert TOOLS.allow({"origin": "https://gateway.example", "host": host}) is allowed


@pytest.mark.parametrize(
    ("origin", "scheme", "allowed"),
    [
        ("https://gateway.example", "https", True),
        ("https://gateway.example", "wss", True),
        ("http://gateway.example", "https", False),
        ("http://gateway.example", "wss", False),
        ("http://tools.example", "https", False),
        ("https://tools.example", "http", True),
        ("https://gateway.example", "ws", True),  # a proxy ends TLS, and does not say so
    ],
)
def test_a_page_without_tls_is_foreign_where_tls_is_known(origin: str, scheme: str, allowed: bool) -> None:
    assert TOOLS.allow({"origin": origin, "host": "gateway.example"}, scheme=scheme) is allowed


def test_a_request_without_host_has_no_own_origin() -> None:
    assert not TOOLS.allow({"origin": "https://gateway.example"})


def test_a_star_allows_every_page() -> None:
    assert Origins("*").allow({"origin": "null"})


def test_names_the_origin_that_it_refuses() -> None:
    TOOLS.require_allowed({})
    with pytest.raises(RequestError) as refused:
        TOOLS.require_allowed({"origin": "https://evil.example"})
    assert (refused.value.status, refused.value.code) == (403, "FORBIDDEN_ORIGIN")
    assert refused.value.message == (
        "Expected a page of this server or of an allowed origin, but got 'https://evil.example'."
    )


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "tools.example",
        "https://",
        "https://tools.example/path",
        "https://tools.example?query",
        "https://tools.example#fragment",
        "https://user@tools.example",
        "https://tools.example:port",
        "https://[",
    ],
)
def test_refuses_to_list_a_text_that_is_no_origin(origin: str) -> None:
    with pytest.raises(ValueError, match="Expected an origin like"):
        Origins([origin])
