"""Finds the object that an id names."""

from uuid import UUID

from uplift.domain.model.instance import InstanceId
from uplift.domain.model.link import LinkId
from uplift.domain.model.process import ProcessKey, is_name
from uplift.domain.model.upgrade import UpgradeId
from uplift.graphql_api.loaders import Loaders
from uplift.graphql_api.types.nodes import Node


async def find_node(loaders: Loaders, node_id: str) -> Node | None:
    """Return the object whose `id` is exactly this text, or None."""
    found = await _find(loaders, node_id)
    # An id has one spelling only: a client keeps its records by the text.
    return found if found is not None and found.id == node_id else None


async def _find(loaders: Loaders, node_id: str) -> Node | None:
    kind, _, name = node_id.partition(":")
    match kind, name.split("/"):
        case "process", [namespace, code] if is_name(namespace) and is_name(code):
            return await loaders.found_processes.load(ProcessKey(namespace=namespace, code=code))
        case "version", [namespace, code, number] if is_name(namespace) and is_name(code):
            versions = await loaders.versions.load(ProcessKey(namespace=namespace, code=code))
            return next((version for version in versions if str(version.number) == number), None)
        case "instance", [text] if (uuid := _uuid(text)) is not None:
            return await loaders.found_instances.load(InstanceId(uuid))
        case "link", [text] if (uuid := _uuid(text)) is not None:
            return await loaders.found_links.load(LinkId(uuid))
        case text, [""] if (uuid := _uuid(text)) is not None:
            return await loaders.found_upgrades.load(UpgradeId(uuid))
        case _:
            return None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
