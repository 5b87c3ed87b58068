"""Examines the database: whether it answers and takes writes, its schema and clock, and what waits in it."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from uplift.domain.clock import utc_now
from uplift.domain.errors import InvalidInput, StoreUnavailable
from uplift.domain.model.access import ApiKey, Role
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.upgrade import Upgrade, UpgradeState
from uplift.domain.ports import UpgradeFilter
from uplift.gateway.database import database_in
from uplift.gateway.database_clock import MAX_DIFFERENCE
from uplift.gateway.doctor.cluster import examine_cluster
from uplift.gateway.doctor.result import Health, Result
from uplift.gateway.settings import Settings, without_password
from uplift.storage.database import Database
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.schema import NEWEST, WrongSchema, find_revision
from uplift.storage.store import SqlStore

SLOW_ANSWER = 0.05
"""Seconds. Each request of a client takes several answers of the database."""
WAITING_FOR = timedelta(minutes=1)
"""A worker claims a queued upgrade within a second, unless it is busy with others."""
EXPIRY = timedelta(days=14)
SHOWN_KEYS = 5
EXAMINED_UPGRADES = 100
TRANSACTION_TIMEOUT_SINCE = 17
VERSION = {"sqlite": text("SELECT sqlite_version()"), "postgresql": text("SHOW server_version")}
PRODUCT = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


async def examine_database(settings: Settings, report: Callable[[Result], None]) -> None:
    """Examine the database that the settings name, as far as it answers."""
    place = settings.database
    where = without_password(settings.database_url)
    if isinstance(place, Path) and not place.exists():
        report(
            Result(
                part="database",
                health=Health.ERROR,
                found=f"There is no file {place}.",
                advice="Start 'uplift serve', which creates it, or correct UPLIFT_DATABASE_URL.",
            )
        )
        return
    try:
        database = database_in(place)
    except (InvalidInput, OSError) as error:
        report(_unreachable(where, error))
        return
    try:
        try:
            answer = await _examine_answer(database, where)
            revision = await _revision(database)
        except WrongSchema as error:
            report(_wrong_schema(error.message))
            return
        except (StoreUnavailable, DBAPIError, OSError) as error:
            report(_unreachable(where, error))
            return
        report(answer)
        if revision != NEWEST:
            state = "the database is empty" if revision is None else f"it is at {revision}"
            report(_wrong_schema(f"Expected the schema to be at revision {NEWEST}, but {state}."))
            return
        report(
            Result(part="schema", health=Health.OK, found=f"The schema is at the newest revision, {NEWEST}.")
        )
        for result in await _examined_cluster(database, where):
            report(result)
        report(await _examine_writes(database))
        report(await _examine_clock(database))
        report(_examine_keys(await SqlKeys(database).all(), utc_now()))
        report(await _examine_upgrades(SqlStore(database)))
    finally:
        await database.close()


async def _examined_cluster(database: Database, where: str) -> list[Result]:
    try:
        return await examine_cluster(database)
    except StoreUnavailable as error:
        return [_unreachable(where, error)]


async def _examine_answer(database: Database, where: str) -> Result:
    async with database.reading() as connection:
        dialect = connection.dialect.name
        version = str((await connection.execute(VERSION[dialect])).scalar_one())
        began = time.perf_counter()
        await connection.execute(VERSION[dialect])
        seconds = time.perf_counter() - began
    found = f"{PRODUCT[dialect]} {version} answers at {where}, within {seconds * 1_000:.1f} ms."
    if seconds > SLOW_ANSWER:
        return Result(
            part="database",
            health=Health.WARNING,
            found=found,
            advice="Each request takes several such answers: run Uplift near the database.",
        )
    if dialect == "postgresql" and int(version.split(".")[0]) < TRANSACTION_TIMEOUT_SINCE:
        return Result(
            part="database",
            health=Health.NOTE,
            found=found,
            advice=f"PostgreSQL {TRANSACTION_TIMEOUT_SINCE} and newer also end the transaction of a program "
            "that was stopped in the middle.",
        )
    return Result(part="database", health=Health.OK, found=found)


async def _revision(database: Database) -> str | None:
    async with database.reading() as connection:
        return await find_revision(connection)


async def _examine_writes(database: Database) -> Result:
    try:
        await database.ping()
    except StoreUnavailable as error:
        return Result(
            part="writes",
            health=Health.ERROR,
            found=error.message,
            advice="Nothing can be upgraded. Check the disk and the permissions of the file, or whether the "
            "server is a standby.",
        )
    return Result(part="writes", health=Health.OK, found="The database takes writes.")


async def _examine_clock(database: Database) -> Result:
    before = utc_now()
    now = await database.now()
    ahead = before + (utc_now() - before) / 2 - now
    found = f"The clock of this machine is {abs(ahead).total_seconds():.1f} s "
    found += f"{'ahead of' if ahead >= timedelta() else 'behind'} the database's."
    if abs(ahead) <= MAX_DIFFERENCE:
        return Result(part="clock", health=Health.OK, found=found)
    return Result(
        part="clock",
        health=Health.WARNING,
        found=found,
        advice="Uplift follows the clock of the database; logs do not. Synchronise both machines (NTP).",
    )


def _examine_keys(keys: Sequence[ApiKey], now: datetime) -> Result:
    valid = [key for key in keys if key.is_valid(now)]
    admins = [key for key in valid if key.role is Role.SYSTEM_ADMIN]
    if not admins:
        return Result(
            part="keys",
            health=Health.ERROR,
            found=f"Valid API keys: {len(valid)}, none of them of a system administrator.",
            advice="Create one: uplift keys create NAME --role system_admin.",
        )
    found = f"Valid API keys: {len(valid)}, {len(admins)} of them of system administrators."
    ending = [key.name for key in valid if key.expires_at is not None and key.expires_at < now + EXPIRY]
    if not ending:
        return Result(part="keys", health=Health.OK, found=found)
    return Result(
        part="keys",
        health=Health.WARNING,
        found=f"{found} Expiring within {EXPIRY.days} days: {', '.join(sorted(ending)[:SHOWN_KEYS])}.",
        advice="Create new ones (uplift keys create), and hand them out before.",
    )


async def _examine_upgrades(store: SqlStore) -> Result:
    unfinished = UpgradeFilter(states=frozenset({UpgradeState.QUEUED, UpgradeState.RUNNING}))
    page = await store.upgrades.page(None, PageRequest(first=EXAMINED_UPGRADES), unfinished)
    remaining = await store.partitions.remaining([upgrade.id for upgrade in page.items])
    now = await store.database.now()
    worked_on = {
        upgrade.process
        for upgrade in page.items
        if any(partition.is_worked_on(now) for partition in remaining[upgrade.id])
    }
    # Without partitions an upgrade needs no worker: it waits for the answers of a linked engine.
    waiting = [
        upgrade
        for upgrade in page.items
        if remaining[upgrade.id] and _waits(upgrade, now) and upgrade.process not in worked_on
    ]
    if waiting and not worked_on:
        oldest = min(upgrade.requested_at for upgrade in waiting)
        return Result(
            part="workers",
            health=Health.ERROR,
            found=f"Waiting upgrades: {len(waiting)}, the oldest since {oldest:%Y-%m-%d %H:%M} (UTC). "
            "No worker runs any.",
            advice="Start 'uplift worker', or 'uplift serve' without --no-worker; see the log of those that "
            "run.",
        )
    if waiting:
        return Result(
            part="workers",
            health=Health.WARNING,
            found=f"Upgrades that wait for a worker: {len(waiting)}; that run: {len(worked_on)}.",
            advice="Start more workers, or raise UPLIFT_WORKER_CONCURRENCY.",
        )
    return Result(
        part="workers",
        health=Health.OK,
        found=f"No upgrade waits for a worker. Upgrades that run: {len(worked_on)}.",
    )


def _waits(upgrade: Upgrade, now: datetime) -> bool:
    return now - (upgrade.started_at or upgrade.requested_at) > WAITING_FOR


def _unreachable(where: str, error: Exception) -> Result:
    message = getattr(error, "message", None) or str(getattr(error, "orig", None) or error)
    return Result(
        part="database",
        health=Health.ERROR,
        found=f"{where}: {message}",
        advice="Check UPLIFT_DATABASE_URL, that the server runs, and that this machine may connect to it.",
    )


def _wrong_schema(found: str) -> Result:
    return Result(
        part="schema",
        health=Health.ERROR,
        found=found,
        advice="Stop gateways and workers, make a backup, and run 'uplift db upgrade' of the newest Uplift.",
    )
