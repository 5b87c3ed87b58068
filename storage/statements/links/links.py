"""Reads and writes links."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from uplift.domain.model.link import Link, LinkId
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.upgrade import UNFINISHED, Lease
from uplift.storage.sql.codecs import (
    decode_credentials,
    decode_webhook,
    encode_credentials,
    encode_webhook,
)
from uplift.storage.sql.dialect import upsert
from uplift.storage.sql.link_tables import IS_PRESENT, link, linked_version, sighting
from uplift.storage.sql.tables import MAY_HAVE_UNSETTLED, process, upgrade

LINKS = select(link).where(IS_PRESENT)
LINKS_BY_NAME = LINKS.order_by(link.c.name)
LINK = LINKS.where(link.c.uuid == bindparam("uuid"))
LINKS_BY_UUID = LINKS.where(link.c.uuid.in_(bindparam("uuids", expanding=True)))
LOCKED_LINK = LINK.with_for_update(key_share=True)
HELD_LINK = LINK.where(link.c.lease_worker == bindparam("worker")).with_for_update(key_share=True)
CLAIMABLE = (
    LINKS.where(link.c.lease_until.is_(None) | (link.c.lease_until < bindparam("now")))
    # NULL comes first on SQLite and last on PostgreSQL.
    .order_by(link.c.lease_until.is_not(None), link.c.lease_until, link.c.id)
    .limit(1)
)
LOCKED_CLAIMABLE = CLAIMABLE.with_for_update(key_share=True, skip_locked=True)
ADD = insert(link)
NAME_IS_TAKEN = select(link.c.id).where(IS_PRESENT, link.c.name == bindparam("name"))
STATUS_COLUMNS = (
    "lease_worker",
    "lease_until",
    "sweep_started_at",
    "swept_at",
    "sweep_requested_at",
    "sweep_error",
    "unreachable_since",
    "clock_difference",
    "webhook_error",
    "announced_until",
)
SAVE_STATUS = (
    update(link)
    .where(link.c.id == bindparam("of_link"))
    .values({name: bindparam(f"new_{name}") for name in STATUS_COLUMNS})
)
REMOVE = (
    update(link)
    .where(link.c.id == bindparam("of_link"))
    .values(removed_at=bindparam("at"), lease_worker=None, lease_until=None)
)
LINK_PROCESS = (
    update(process)
    .where(process.c.id == bindparam("of_process"))
    .values(link=bindparam("new_link"), engine_key=bindparam("new_key"))
)
OF_LINK = process.c.link == bindparam("of_uuid")
UNLINK_VERSIONS = delete(linked_version).where(
    linked_version.c.process_id.in_(select(process.c.id).where(OF_LINK))
)
UNLINK_PROCESSES = update(process).where(OF_LINK).values(link=None, engine_key=None)
CLEAR_SIGHTINGS = delete(sighting).where(sighting.c.link_id == bindparam("of_link"))
PUT_VERSION = upsert(linked_version, keys=("process_id", "number"), replaced=("engine_id",))
PROCESSES_OF_LINK = (
    select(process.c.namespace, process.c.code, process.c.link, process.c.engine_key)
    .where(process.c.link == bindparam("uuid"))
    .order_by(process.c.namespace, process.c.code)
)
LINKED_VERSIONS = (
    select(linked_version)
    .where(linked_version.c.process_id.in_(bindparam("ids", expanding=True)))
    .order_by(linked_version.c.process_id, linked_version.c.number)
)
UNFINISHED_UPGRADE = (
    select(func.min(upgrade.c.id))
    .where(upgrade.c.link == bindparam("uuid"), upgrade.c.state.in_(UNFINISHED) | MAY_HAVE_UNSETTLED)
    .scalar_subquery()
)
FIND_UNFINISHED = select(upgrade.c.uuid).where(upgrade.c.id == UNFINISHED_UPGRADE)

ENDED_UPGRADES = (
    select(upgrade.c.uuid)
    .where(
        upgrade.c.link == bindparam("uuid"),
        upgrade.c.finished_at > bindparam("after"),
        upgrade.c.finished_at <= bindparam("until"),
    )
    .order_by(upgrade.c.finished_at, upgrade.c.id)
    .limit(bindparam("limit"))
)


def link_of(row: Any) -> Link:
    """The link of a row."""
    return Link(
        id=LinkId(row.uuid),
        name=row.name,
        kind=row.kind,
        namespace=row.namespace,
        url=row.url,
        created_at=row.created_at,
        created_by=row.created_by,
        tenant=row.tenant,
        credentials=decode_credentials(row.credentials),
        max_rate=row.max_rate,
        sweep_interval=row.sweep_interval,
        webhook=decode_webhook(row.webhook),
    )


def status_of(row: Any) -> LinkStatus:
    """The status in the row of a link."""
    lease = None if row.lease_worker is None else Lease(worker=row.lease_worker, until=row.lease_until)
    return LinkStatus(
        lease=lease,
        sweep_started_at=row.sweep_started_at,
        swept_at=row.swept_at,
        sweep_requested_at=row.sweep_requested_at,
        sweep_error=row.sweep_error,
        unreachable_since=row.unreachable_since,
        clock_difference=row.clock_difference,
        webhook_error=row.webhook_error,
        announced_until=row.announced_until,
    )


def row_of(new: Link) -> dict[str, Any]:
    """The row of a new link."""
    return {
        "uuid": new.id,
        "name": new.name,
        "kind": new.kind,
        "namespace": new.namespace,
        "url": new.url,
        "tenant": new.tenant,
        "credentials": encode_credentials(new.credentials),
        "max_rate": new.max_rate,
        "webhook": encode_webhook(new.webhook),
        "sweep_interval": new.sweep_interval,
        "created_at": new.created_at,
        "created_by": new.created_by,
        "next_number": 1,
        "next_batch": 1,
    }


def bind_status(status: LinkStatus) -> Mapping[str, Any]:
    """The parameters of SAVE_STATUS."""
    lease = status.lease
    return {
        "new_lease_worker": None if lease is None else lease.worker,
        "new_lease_until": None if lease is None else lease.until,
        **{
            f"new_{name}": getattr(status, name)
            for name in STATUS_COLUMNS
            if name not in ("lease_worker", "lease_until")
        },
    }
