"""Runs all examinations of an installation."""

import asyncio
from pathlib import Path

from uplift.domain.errors import StoreUnavailable
from uplift.gateway.database import open_store
from uplift.gateway.doctor.database import examine_database
from uplift.gateway.doctor.links import examine_links
from uplift.gateway.doctor.machine import examine_descriptors, examine_disk, examine_server
from uplift.gateway.doctor.result import Health, Result
from uplift.gateway.settings import Settings
from uplift.storage.citus.examination import UnsafeCluster

TIMEOUT = 30.0
"""Seconds that the database has for all its answers."""


async def examine(settings: Settings) -> list[Result]:
    """Examine the database and the machine that these settings mean, without changing anything."""
    results: list[Result] = []
    try:
        async with asyncio.timeout(TIMEOUT):
            await examine_database(settings, results.append)
    except TimeoutError:
        results.append(
            Result(
                part="database",
                health=Health.ERROR,
                found=f"The database did not answer everything within {TIMEOUT:.0f} s.",
                advice="See what it is busy with, or whether a firewall drops packets to it.",
            )
        )
    if any(result.part == "schema" and result.health is Health.OK for result in results):
        await _examine_links(settings, results)
    place = settings.database
    if isinstance(place, Path) and place.parent.is_dir():
        results.append(examine_disk(place))
    results.append(examine_descriptors(settings))
    results.append(await examine_server(settings))
    return results


async def _examine_links(settings: Settings, results: list[Result]) -> None:
    """Examine the links in a database that has answered before."""
    try:
        async with asyncio.timeout(TIMEOUT):
            store = await open_store(settings.database)
            try:
                await examine_links(store, results.append)
            finally:
                await store.close()
    except (StoreUnavailable, UnsafeCluster, TimeoutError) as error:
        reason = getattr(error, "message", f"The database did not answer within {TIMEOUT:.0f} s.")
        results.append(
            Result(part="links", health=Health.ERROR, found=reason, advice="Run this command again.")
        )
