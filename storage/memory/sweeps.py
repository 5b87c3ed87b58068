"""Implements the port of sweeps in memory."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from uplift.domain.model.instance import ACTIVE, Instance, InstanceId, Status
from uplift.domain.model.link import LinkId
from uplift.domain.model.linked_process import instance_id_of
from uplift.domain.model.process import ProcessKey
from uplift.domain.ports import MergedInstances, Sighting, SweptInstance, UnseenInstance, UnseenInstances
from uplift.storage.memory.orders import engine_id_of, has_unsettled_order
from uplift.storage.memory.state import State, put_instance


class SweepsInMemory:
    """Implements uplift.domain.ports.Sweeps."""

    def __init__(self, state: State, link: LinkId) -> None:
        self._state = state
        self._link = link

    async def stage(self, sightings: Sequence[Sighting]) -> None:
        for sighting in sightings:
            key = self._link, instance_id_of(self._link, sighting.engine_id)
            place = sighting.process, sighting.version
            earlier = self._state.sightings.get(key, ())
            same = (staged for staged in earlier if (staged.process, staged.version) == place)
            self._state.sightings[key] = (*same, sighting)

    async def staged(self, after: InstanceId | None, limit: int) -> Sequence[SweptInstance]:
        own = (
            (instance_id, sightings)
            for (link, instance_id), sightings in self._state.sightings.items()
            if link == self._link and (after is None or instance_id > after)
        )
        return [
            SweptInstance(
                id=instance_id,
                engine_id=sightings[-1].engine_id,
                process=sightings[-1].process,
                version=sightings[-1].version,
                position=frozenset(
                    sighting.element for sighting in sightings if sighting.element is not None
                ),
            )
            for instance_id, sightings in islice(sorted(own), limit)
        ]

    async def merge(self, swept: Sequence[SweptInstance]) -> MergedInstances:
        registered = changed = ordered = foreign = 0
        for seen in swept:
            known = self._state.instances.get(seen.id)
            found = Instance(
                id=seen.id,
                process=seen.process,
                version=seen.version,
                status=Status.PENDING,
                position=seen.position,
            )
            if known is None:
                registered += 1
                put_instance(self._state, found)
                if seen.engine_id != str(seen.id):
                    self._state.engine_ids[seen.id] = seen.engine_id
            elif known.process != seen.process:
                foreign += 1
            elif has_unsettled_order(self._state, seen.id):
                ordered += 1
            elif known != found:
                changed += 1
                put_instance(self._state, found)
        return MergedInstances(registered=registered, changed=changed, ordered=ordered, foreign=foreign)

    async def unseen(self, process: ProcessKey, after: int, limit: int) -> UnseenInstances:
        active = [
            (place, instance)
            for place, instance in enumerate(self._state.instances.values(), start=1)
            if place > after and instance.process == process and instance.status in ACTIVE
        ]
        looked_at = active[:limit]
        return UnseenInstances(
            instances=tuple(
                UnseenInstance(id=instance.id, engine_id=engine_id_of(self._state, instance.id))
                for _, instance in looked_at
                if (self._link, instance.id) not in self._state.sightings
                and not has_unsettled_order(self._state, instance.id)
            ),
            next=looked_at[-1][0] if len(active) > limit else None,
        )

    async def complete(self, ids: Sequence[InstanceId]) -> int:
        completed = 0
        for instance_id in ids:
            known = self._state.instances.get(instance_id)
            if (
                known is not None
                and known.status in ACTIVE
                and known.process in self._state.linked_processes
                and self._state.linked_processes[known.process].link == self._link
                and not has_unsettled_order(self._state, instance_id)
            ):
                put_instance(self._state, replace(known, status=Status.COMPLETED))
                completed += 1
        return completed

    async def clear(self, limit: int) -> int:
        own = [key for key in self._state.sightings if key[0] == self._link][:limit]
        for key in own:
            del self._state.sightings[key]
        return len(own)
