"""Finds out what Camunda 7 or a descendant of it is: product, version, clock and rights, by reading only."""

from uplift.domain.ports.process_engine import EngineDescription, EngineFault, EngineFaultKind
from uplift.engines.camunda7.rights import PURPOSES, has_right
from uplift.engines.client import EngineClient
from uplift.engines.replies import object_of, optional_text_of, rows_of, text_of

FAMILY = "Camunda 7"
"""The product, unless the engine says its name."""


async def describe(client: EngineClient, *, checks_rights: bool) -> EngineDescription:
    """Ask the engine for its version, then for its name and the rights of the credentials, if it tells them.

    The REST API does not tell the history level. The clock has a resolution of one second.
    """
    reply = await client.request("GET", "/version")
    if reply.status == 404:
        raise reply.unexpected("there is none: this is not the REST API of Camunda 7 or a descendant")
    version = text_of(reply, object_of(reply), "version")
    # The version is that of the server. This request is one of the engine, whose name may be part of the URL.
    rows_of(await client.request("GET", "/process-definition", query={"firstResult": 0, "maxResults": 1}))
    return EngineDescription(
        product=await _product(client) or FAMILY,
        version=version,
        clock=reply.clock,
        problems=await _missing_rights(client) if checks_rights else (),
    )


async def _product(client: EngineClient) -> str | None:
    """The name of the product. Only administrators of an engine with authorisation may ask for it."""
    try:
        product = object_of(await client.request("GET", "/telemetry/data")).get("product")
    except EngineFault as fault:
        if fault.kind in {EngineFaultKind.UNAUTHORISED, EngineFaultKind.FAILED}:
            return None
        raise
    return optional_text_of(product, "name") if isinstance(product, dict) else None


async def _missing_rights(client: EngineClient) -> tuple[str, ...]:
    """What the user of the credentials may not do, as far as the engine tells."""
    return tuple(
        [
            f"Expected the credentials to have the right {right.name} on all process definitions, {purpose}, "
            "but they have not. A right on single definitions is not looked up."
            for right, purpose in PURPOSES.items()
            if await has_right(client, right) is False
        ]
    )
