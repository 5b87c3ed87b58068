"""The shapes of those requests and replies of Camunda 8.8 that its adapter uses.

They have the required fields, types and patterns of the OpenAPI document that the vendor publishes
(`zeebe/gateway-protocol/src/main/proto/v2`; types of the npm package `@camunda8/orchestration-cluster-api`
8.8.4), as far as the adapter and the fake server use them. Requests have no other fields.
"""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

Shape = Mapping[str, Any]

TEXT: Shape = {"type": "string"}
KEY: Shape = {"type": "string", "pattern": "^-?[0-9]+$", "minLength": 1, "maxLength": 25}
CURSOR: Shape = {
    "type": "string",
    "pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=)?$",
    "minLength": 2,
    "maxLength": 300,
}
TENANT: Shape = {
    "type": "string",
    "pattern": "^(<default>|[A-Za-z0-9_@.+-]+)$",
    "minLength": 1,
    "maxLength": 256,
}
PROCESS_ID: Shape = {"type": "string", "pattern": r"^[a-zA-Z_][a-zA-Z0-9_\-\.]*$"}
NUMBER: Shape = {"type": "integer"}
FLAG: Shape = {"type": "boolean"}
STATE: Shape = {"enum": ["ACTIVE", "COMPLETED", "TERMINATED"]}


def an_object(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """An object with these fields, and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def a_list(items: Shape) -> Shape:
    """A list of such items."""
    return {"type": "array", "items": items}


def a_search(fields: list[str], conditions: Mapping[str, Shape]) -> Shape:
    """A search that sorts by some of the fields."""
    order = an_object({"field": {"enum": fields}}, {"order": {"enum": ["ASC", "DESC"]}})
    page = an_object({}, {"limit": {"type": "integer", "minimum": 1, "maximum": 10_000}, "after": CURSOR})
    return an_object({}, {"filter": an_object({}, conditions), "sort": a_list(order), "page": page})


def a_page(row: Shape) -> Shape:
    """A page of such rows."""
    optional = {"hasMoreTotalItems": FLAG, "startCursor": CURSOR, "endCursor": CURSOR}
    return an_object({"items": a_list(row), "page": an_object({"totalItems": NUMBER}, optional)})


DEFINITION = an_object(
    {},
    {
        "name": TEXT,
        "resourceName": TEXT,
        "version": NUMBER,
        "versionTag": TEXT,
        "processDefinitionId": PROCESS_ID,
        "tenantId": TENANT,
        "processDefinitionKey": KEY,
        "hasStartForm": FLAG,
    },
)
INSTANCE = an_object(
    {
        "processDefinitionId": PROCESS_ID,
        "processDefinitionName": TEXT,
        "processDefinitionVersion": NUMBER,
        "startDate": TEXT,
        "state": STATE,
        "hasIncident": FLAG,
        "tenantId": TENANT,
        "processInstanceKey": KEY,
        "processDefinitionKey": KEY,
    },
    {"endDate": TEXT, "parentProcessInstanceKey": KEY, "parentElementInstanceKey": KEY},
)
ELEMENT_TYPES = [
    "PROCESS",
    "SUB_PROCESS",
    "EVENT_SUB_PROCESS",
    "AD_HOC_SUB_PROCESS",
    "START_EVENT",
    "INTERMEDIATE_CATCH_EVENT",
    "BOUNDARY_EVENT",
    "END_EVENT",
    "SERVICE_TASK",
    "RECEIVE_TASK",
    "USER_TASK",
    "MANUAL_TASK",
    "TASK",
    "EXCLUSIVE_GATEWAY",
    "INCLUSIVE_GATEWAY",
    "PARALLEL_GATEWAY",
    "EVENT_BASED_GATEWAY",
    "MULTI_INSTANCE_BODY",
    "CALL_ACTIVITY",
    "BUSINESS_RULE_TASK",
    "SCRIPT_TASK",
    "SEND_TASK",
    "UNKNOWN",
]
ELEMENT = an_object(
    {
        "processDefinitionId": PROCESS_ID,
        "startDate": TEXT,
        "elementId": TEXT,
        "elementName": TEXT,
        "type": {"enum": ELEMENT_TYPES},
        "state": STATE,
        "hasIncident": FLAG,
        "tenantId": TENANT,
        "elementInstanceKey": KEY,
        "processInstanceKey": KEY,
        "processDefinitionKey": KEY,
    },
    {"endDate": TEXT, "incidentKey": KEY},
)
BROKER = an_object(
    {
        "nodeId": NUMBER,
        "host": TEXT,
        "port": NUMBER,
        "partitions": a_list(an_object({"partitionId": NUMBER, "role": TEXT, "health": TEXT})),
        "version": TEXT,
    }
)
TOPOLOGY = an_object(
    {
        "brokers": a_list(BROKER),
        "clusterSize": NUMBER,
        "partitionsCount": NUMBER,
        "replicationFactor": NUMBER,
        "gatewayVersion": TEXT,
        "lastCompletedChangeId": TEXT,
    }
)
PROBLEM = an_object({}, {"type": TEXT, "title": TEXT, "status": NUMBER, "detail": TEXT, "instance": TEXT})
MIGRATION = an_object(
    {
        "targetProcessDefinitionKey": KEY,
        "mappingInstructions": a_list(an_object({"sourceElementId": TEXT, "targetElementId": TEXT})),
    },
    {"operationReference": {"type": "integer", "minimum": 1}},
)
KEYS: Shape = {"anyOf": [KEY, an_object({}, {"$eq": KEY, "$in": a_list(KEY)})]}

REQUESTS: Mapping[str, Shape] = {
    "/process-definitions/search": a_search(
        ["processDefinitionKey", "processDefinitionId", "version", "tenantId"],
        {"processDefinitionId": TEXT, "version": NUMBER, "tenantId": TENANT, "processDefinitionKey": KEY},
    ),
    "/process-instances/search": a_search(
        ["processInstanceKey", "processDefinitionKey", "startDate", "state"],
        {"processInstanceKey": KEYS, "processDefinitionKey": KEYS, "state": STATE, "tenantId": TEXT},
    ),
    "/element-instances/search": a_search(
        ["elementInstanceKey", "processInstanceKey", "processDefinitionKey", "elementId"],
        {
            "processDefinitionKey": KEY,
            "processInstanceKey": KEY,
            "elementInstanceKey": KEY,
            "elementId": TEXT,
            "state": STATE,
            "tenantId": TENANT,
        },
    ),
    "/process-instances/{key}/migration": MIGRATION,
}
"""The bodies of requests, by path."""
REPLIES: Mapping[str, Shape] = {
    "/topology": TOPOLOGY,
    "/process-definitions/search": a_page(DEFINITION),
    "/process-instances/search": a_page(INSTANCE),
    "/element-instances/search": a_page(ELEMENT),
}
"""The bodies of replies with status 200 in JSON, by path."""


def misfits(shape: Shape, value: object) -> list[str]:
    """What does not fit the shape, in words."""
    return [error.message for error in Draft202012Validator(shape).iter_errors(value)]
