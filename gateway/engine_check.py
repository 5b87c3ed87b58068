"""Asks the engine of a link what it is, and finds what does not suffice. It changes nothing."""

from dataclasses import dataclass
from datetime import timedelta

from uplift.domain.clock import utc_now
from uplift.domain.model.link import Link
from uplift.domain.ports.process_engine import EngineDescription
from uplift.engines.registry import engine_of

CLOCK_TOLERANCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What does not suffice, and what to do about it."""

    found: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCheck:
    """What an engine answered.

    `ahead` is how far its clock is ahead of this machine's, None if it does not tell. `versions` counts those
    of the first page; `has_more` says whether there are others.
    """

    described: EngineDescription
    ahead: timedelta | None
    versions: int
    has_more: bool
    problems: tuple[Problem, ...]

    @property
    def product(self) -> str:
        """The product with its version, if that is known."""
        return f"{self.described.product} {self.described.version or ''}".strip()


async def check_engine(link: Link) -> EngineCheck:
    """Ask the engine of a link for its version, clock, rights and processes. Raises EngineFault."""
    engine = engine_of(link)
    try:
        described = await engine.describe()
        ahead = None if described.clock is None else described.clock - utc_now()
        page = await engine.versions()
    finally:
        await engine.close()
    problems = [
        Problem(found=sentence, advice="Give the user of the link what is missing, or use another engine.")
        for sentence in described.problems
    ]
    if ahead is not None and abs(ahead) > CLOCK_TOLERANCE:
        problems.append(_wrong_clock(ahead))
    if not page.items:
        problems.append(_no_versions(link))
    return EngineCheck(
        described=described,
        ahead=ahead,
        versions=len(page.items),
        has_more=page.next is not None,
        problems=tuple(problems),
    )


def _wrong_clock(ahead: timedelta) -> Problem:
    return Problem(
        found=f"Expected the engine's clock within {CLOCK_TOLERANCE.total_seconds():.0f} s of this "
        f"machine's, but it is {ahead.total_seconds():+.1f} s off.",
        advice="Synchronise both machines (NTP).",
    )


def _no_versions(link: Link) -> Problem:
    of = "no tenant" if link.tenant is None else f"tenant '{link.tenant}'"
    return Problem(
        found=f"Expected versions that belong to {of}, but the engine lists none.",
        advice="Deploy a process, or correct the tenant of the link and the rights of its user.",
    )
