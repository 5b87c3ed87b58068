"""Stores pairs of a source and a target element, indexed by both."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from uplift.domain.bpmn.model import Element, ProcessModel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A source element and the target element to which it is mapped. Pairs compare by identity.

    `is_instruction` marks a pair that the caller instructed; the others are generated. An implicit pair
    follows another pair and is not listed in the mapping, such as a compensation handler with its boundary
    event or an error boundary event with its host.
    """

    source: Element
    target: Element
    is_instruction: bool = False
    is_implicit: bool = False


class Pairs:
    """The mutable set of pairs between two versions while a mapping is built."""

    __slots__ = ("_by_source", "_by_target", "source_model", "target_model")

    def __init__(self, source_model: ProcessModel, target_model: ProcessModel) -> None:
        self.source_model = source_model
        self.target_model = target_model
        # Dictionaries without values, because dropping a pair from a list of thousands is slow.
        self._by_source: defaultdict[str, dict[Pair, None]] = defaultdict(dict)
        self._by_target: defaultdict[str, dict[Pair, None]] = defaultdict(dict)

    def add(self, pair: Pair) -> None:
        """Add a pair."""
        self._by_source[pair.source.id][pair] = None
        self._by_target[pair.target.id][pair] = None

    def drop(self, pair: Pair) -> None:
        """Remove a pair that was added before."""
        del self._by_source[pair.source.id][pair]
        del self._by_target[pair.target.id][pair]

    def by_source(self, source_id: str) -> Pair | None:
        """The first pair of a source element, or None."""
        pairs = self._by_source.get(source_id)
        return next(iter(pairs)) if pairs else None

    def all_by_source(self, source_id: str) -> Collection[Pair]:
        """Every pair of a source element."""
        return self._by_source.get(source_id, ())

    def all_by_target(self, target_id: str) -> Collection[Pair]:
        """Every pair that maps to a target element."""
        return self._by_target.get(target_id, ())

    def __iter__(self) -> Iterator[Pair]:
        """All pairs, ordered by source id, so that the order in the BPMN file never matters."""
        return iter([pair for source in sorted(self._by_source) for pair in self._by_source[source]])
