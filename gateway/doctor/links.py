"""Examines links: whether their engines answer and suffice, and whether a program holds and reads them."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from uplift.domain.model.link import Link, LinkKind
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind
from uplift.gateway.doctor.result import Health, Result
from uplift.gateway.engine_check import EngineCheck, check_engine
from uplift.gateway.reasons.engines import FAULTS
from uplift.storage.store import SqlStore

ENGINE_SECONDS = 10.0
"""Seconds that an engine has for all its answers."""
TOTAL_SECONDS = 25.0
"""Seconds that the engines of all links have."""
CONCURRENCY = 8
"""How many engines are asked at once."""
READING_TIME = timedelta(minutes=10)
"""How long reading an engine may take, beyond its interval, before it counts as late."""


async def examine_links(store: SqlStore, report: Callable[[Result], None]) -> None:
    """Examine all links of the store, in the order of their names."""
    links = await store.links.all_with_status()
    now = await store.database.now()
    called = [link for link, _ in links if link.kind is not LinkKind.PULL]
    engines = dict(zip([link.id for link in called], await _examine_engines(called), strict=True))
    for link, status in links:
        if link.id in engines:
            report(engines[link.id])
        report(examine_status(link, status, now))


async def _examine_engines(links: list[Link]) -> list[Result]:
    """Ask engines at once, so that those that do not answer delay the others little."""
    turns = asyncio.Semaphore(CONCURRENCY)
    deadline = asyncio.get_running_loop().time() + TOTAL_SECONDS

    async def examine(link: Link) -> Result:
        found = f"It was not asked, because other engines took {TOTAL_SECONDS:g} s."
        try:
            async with asyncio.timeout_at(deadline), turns:
                found = f"It did not answer everything within {ENGINE_SECONDS:g} s."
                async with asyncio.timeout(ENGINE_SECONDS):
                    return _result_of(link, await check_engine(link))
        except EngineFault as fault:
            return _faulty(link, fault.message, fault.kind)
        except TimeoutError:
            return _faulty(link, found, EngineFaultKind.UNREACHABLE)

    return await asyncio.gather(*map(examine, links))


def _faulty(link: Link, found: str, kind: EngineFaultKind) -> Result:
    advice = FAULTS[kind].do
    if kind is EngineFaultKind.UNAUTHORISED and link.credentials is not None:
        advice += " Run this command with the environment and the files of the server."
    return Result(part=f"engine of {link.name}", health=Health.ERROR, found=found, advice=advice)


def _result_of(link: Link, check: EngineCheck) -> Result:
    clock = "" if check.ahead is None else f", its clock {check.ahead.total_seconds():+.1f} s off"
    more = " or more" if check.has_more else ""
    found = f"{check.product} answers at {link.url}{clock}; versions: {check.versions:,}{more}."
    if not check.problems:
        return Result(part=f"engine of {link.name}", health=Health.OK, found=found)
    advice = dict.fromkeys(problem.advice for problem in check.problems)
    return Result(
        part=f"engine of {link.name}",
        health=Health.WARNING,
        found=" ".join((found, *(problem.found for problem in check.problems))),
        advice=" ".join(advice),
    )


def examine_status(link: Link, status: LinkStatus, now: datetime) -> Result:
    """Whether a program holds a link, reaches its engine, and has read it in time."""

    def result(health: Health, found: str, advice: str | None = None) -> Result:
        return Result(part=f"link {link.name}", health=health, found=found, advice=advice)

    if status.lease is None or not status.is_held(now):
        return result(
            Health.ERROR,
            "No program holds the link: nothing is sent to its engine, and it is not read.",
            "Start 'uplift worker', or 'uplift serve' without --no-worker; see the log of those that run.",
        )
    held = f"'{status.lease.worker}' holds the link"
    if status.unreachable_since is not None:
        return result(
            Health.ERROR,
            f"{held}, and has had no answer of its engine since {_shown(status.unreachable_since)}.",
            FAULTS[EngineFaultKind.UNREACHABLE].do,
        )
    if status.webhook_error is not None:
        return result(
            Health.WARNING,
            f"{held}. Its last webhook did not arrive: {status.webhook_error}",
            "Correct what the message names. The engine still fetches its orders when it asks by itself.",
        )
    if status.sweep_error is not None:
        return result(
            Health.WARNING,
            f"{held}. Its engine was not read the last time: {status.sweep_error}",
            f"Correct what the message names, then run 'uplift links sync {link.name}'.",
        )
    if link.kind is LinkKind.PULL:
        return result(Health.OK, f"{held}.")
    due = (status.swept_at or link.created_at) + link.sweep_interval + READING_TIME
    last = "never" if status.swept_at is None else f"at {_shown(status.swept_at)}"
    found = f"{held}. Its engine was last read as a whole: {last}."
    if now <= due:
        return result(Health.OK, found)
    return result(
        Health.WARNING,
        f"{found} That is {_shown_duration(now - due)} late.",
        "Read the log of the program that holds it. If the engine has millions of instances, give the link a "
        "longer --sweep-seconds.",
    )


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} (UTC)"


def _shown_duration(duration: timedelta) -> str:
    minutes = round(duration.total_seconds() / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
