"""Checks replies against the OpenAPI document."""

import json
from typing import Any

import httpx2
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from uplift.rest_compat.routes import openapi_document

DOCUMENT: dict[str, Any] = json.loads(openapi_document())
UPGRADE_PATH = "/pub/v1/bpm/instance/bytemplate/{namespace}/{code}/version"
STATUS_PATH = "/pub/v1/bpm/upgrades/{upgradeId}"
OPERATION: dict[str, Any] = DOCUMENT["paths"][UPGRADE_PATH]["post"]
STATUS_OPERATION: dict[str, Any] = DOCUMENT["paths"][STATUS_PATH]["get"]

_BASE = "urn:openapi"
_REGISTRY: Registry[Any] = Registry().with_resource(
    _BASE, Resource.from_contents(DOCUMENT, default_specification=DRAFT202012)
)


def must_match(value: Any, schema: dict[str, Any]) -> None:
    """Raises ValidationError unless the value matches the schema; its references lead into the document."""
    absolute = json.loads(json.dumps(schema).replace('"#/', f'"{_BASE}#/'))
    OAS31Validator(absolute, registry=_REGISTRY, format_checker=oas31_format_checker).validate(value)


def operation_at(path: str) -> dict[str, Any]:
    """The operation that answers at a path."""
    return STATUS_OPERATION if path.startswith("/pub/v1/bpm/upgrades/") else OPERATION


def schema_of(response: dict[str, Any]) -> dict[str, Any]:
    """The schema of the bodies of a documented response."""
    schema: dict[str, Any] = response["content"]["application/json"]["schema"]
    return schema


async def must_be_documented(reply: httpx2.Response) -> None:
    """Checks status, type, headers and body of any reply."""
    path = reply.request.url.path
    if path == "/openapi.json" and reply.status_code == 200:
        return
    documented = operation_at(path)["responses"][str(reply.status_code)]
    for name, header in documented.get("headers", {}).items():
        assert not header.get("required") or name in reply.headers
        if name in reply.headers and path.startswith("/pub/"):
            must_match(reply.headers[name], header["schema"])
    assert reply.headers["content-type"] == "application/json"
    if reply.request.method != "HEAD":
        must_match(json.loads(await reply.aread()), schema_of(documented))
