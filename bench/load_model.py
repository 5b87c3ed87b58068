"""Computes rows, disk, seconds and programs for a load, from measured figures.

    python -m bench.load_model --instances 10000000 --registrations 20

docs/explanation/load-model.md explains it, and says where each figure was measured. The calculator of the
web site (docs/.site/load_model.js) does the same arithmetic; a test compares both.
"""

import argparse
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

FIGURES: Mapping[str, float] = {
    "postgresInstanceBytes": 233,
    "postgresOutcomeBytes": 95,
    "sqliteInstanceBytes": 95,
    "sqliteOutcomeBytes": 14,
    "movedMicroseconds": 4.31,
    "twoWorkers": 0.65,
    "registeredMicroseconds": 20.1,
    "comparedMilliseconds": 86,
    "largestDatabase": 50_000_000,
}
"""What was measured, by the names of the page."""
DAY = 86_400
HALF_A_CORE = 0.5
"""How much of its core a gateway may use for registrations, so that it answers other requests in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What an installation carries: the options of the command, and the inputs of the calculator."""

    instances: float = 1_000_000
    """Instances at the beginning, active and ended ones."""
    registrations: float = 5
    """Instances that are registered in a second, in batches, on an average of the day."""
    days: float = 365
    """Days until the size is computed. Nothing deletes instances."""
    upgrades: float = 4
    """Upgrades a day."""
    each: float = 100_000
    """Instances that an upgrade selects."""
    audit: float = 90
    """Days after which the audit is pruned."""
    versions: float = 200
    """Versions of all processes."""
    kib: float = 100
    """KiB of a BPMN document."""
    elements: float = 200
    """Elements of a model."""


HELP: Mapping[str, str] = {
    "instances": "instances at the beginning, active and ended ones",
    "registrations": "instances that are registered in a second, in batches",
    "days": "days until the size is computed",
    "upgrades": "upgrades a day",
    "each": "instances that an upgrade selects",
    "audit": "days after which the audit is pruned",
    "versions": "versions of all processes",
    "kib": "KiB of a BPMN document",
    "elements": "elements of a model",
}
"""What each option means, with its unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What the load needs."""

    rows: float
    """Instances, outcomes and versions at the end."""
    postgres_gb: float
    """Gigabytes on PostgreSQL."""
    sqlite_gb: float
    """Gigabytes on SQLite."""
    upgrade_seconds: float
    """Seconds of an upgrade on PostgreSQL by one worker."""
    upgrade_seconds_two: float
    """The same by two workers, as each program has by default."""
    comparison_seconds: float
    """Seconds to read and compare two versions, before a plan is in the cache."""
    gateways: float
    """Gateways that registrations need, each with half of a core for them."""
    databases: float
    """Databases with at most as many instances as were measured."""


def estimate(load: Load) -> Estimate:
    """What this load needs, by the measured figures."""
    instances = load.instances + load.registrations * DAY * load.days
    outcomes = load.upgrades * load.each * load.audit
    documents = load.versions * load.kib * 1024
    seconds = load.each * FIGURES["movedMicroseconds"] / 1e6

    def gigabytes(kind: str) -> float:
        stored = instances * FIGURES[f"{kind}InstanceBytes"] + outcomes * FIGURES[f"{kind}OutcomeBytes"]
        return (stored + documents) / 1e9

    registering = load.registrations * FIGURES["registeredMicroseconds"] / 1e6
    return Estimate(
        rows=instances + outcomes + load.versions,
        postgres_gb=gigabytes("postgres"),
        sqlite_gb=gigabytes("sqlite"),
        upgrade_seconds=seconds,
        upgrade_seconds_two=seconds * FIGURES["twoWorkers"],
        comparison_seconds=load.elements / 1000 * FIGURES["comparedMilliseconds"] / 1000,
        gateways=max(1, math.ceil(registering / HALF_A_CORE)),
        databases=max(1, math.ceil(instances / FIGURES["largestDatabase"])),
    )


def not_negative(text: str) -> float:
    """The number that an option has."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"Expected a number from 0 on, but got {text}.")
    return number


def main() -> None:
    """Print the estimate of the load that the options describe."""
    parser = argparse.ArgumentParser(description="Compute what a load needs, from measured figures.")
    for field in fields(Load):
        about = f"{HELP[field.name]} (default: {field.default:,})"
        parser.add_argument(f"--{field.name}", type=not_negative, default=field.default, help=about)
    for name, value in asdict(estimate(Load(**vars(parser.parse_args())))).items():
        print(f"{name:20} {value:16,.2f}")


if __name__ == "__main__":
    main()
