"""The command `uplift` with small partitions: python -m tests.faults.small_partitions.

On PostgreSQL any number of workers then share even a short upgrade. On SQLite an upgrade is one partition.
"""

import os
import select
import time

from uplift.gateway.__main__ import load


def sleep(seconds: float) -> None:
    """As time.sleep, by another system call."""
    select.select([], [], [], seconds)


def start() -> None:
    app = load()
    from uplift.domain import JoinPolicy  # as late as load() imports it
    from uplift.gateway import settings

    settings.PARTITION_SIZE = 5_000
    settings.JOIN_POLICY = JoinPolicy(unmeasured=100)
    if "FAKETIME" in os.environ:
        # libfaketime makes clock_nanosleep, which time.sleep calls, fail with EINVAL.
        time.sleep = sleep  # type: ignore[assignment]
    app(prog_name="uplift")


if __name__ == "__main__":
    start()
