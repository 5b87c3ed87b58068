"""Examines the machine: its file descriptors, disk, and the server that should run on it."""

import asyncio
import shutil
from pathlib import Path

from uplift.gateway.doctor.result import Health, Result
from uplift.gateway.health_check import addresses_of, is_ready
from uplift.gateway.server.bounds import connections_within_descriptors
from uplift.gateway.settings import Settings

MIB = 2**20
LOW_DISK = 1024 * MIB
"""Free bytes below which an upgrade of some million instances may fill the disk."""
FULL_DISK = 64 * MIB


def examine_descriptors(settings: Settings) -> Result:
    """Whether the limit of file descriptors allows the configured number of connections."""
    configured = settings.max_connections
    possible = connections_within_descriptors(configured)
    if possible == configured:
        return Result(
            part="file descriptors",
            health=Health.OK,
            found=f"The limit of file descriptors allows {configured:,} client connections.",
        )
    return Result(
        part="file descriptors",
        health=Health.WARNING,
        found=f"The limit of file descriptors allows {possible:,} client connections of the {configured:,} "
        "that UPLIFT_MAX_CONNECTIONS allows.",
        advice="Raise the limit (ulimit -n, or LimitNOFILE= of a systemd service), or lower the setting.",
    )


def examine_disk(file: Path) -> Result:
    """Whether the disk of an SQLite database has space for its next upgrades."""
    free = shutil.disk_usage(file.parent).free
    found = f"The disk of {file} has {free // MIB:,} MiB free."
    if free >= LOW_DISK:
        return Result(part="disk", health=Health.OK, found=found)
    return Result(
        part="disk",
        health=Health.ERROR if free < FULL_DISK else Health.WARNING,
        found=found,
        advice="Free some space: 'uplift prune-audit' deletes old outcomes, and the file reuses their pages. "
        "An outcome takes some 14 bytes, an instance 95.",
    )


async def examine_server(settings: Settings) -> Result:
    """Whether a server answers at the configured address."""
    place = settings.host if settings.host.startswith("unix:") else f"{settings.host}:{settings.port}"
    for address in addresses_of(settings.host):
        try:
            ready = await asyncio.to_thread(is_ready, address, settings.port)
        except OSError:
            continue
        if ready:
            return Result(part="server", health=Health.OK, found=f"A server answers at {place} and is ready.")
        return Result(
            part="server",
            health=Health.ERROR,
            found=f"What answers at {place} does not say that it is ready.",
            advice="See its log. If another program uses the port, choose another one (UPLIFT_PORT).",
        )
    return Result(
        part="server",
        health=Health.NOTE,
        found=f"No server answers at {place}.",
        advice="Start 'uplift serve', or set UPLIFT_HOST and UPLIFT_PORT to where it listens.",
    )
