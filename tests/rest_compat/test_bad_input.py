"""Tests that a malformed request is refused with its field and value, and that nothing is written."""

import json
from typing import Any

import httpx2
import pytest

from tests.rest_compat.support.rest_world import LOOKALIKES, WAITING_1, WAITING_2, ask, snapshot
from uplift.domain.ports import Store

pytestmark = pytest.mark.anyio

GOOD = str(WAITING_1)


@pytest.fixture
def kind_of_store() -> str:
    """One kind of store for all: a malformed body is refused before the store is used."""
    return "sqlite"


def as_sent(value: Any) -> str:
    """The JSON text that the client writes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


async def refusal(
    client: httpx2.AsyncClient, store: Store, body: Any, *, status: int = 400, **how: Any
) -> dict[str, Any]:
    """The reply to a request that must be refused without writing anything."""
    before = await snapshot(store)
    reply = await ask(client, body, **how)
    assert reply.status_code == status, reply.text
    assert await snapshot(store) == before
    content: dict[str, Any] = reply.json()
    return content


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "it is empty"),
        (b" \r\n\t", "it is empty"),
        (b"\xef\xbb\xbf{}", "it begins with a byte order mark"),
        ('{"updateAllActive": true}'.encode("utf-16"), "JSON is malformed: invalid character (byte 0)"),
        (b'{"updateAllActive": NaN}', "JSON is malformed: invalid character (byte 20)"),
        (b'{"updateAllActive": tru}', "JSON is malformed: invalid character (byte "),
        (b'{"updateAllActive": true', "Input data was truncated"),
        (b'{"updateAllActive": true,}', "JSON is malformed: trailing comma in object (byte 25)"),
        (b"{'updateAllActive': true}", "JSON is malformed: object keys must be strings (byte 1)"),
        (b'{"updateAllActive": true} {}', "JSON is malformed: trailing characters (byte "),
        (b'{"\xff": true}', "it cannot be read: "),
        (b"updateAllActive=true", "JSON is malformed: invalid character (byte 0)"),
        (b'{"instanceIds": ' + b"[" * 900_000, "it is nested too deeply"),
        (b'{"instanceIds": ' * 400_000, "it is nested too deeply"),
        (b"[" * 100_000, "it is [[["),
        (b"null", "it is null"),
        (b"true", "it is true"),
        (b"17", "it is 17"),
        (b'"all"', 'it is "all"'),
        (f'["{GOOD}"]'.encode(), f'it is ["{GOOD}"]'),
    ],
)
async def test_refuses_a_body_that_is_not_one_json_object_in_utf_8(
    client: httpx2.AsyncClient, rest_store: Store, body: bytes, found: str
) -> None:
    content = await refusal(client, rest_store, body)
    assert (content["code"], content["details"]) == ("BAD_REQUEST", [])
    assert content["error"].startswith("Expected the body to be one JSON object in UTF-8, but it ")
    assert found in content["error"]


@pytest.mark.parametrize("text", LOOKALIKES)
async def test_refuses_a_text_that_only_looks_like_a_uuid(
    client: httpx2.AsyncClient, rest_store: Store, text: str
) -> None:
    content = await refusal(client, rest_store, {"instanceIds": [GOOD, text]})
    assert (content["code"], content["details"][0]["field"]) == ("INVALID_INPUT", "instanceIds[1]")
    assert content["error"].startswith("Expected instanceIds[1] to be a UUID, but got ")


@pytest.mark.parametrize("value", [None, True, 17, 1.5, 10**400, {}, {"id": GOOD}, [], [GOOD]])
@pytest.mark.parametrize("name", ["instanceIds", "instances", "unselectedIds"])
async def test_refuses_an_id_of_another_type_with_its_index_and_value(
    client: httpx2.AsyncClient, rest_store: Store, name: str, value: Any
) -> None:
    content = await refusal(client, rest_store, {name: [GOOD, GOOD, GOOD, value]})
    shown = as_sent(value)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
    assert content["details"] == [
        {"field": f"{name}[3]", "message": f"Expected {name}[3] to be a UUID, but got {shown}."}
    ]


@pytest.mark.parametrize("value", ["", GOOD, 0, 17, False, True, {}, {"0": GOOD}])
@pytest.mark.parametrize("name", ["instanceIds", "instances", "unselectedIds"])
async def test_refuses_a_value_that_is_not_a_list_of_ids(
    client: httpx2.AsyncClient, rest_store: Store, name: str, value: Any
) -> None:
    content = await refusal(client, rest_store, {"updateAllActive": True, name: value})
    assert content["error"] == f"Expected {name} to be a list of UUIDs, but got {as_sent(value)}."
    assert [detail["field"] for detail in content["details"]] == [name]


@pytest.mark.parametrize("value", ["true", "false", "", 1, 0, [], {}, [True]])
async def test_refuses_a_value_that_is_not_a_boolean(
    client: httpx2.AsyncClient, rest_store: Store, value: Any
) -> None:
    content = await refusal(client, rest_store, {"updateAllActive": value})
    assert content["error"] == f"Expected updateAllActive to be a boolean, but got {as_sent(value)}."
    assert (content["code"], content["details"][0]["field"]) == ("INVALID_INPUT", "updateAllActive")


@pytest.mark.parametrize(
    "name", ["updateAllActve", "UpdateAllActive", "instanceids", "id", "", "a:b", "ä", "__proto__"]
)
async def test_refuses_an_unknown_property_by_its_name(
    client: httpx2.AsyncClient, rest_store: Store, name: str
) -> None:
    content = await refusal(client, rest_store, {"instanceIds": [GOOD], name: None})
    shown = as_sent(name)
    assert content["error"] == (
        f"Expected only instanceIds, unselectedIds, updateAllActive, instances, but got {shown}."
    )
    assert (content["code"], content["details"][0]["field"]) == ("INVALID_INPUT", name)


@pytest.mark.parametrize(
    ("body", "field", "times"),
    [
        (f'{{"instanceIds": ["{GOOD}"], "instanceIds": ["{WAITING_2}"]}}', "instanceIds", 2),
        (f'{{"instanceIds": ["{GOOD}"], "instanceIds": ["{GOOD}"]}}', "instanceIds", 2),
        (f'{{"instanceIds": ["urn:uuid:{GOOD}"], "instanceIds": null}}', "instanceIds", 2),
        (f'{{"instanceIds": ["{GOOD}"], "instance\\u0049ds": []}}', "instanceIds", 2),
        (
            '{"updateAllActive": false, "updateAllActive": null, "updateAllActive": true}',
            "updateAllActive",
            3,
        ),
        ('{"unselectedIds": {"a": {"b": ":"}}, "unselectedIds": []}', "unselectedIds", 2),
    ],
)
async def test_refuses_a_repeated_property(
    client: httpx2.AsyncClient, rest_store: Store, body: str, field: str, times: int
) -> None:
    content = await refusal(client, rest_store, body.encode())
    message = f"Expected {field} once, but got it {times} times."
    assert (content["code"], content["error"]) == ("INVALID_INPUT", message)
    assert content["details"] == [{"field": field, "message": message}]


async def test_refuses_an_id_that_is_not_utf_8(client: httpx2.AsyncClient, rest_store: Store) -> None:
    content = await refusal(client, rest_store, b'{"instanceIds": ["\xff"]}')
    assert content["error"] == 'Expected instanceIds[0] to be a UUID, but got "\N{REPLACEMENT CHARACTER}".'


async def test_lists_at_most_twenty_faults(client: httpx2.AsyncClient, rest_store: Store) -> None:
    ids = [GOOD, *("x" for _ in range(1_000))]
    content = await refusal(client, rest_store, {"instanceIds": ids, "updateAllActive": 1})
    assert [detail["field"] for detail in content["details"]] == [
        f"instanceIds[{index}]" for index in range(1, 21)
    ]
    content = await refusal(client, rest_store, {f"x{index}": index for index in range(1_000)})
    assert [detail["field"] for detail in content["details"]] == [f"x{index}" for index in range(20)]


async def test_repeats_only_the_beginning_of_a_long_value(
    client: httpx2.AsyncClient, rest_store: Store
) -> None:
    content = await refusal(client, rest_store, {"instanceIds": ["x" * 100_000], "y" * 100_000: 1})
    assert len(json.dumps(content)) < 1_500


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "text/json",
        "json",
        "application/json; charset=utf-16",
        'application/json; charset="latin-1"',
        "application/json, text/plain",
    ],
)
async def test_refuses_a_body_that_is_announced_as_something_else(
    client: httpx2.AsyncClient, rest_store: Store, content_type: str
) -> None:
    content = await refusal(
        client, rest_store, {"instanceIds": [GOOD]}, status=415, headers={"content-type": content_type}
    )
    assert content["code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert f"but got '{content_type}'" in content["error"]


async def test_refuses_a_compressed_body(client: httpx2.AsyncClient, rest_store: Store) -> None:
    content = await refusal(client, rest_store, b"\x1f\x8b", status=415, headers={"content-encoding": "gzip"})
    assert content["error"] == "Expected a body without Content-Encoding, but got 'gzip'."


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=UTF-8",
        'application/json ; Charset = "utf-8" ',
        "application/json; charset=utf8; version=1",
        "application/vnd.bpm.v1+json",
        "",
    ],
)
async def test_reads_json_under_each_name_it_has(client: httpx2.AsyncClient, content_type: str) -> None:
    reply = await ask(client, {"instanceIds": [GOOD]}, headers={"content-type": content_type})
    assert (reply.status_code, reply.json()["updated"]) == (200, 1)


async def test_reads_a_body_without_a_type(client: httpx2.AsyncClient) -> None:
    request = client.build_request(
        "POST",
        "/pub/v1/bpm/instance/bytemplate/crm/order_approval/version",
        headers={"authorization": "Bearer admin-key"},
        content=json.dumps({"instances": [GOOD]}),
    )
    assert "content-type" not in request.headers
    reply = await client.send(request)
    assert (reply.status_code, reply.json()["updated"]) == (200, 1)
