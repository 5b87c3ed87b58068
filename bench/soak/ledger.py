"""What the clients know to be true. Each records its calls before they are sent, and their confirmations."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from uplift.domain import ElementId, Instance, InstanceId, ProcessKey, Status, UpgradeId
from uplift.domain.model.instance import ACTIVE, Position
from uplift.domain.model.selection import SelectionKind

BARE = ProcessKey(namespace="soak", code="bare")
"""Its versions have no model: every position fits into every version."""
MODELLED = ProcessKey(namespace="soak", code="modelled")
"""Its versions have models that differ: see bench.soak.world."""
PROCESSES = (BARE, MODELLED)

Fact = tuple[Status, Position]
"""What an engine says of an instance; a position as `canonical` gives it."""


def canonical(position: Iterable[str]) -> Position:
    """A position, whether or not a mapping instruction took it from one element to the other."""
    return frozenset(ElementId("approve" if element == "sign" else element) for element in position)


@dataclass
class Known:
    """An instance as its engine knows it: what it may be by now is one fact, or two after a hang-up."""

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
    """Those that it names: to upgrade, or to leave out."""
    of: UpgradeId | None = None
    reasons: frozenset[str] = frozenset()


@dataclass
class Ledger:
    """All that the clients know together."""

    latest: dict[ProcessKey, int]
    instances: dict[InstanceId, Known] = field(default_factory=dict)
    upgrades: dict[UpgradeId, RequestedUpgrade] = field(default_factory=dict)
    unfinished: set[UpgradeId] = field(default_factory=set)
    finished: dict[UpgradeId, str] = field(default_factory=dict)
    """The state in which an upgrade was seen to have ended."""
    _certain: dict[ProcessKey, list[InstanceId]] = field(default_factory=lambda: defaultdict(list))
    _moments: "count[int]" = field(default_factory=count)

    def now(self) -> int:
        """A moment later than all before."""
        return next(self._moments)

    def will_say(self, instance: InstanceId, status: Status, position: Iterable[str]) -> None:
        """An engine is about to say this: from now on it may be so."""
        known = self.instances[instance]
        known.facts.add((status, canonical(position)))
        self._mark(known)

    def was_said(self, instance: InstanceId, status: Status, position: Iterable[str]) -> None:
        """The server has confirmed it: from now on it is so."""
        known = self.instances[instance]
        known.facts = {(status, canonical(position))}
        if not known.is_certain:
            known.is_certain = True
            self._certain[known.registered.process].append(instance)
        self._mark(known)

    def _mark(self, known: Known) -> None:
        """Keep since when it has been active for certain."""
        if any(status not in ACTIVE for status, _ in known.facts):
            known.active_since = None
        elif known.is_certain and known.active_since is None:
            known.active_since = self.now()

    def certain(self, process: ProcessKey) -> Sequence[InstanceId]:
        """Instances that are there for certain."""
        return self._certain[process]

    def requested(self, upgrade: str | UUID, request: RequestedUpgrade) -> UpgradeId:
        """A requested upgrade has this id. A request repeated with its idempotency key has the same one."""
        known = UpgradeId(UUID(str(upgrade)))
        if known not in self.upgrades:
            self.upgrades[known] = request
            self.unfinished.add(known)
        return known

    def seen(self, upgrade: UpgradeId, state: str) -> None:
        """An upgrade was seen in this state."""
        if state in ("COMPLETED", "CANCELLED", "FAILED"):
            self.unfinished.discard(upgrade)
            self.finished[upgrade] = state
