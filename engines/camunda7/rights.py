"""Asks the engine for the rights of the credentials."""

from dataclasses import dataclass

from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind
from uplift.engines.client import EngineClient
from uplift.engines.replies import object_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A right on all resources of a kind, with the numbers by which camunda-engine 7.24 knows both."""

    name: str
    number: int
    resource: str
    resource_type: int


def _on_definitions(name: str, number: int) -> Right:
    return Right(name=name, number=number, resource="PROCESS_DEFINITION", resource_type=6)


READ_INSTANCE = _on_definitions("READ_INSTANCE", 512)
PURPOSES = {
    _on_definitions("READ", 2): "to list versions and read their models",
    READ_INSTANCE: "to list instances",
    _on_definitions("MIGRATE_INSTANCE", 65_536): "to move instances",
}
"""The rights that Uplift needs, and what for."""

_READ_ALL = Right(name="READ", number=2, resource="PROCESS_INSTANCE", resource_type=8)


async def has_right(client: EngineClient, right: Right) -> bool | None:
    """Whether the credentials have a right; None if the engine does not know users, and answers 401."""
    query: dict[str, str | int] = {
        "permissionName": right.name,
        "permissionValue": right.number,
        "resourceName": right.resource,
        "resourceType": right.resource_type,
        "resourceId": "*",
    }
    try:
        reply = object_of(await client.request("GET", "/authorization/check", query=query))
    except EngineFault as fault:
        if fault.kind in {EngineFaultKind.UNAUTHORISED, EngineFaultKind.FAILED}:
            return None
        raise
    authorised = reply.get("authorized")
    return authorised if isinstance(authorised, bool) else None


async def require_sight(client: EngineClient) -> None:
    """Raise EngineFault (UNAUTHORISED) if instances seem gone because the credentials see none at all.

    The engine leaves out of its lists what a user may not read, and answers with an empty list.
    """
    count = object_of(await client.request("GET", "/process-instance/count")).get("count")
    if count != 0:
        return
    answers = [await has_right(client, right) for right in (READ_INSTANCE, _READ_ALL)]
    if False in answers and True not in answers:
        raise EngineFault(
            EngineFaultKind.UNAUTHORISED,
            "Expected to see instances of the engine, but there are none, and the credentials lack the right "
            f"{READ_INSTANCE.name} on all process definitions: the instances may be hidden.",
        )
