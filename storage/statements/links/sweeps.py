"""Stages sightings, and reads what was staged and what was not."""

from typing import Any

from sqlalchemy import Integer, bindparam, delete, select, tuple_, update

from uplift.domain.model.instance import Status
from uplift.storage.sql.dialect import upsert
from uplift.storage.sql.id_list import ID_LIST
from uplift.storage.sql.link_tables import link, sighting
from uplift.storage.sql.tables import IS_ACTIVE, instance, process
from uplift.storage.sql.types import ID, LONG
from uplift.storage.statements.links.orders import unsettled_of

LINK_ID = bindparam("of_link", type_=Integer)
NEXT_BATCH = select(link.c.next_batch).where(link.c.id == LINK_ID)
ADVANCE = update(link).where(link.c.id == LINK_ID).values(next_batch=link.c.next_batch + 1)
STAGE = upsert(
    sighting, keys=("link_id", "uuid", "process_id", "version", "element"), replaced=("engine_id", "batch")
)
CHOSEN = (
    select(sighting.c.uuid)
    .distinct()
    .where(sighting.c.link_id == LINK_ID, sighting.c.uuid > bindparam("after", type_=ID))
    .order_by(sighting.c.uuid)
    .limit(bindparam("limit"))
)
FIRST_CHOSEN = (
    select(sighting.c.uuid)
    .distinct()
    .where(sighting.c.link_id == LINK_ID)
    .order_by(sighting.c.uuid)
    .limit(bindparam("limit"))
)


def _staged(chosen: Any) -> Any:
    return (
        select(sighting)
        .where(sighting.c.link_id == LINK_ID, sighting.c.uuid.in_(chosen))
        .order_by(sighting.c.uuid, sighting.c.batch)
    )


STAGED, FIRST_STAGED = _staged(CHOSEN), _staged(FIRST_CHOSEN)
IS_STAGED = (
    select(sighting.c.link_id)
    .where(sighting.c.link_id == LINK_ID, sighting.c.uuid == instance.c.uuid)
    .exists()
    .label("is_staged")
)
IS_UNSETTLED = unsettled_of(instance.c.id).exists().label("is_unsettled")
ACTIVE_AFTER = (
    select(instance.c.id, instance.c.uuid, instance.c.engine_id, IS_STAGED, IS_UNSETTLED)
    .where(
        instance.c.process_id == bindparam("process_id"),
        IS_ACTIVE,
        instance.c.id > bindparam("after", type_=LONG),
    )
    .order_by(instance.c.id)
    .limit(bindparam("limit"))
)
UNSETTLED_AMONG = (
    select(instance.c.uuid)
    .join_from(ID_LIST, instance, instance.c.uuid == ID_LIST.c.uuid)
    .where(unsettled_of(instance.c.id).exists())
)
COMPLETABLE = (
    select(
        instance.c.uuid, instance.c.process_id, instance.c.version, instance.c.status, instance.c.position_id
    )
    .join_from(ID_LIST, instance, instance.c.uuid == ID_LIST.c.uuid)
    .join(process, process.c.id == instance.c.process_id)
    .where(process.c.link == bindparam("link"), IS_ACTIVE, ~unsettled_of(instance.c.id).exists())
    .order_by(instance.c.id)
    .with_for_update(of=instance, key_share=True)
)
"""Locks the instances along their ids, as chunks do."""
COMPLETE = update(instance).where(instance.c.uuid.in_(select(ID_LIST.c.uuid))).values(status=Status.COMPLETED)
_FIRST_ROWS = (
    select(sighting.c.uuid, sighting.c.process_id, sighting.c.version, sighting.c.element)
    .where(sighting.c.link_id == LINK_ID)
    .limit(bindparam("limit"))
)
CLEAR = delete(sighting).where(
    sighting.c.link_id == LINK_ID,
    tuple_(sighting.c.uuid, sighting.c.process_id, sighting.c.version, sighting.c.element).in_(_FIRST_ROWS),
)
