"""Tests that the OpenAPI document is valid, served to everyone, and true."""

from typing import Any

import httpx2
import pytest
from jsonschema import ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from tests.rest_compat.support.rest_document import (
    DOCUMENT,
    OPERATION,
    STATUS_OPERATION,
    must_match,
    operation_at,
    schema_of,
)
from tests.rest_compat.support.rest_golden import GOLDEN
from tests.rest_compat.support.rest_world import LOOKALIKES, SPELLINGS
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.upgrade import UpgradeState
from uplift.rest_compat.errors import RestCode
from uplift.web.error_status import STATUS_OF
from uplift.web.errors import HttpCode

pytestmark = pytest.mark.anyio

REQUESTS: dict[str, Any] = OPERATION["requestBody"]["content"]["application/json"]["examples"]
ID = {"$ref": "#/components/schemas/Id"}
REPLIES = [
    (int(status), name, example["value"], schema_of(response))
    for operation in (OPERATION, STATUS_OPERATION)
    for status, response in operation["responses"].items()
    for name, example in response["content"]["application/json"]["examples"].items()
]
WITHOUT_GOLDEN = {
    "body-too-slow",
    "cancelled",
    "cannot-tell",
    "failed",
    "internal",
    "rate-limited",
    "many-of-a-key",
    "many-of-all",
    "server-stops",
    "store-unavailable",
}
"""Example replies that no single request produces."""


@pytest.fixture
def kind_of_store() -> str:
    """One kind of store for all: the document does not depend on it."""
    return "sqlite"


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


@pytest.mark.parametrize(
    ("status", "name", "value"), [reply[:3] for reply in REPLIES if reply[1] not in WITHOUT_GOLDEN]
)
async def test_an_example_reply_is_one_that_a_golden_file_expects(
    status: int, name: str, value: dict[str, Any]
) -> None:
    assert (status, value) == (GOLDEN[name]["status"], GOLDEN[name]["reply"])


@pytest.mark.parametrize(("value", "schema"), [reply[2:] for reply in REPLIES])
async def test_an_example_reply_fits_its_schema(value: dict[str, Any], schema: dict[str, Any]) -> None:
    must_match(value, schema)


@pytest.mark.parametrize("name", [name for name in REQUESTS if GOLDEN[name]["status"] == 200])
async def test_a_good_example_request_fits_the_schema(name: str) -> None:
    must_match(REQUESTS[name]["value"], OPERATION["requestBody"]["content"]["application/json"]["schema"])


@pytest.mark.parametrize("name", [name for name in REQUESTS if GOLDEN[name]["status"] == 400])
async def test_a_bad_example_request_does_not_fit_the_schema(name: str) -> None:
    with pytest.raises(ValidationError):
        must_match(REQUESTS[name]["value"], OPERATION["requestBody"]["content"]["application/json"]["schema"])


@pytest.mark.parametrize("status", ["200", "202", "409"])
async def test_a_reply_with_an_upgrade_links_to_its_status(status: str) -> None:
    link = OPERATION["responses"][status]["links"]["status"]
    assert link["operationId"] == STATUS_OPERATION["operationId"]
    assert link["parameters"] == {"upgradeId": "$response.body#/upgradeId"}
    for example in OPERATION["responses"][status]["content"]["application/json"]["examples"].values():
        assert "upgradeId" in example["value"]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_each_spelling_of_an_id_that_is_read_fits_the_schema(spelling: str) -> None:
    must_match(spelling, ID)


@pytest.mark.parametrize("text", [text for text in LOOKALIKES if not text.endswith("\n")])
async def test_a_text_that_is_not_read_as_an_id_does_not_fit_the_schema(text: str) -> None:
    with pytest.raises(ValidationError):
        must_match(text, ID)


async def test_every_golden_reply_of_a_good_request_is_an_example() -> None:
    good = {name for name, golden in GOLDEN.items() if golden["status"] in (200, 202)}
    assert {name for status, name, *_ in REPLIES if status in (200, 202)} == good


@pytest.mark.parametrize("name", GOLDEN)
async def test_the_status_of_a_golden_reply_is_documented(name: str) -> None:
    golden = GOLDEN[name]
    assert str(golden["status"]) in operation_at(golden["request"]["path"])["responses"]


async def test_every_code_that_this_path_can_give_is_documented() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    documented = [schemas[name]["properties"]["code"]["enum"] for name in ("Error", "StoppedUpgrade")]
    of_other_front_doors = {
        "INVALID_MODEL",
        "INVALID_MAPPING",
        "PLAN_CHANGED",
        "WRONG_STATE",
        "PROCESS_EXISTS",
        "NO_DRAFT",
        "LINKED",
        "LINK_EXISTS",
        "LINK_NOT_FOUND",
        "LINK_IN_USE",
    }
    codes = {*STATUS_OF, *HttpCode, *RestCode}
    assert {*documented[0], *documented[1]} == codes - of_other_front_doors
    assert not set(documented[0]) & set(documented[1])


async def test_every_refusal_of_this_path_has_a_documented_status() -> None:
    documented = set(DOCUMENT["components"]["schemas"]["Error"]["properties"]["code"]["enum"])
    statuses = {*OPERATION["responses"], *STATUS_OPERATION["responses"]}
    assert {str(status) for code, status in STATUS_OF.items() if code in documented} <= statuses


async def test_every_reason_to_skip_is_documented() -> None:
    assert set(ReasonCode) == set(DOCUMENT["components"]["schemas"]["Reason"]["examples"])


async def test_every_state_of_an_upgrade_is_documented() -> None:
    states = DOCUMENT["components"]["schemas"]["UpgradeStatus"]["properties"]["state"]
    assert states["enum"] == list(UpgradeState)
