"""Defines linked processes, and the ids of their instances."""

from dataclasses import dataclass
from uuid import UUID, uuid5

from uplift.domain.model.instance import InstanceId
from uplift.domain.model.link import EngineInstanceId, LinkId
from uplift.domain.model.process import ProcessKey


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedProcess:
    """A process whose instances run in the engine of a link. `engine_key` is its key there."""

    process: ProcessKey
    link: LinkId
    engine_key: str


def instance_id_of(link: LinkId, engine_id: EngineInstanceId) -> InstanceId:
    """The id of an instance of a linked engine: the engine's id if it is a UUID, else one made of it.

    Two spellings of one UUID are one instance.
    """
    try:
        return InstanceId(UUID(engine_id))
    except ValueError:
        return InstanceId(uuid5(link, engine_id))
