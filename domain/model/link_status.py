"""Defines the status of a link: who holds it, and how its engine was found."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from uplift.domain.model.upgrade import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """The present status of a link. Times are in UTC.

    One worker at a time holds the link by `lease`: only this worker sends orders and sweeps. `swept_at` is
    the end of the last complete sweep, and `sweep_started_at` the beginning of the last one, complete or not.
    `sweep_requested_at` is when an operator last requested a sweep. `sweep_error` says why the last sweep
    failed, and is None after a complete one. `unreachable_since` is None while the engine answers.
    `clock_difference` is how far the engine's clock is ahead of ours, None if it is unknown.
    `webhook_error` says why the last webhook did not arrive, and is None if it did. `announced_until` is the
    end of the last upgrade that a webhook announced.
    """

    lease: Lease | None = None
    sweep_started_at: datetime | None = None
    swept_at: datetime | None = None
    sweep_requested_at: datetime | None = None
    sweep_error: str | None = None
    unreachable_since: datetime | None = None
    clock_difference: timedelta | None = None
    webhook_error: str | None = None
    announced_until: datetime | None = None

    def is_held(self, now: datetime) -> bool:
        """Whether a worker holds a lease on the link that has not expired."""
        return self.lease is not None and self.lease.until >= now
