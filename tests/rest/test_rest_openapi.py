"""The OpenAPI document is valid, served to anybody, and true."""

from typing import Any

import httpx2
import pytest
from jsonschema import ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from rest_document import DOCUMENT, OPERATION, documented_response, must_match
from rest_golden import GOLDEN
from rest_world import LOOKALIKES, SPELLINGS

from domain.decision import ReasonCode
from rest_compat.refusals import STATUS_OF, RestCode

pytestmark = pytest.mark.anyio

REQUESTS: dict[str, Any] = OPERATION["requestBody"]["content"]["application/json"]["examples"]
ID = {"$ref": "#/components/schemas/Id"}
REPLIES = [
    (int(status), name, example["value"])
    for status, response in OPERATION["responses"].items()
    for name, example in response["content"]["application/json"]["examples"].items()
]


async def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


async def test_the_document_is_served_without_a_key(client: httpx2.AsyncClient) -> None:
    reply = await client.get("/openapi.json")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json() == DOCUMENT


async def test_the_document_is_only_read(client: httpx2.AsyncClient) -> None:
    reply = await client.post("/openapi.json", json={})
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD")
    assert (await client.head("/openapi.json")).status_code == 200


@pytest.mark.parametrize("name", REQUESTS)
async def test_an_example_request_is_one_that_a_golden_file_sends(name: str) -> None:
    assert REQUESTS[name] == {"summary": GOLDEN[name]["about"], "value": GOLDEN[name]["request"]["body"]}


@pytest.mark.parametrize(("status", "name", "value"), [reply for reply in REPLIES if reply[0] < 500])
async def test_an_example_reply_is_one_that_a_golden_file_expects(
    status: int, name: str, value: dict[str, Any]
) -> None:
    assert (status, value) == (GOLDEN[name]["status"], GOLDEN[name]["reply"])


@pytest.mark.parametrize(("status", "name", "value"), REPLIES)
async def test_an_example_reply_fits_its_schema(status: int, name: str, value: dict[str, Any]) -> None:
    must_match(value, documented_response(status)["content"]["application/json"]["schema"])


@pytest.mark.parametrize("name", [name for name in REQUESTS if GOLDEN[name]["status"] == 200])
async def test_a_good_example_request_fits_the_schema(name: str) -> None:
    must_match(REQUESTS[name]["value"], OPERATION["requestBody"]["content"]["application/json"]["schema"])


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_each_spelling_of_an_id_that_is_read_fits_the_schema(spelling: str) -> None:
    must_match(spelling, ID)


@pytest.mark.parametrize("text", [text for text in LOOKALIKES if not text.endswith("\n")])
async def test_what_is_not_read_as_an_id_does_not_fit_the_schema(text: str) -> None:
    with pytest.raises(ValidationError):
        must_match(text, ID)


async def test_every_golden_reply_of_a_good_request_is_an_example() -> None:
    good = {name for name, golden in GOLDEN.items() if golden["status"] == 200}
    assert {name for status, name, _ in REPLIES if status == 200} == good


async def test_every_code_that_this_path_can_give_is_documented() -> None:
    documented = set(DOCUMENT["components"]["schemas"]["Error"]["properties"]["code"]["enum"])
    statuses = {int(status) for status in OPERATION["responses"]}
    of_other_front_doors = {
        "INVALID_MODEL",
        "INVALID_MAPPING",
        "PLAN_CHANGED",
        "PROCESS_EXISTS",
        "NO_DRAFT",
        "UPGRADE_NOT_FOUND",
        "WRONG_STATE",
    }
    possible = {code for code, status in STATUS_OF.items() if status in statuses} - of_other_front_doors
    assert documented == possible | set(RestCode)


async def test_every_reason_to_skip_is_documented() -> None:
    of_undone_upgrades = {ReasonCode.MOVED_ON}
    assert set(ReasonCode) - of_undone_upgrades == set(DOCUMENT["components"]["schemas"]["Reason"]["examples"])
