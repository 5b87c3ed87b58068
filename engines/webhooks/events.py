"""Defines the events that webhooks carry, each a JSON document below 1 kB."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import uuid4, uuid5

from uplift.domain.model.upgrade import Upgrade, UpgradeState

ORDERED = "uplift.moves.ordered"
FINISHED = "uplift.upgrade.finished"
FAILED = "uplift.upgrade.failed"


class Event(Protocol):
    """An event. Its `id` stays the same over retries, and `body` is what is sent."""

    @property
    def id(self) -> str: ...

    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersEvent:
    """Says that `count` orders of a link wait, with numbers above `after`."""

    id: str
    link: str
    upgrade: str
    after: int
    count: int
    created_at: datetime

    @property
    def body(self) -> bytes:
        data = {"link": self.link, "upgrade": self.upgrade, "after": self.after, "count": self.count}
        return _body(ORDERED, self.created_at, data)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndEvent:
    """Says that an upgrade of a link has ended: FAILED, or finished as COMPLETED or CANCELLED."""

    id: str
    link: str
    upgrade: str
    state: UpgradeState
    ended_at: datetime

    @classmethod
    def of(cls, upgrade: Upgrade, link: str) -> "EndEvent":
        """The event of an upgrade. Its id follows from the upgrade, also in another program."""
        assert upgrade.finished_at is not None, "it has ended"
        return cls(
            id=f"msg_{uuid5(upgrade.id, upgrade.finished_at.isoformat()).hex}",
            link=link,
            upgrade=str(upgrade.id),
            state=upgrade.state,
            ended_at=upgrade.finished_at,
        )

    @property
    def body(self) -> bytes:
        kind = FAILED if self.state is UpgradeState.FAILED else FINISHED
        data = {"link": self.link, "upgrade": self.upgrade, "state": self.state.value}
        return _body(kind, self.ended_at, data)


def new_event_id() -> str:
    """An id that no other event has."""
    return f"msg_{uuid4().hex}"


def _body(kind: str, at: datetime, data: Mapping[str, object]) -> bytes:
    event = {"type": kind, "timestamp": at.isoformat(), "data": data}
    return json.dumps(event, separators=(",", ":")).encode()
