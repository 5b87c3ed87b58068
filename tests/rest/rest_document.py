"""Is a reply one that the OpenAPI document describes?"""

import json
from typing import Any

import httpx2
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from rest_compat.openapi import openapi_document

DOCUMENT: dict[str, Any] = json.loads(openapi_document())
UPGRADE_PATH = "/pub/v1/bpm/instance/bytemplate/{namespace}/{code}/version"
OPERATION: dict[str, Any] = DOCUMENT["paths"][UPGRADE_PATH]["post"]

_BASE = "urn:openapi"
_REGISTRY: Registry[Any] = Registry().with_resource(
    _BASE, Resource.from_contents(DOCUMENT, default_specification=DRAFT202012)
)


def must_match(value: Any, schema: dict[str, Any]) -> None:
    """Raise ValidationError unless the value is of the schema, whose references lead into the document."""
    absolute = json.loads(json.dumps(schema).replace('"#/', f'"{_BASE}#/'))
    OAS31Validator(absolute, registry=_REGISTRY, format_checker=oas31_format_checker).validate(value)


def documented_response(status: int) -> dict[str, Any]:
    """What the document says of a status."""
    response: dict[str, Any] = OPERATION["responses"][str(status)]
    return response


async def must_be_documented(reply: httpx2.Response) -> None:
    """Check status, type, headers and body of a reply to whatever request."""
    if reply.request.url.path == "/openapi.json" and reply.status_code == 200:
        return
    documented = documented_response(reply.status_code)
    for name, header in documented.get("headers", {}).items():
        assert not header.get("required") or name in reply.headers
    assert reply.headers["content-type"] == "application/json"
    if reply.request.method != "HEAD":
        must_match(json.loads(await reply.aread()), documented["content"]["application/json"]["schema"])
