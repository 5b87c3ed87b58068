"""Records what the clients know: their calls, before they are sent, and the confirmed results."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from uplift.domain import ElementId, Instance, InstanceId, ProcessKey, Status, UpgradeId
from uplift.domain.model.instance import ACTIVE, Position
from uplift.domain.model.selection import SelectionKind

BARE = ProcessKey(namespace="soak", code="bare")
"""Its versions have no model, so every position is valid in every version."""
MODELLED = ProcessKey(namespace="soak", code="modelled")
"""Its versions have models that differ: see bench.soak.world."""
PROCESSES = (BARE, MODELLED)

Fact = tuple[Status, Position]
"""A status and a canonical position that an engine reports of an instance."""


def canonical(position: Iterable[str]) -> Position:
    """The position with `sign` replaced by `approve`, because mapping instructions map one to the other."""
    return frozenset(ElementId("approve" if element == "sign" else element) for element in position)


@dataclass
class Known:
    """An instance as its engine knows it. It has one possible fact, or several after a hang-up."""

    registered: Instance
    facts: set[Fact]
    is_certain: bool = False
    """Whether its registration was confirmed."""
    active_since: int | None = None
    """The moment since which it has been active for certain; None while it may be inactive."""


@dataclass
class RequestedUpgrade:
    """An upgrade that a client requested."""

    process: ProcessKey
    selection: SelectionKind
    moment: int
    ids: frozenset[InstanceId] = frozenset()
    """The ids in the request, to upgrade or to exclude."""
    of: UpgradeId | None = None
    reasons: frozenset[str] = frozenset()


@dataclass
class Ledger:
    """The shared knowledge of all clients."""

    latest: dict[ProcessKey, int]
    instances: dict[InstanceId, Known] = field(default_factory=dict)
    upgrades: dict[UpgradeId, RequestedUpgrade] = field(default_factory=dict)
    unfinished: set[UpgradeId] = field(default_factory=set)
    finished: dict[UpgradeId, str] = field(default_factory=dict)
    """The state in which an upgrade was seen to have ended."""
    _certain: dict[ProcessKey, list[InstanceId]] = field(default_factory=lambda: defaultdict(list))
    _moments: "count[int]" = field(default_factory=count)

    def now(self) -> int:
        """A logical time later than all before."""
        return next(self._moments)

    def will_say(self, instance: InstanceId, status: Status, position: Iterable[str]) -> None:
        """Record that an engine is about to report this, so that it may be true from now on."""
        known = self.instances[instance]
        known.facts.add((status, canonical(position)))
        self._mark(known)

    def was_said(self, instance: InstanceId, status: Status, position: Iterable[str]) -> None:
        """Record that the server has confirmed a report, so that it is true from now on."""
        known = self.instances[instance]
        known.facts = {(status, canonical(position))}
        if not known.is_certain:
            known.is_certain = True
            self._certain[known.registered.process].append(instance)
        self._mark(known)

    def _mark(self, known: Known) -> None:
        """Update since when the instance has certainly been active."""
        if any(status not in ACTIVE for status, _ in known.facts):
            known.active_since = None
        elif known.is_certain and known.active_since is None:
            known.active_since = self.now()

    def certain(self, process: ProcessKey) -> Sequence[InstanceId]:
        """The instances of a process whose registration was confirmed."""
        return self._certain[process]

    def requested(self, upgrade: str | UUID, request: RequestedUpgrade) -> UpgradeId:
        """Record the id of a requested upgrade. A request repeated with its key has the same id."""
        known = UpgradeId(UUID(str(upgrade)))
        if known not in self.upgrades:
            self.upgrades[known] = request
            self.unfinished.add(known)
        return known

    def seen(self, upgrade: UpgradeId, state: str) -> None:
        """Record the state in which an upgrade was read."""
        if state in ("COMPLETED", "CANCELLED", "FAILED"):
            self.unfinished.discard(upgrade)
            self.finished[upgrade] = state
