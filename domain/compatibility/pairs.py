"""Which element of the source version goes to which element of the target version, so far?"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from uplift.domain.bpmn.model import Element, ProcessModel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A source element and the target element it is mapped to; equal only to itself.

    `bind_ids` tells an instruction of the caller from a generated pair. A `carried` pair moves along with
    another one and is no part of the mapping: a compensation handler with its event, an error boundary event
    with its host.
    """

    source: Element
    target: Element
    given: bool = False
    carried: bool = False


class Pairs:
    """The pairs between two versions, found by either end. Changes while a mapping is made."""

    __slots__ = ("_by_source", "_by_target", "source_model", "target_model")

    def __init__(self, source_model: ProcessModel, target_model: ProcessModel) -> None:
        self.source_model = source_model
        self.target_model = target_model
        self._by_source: defaultdict[str, list[Pair]] = defaultdict(list)
        self._by_target: defaultdict[str, list[Pair]] = defaultdict(list)

    def add(self, pair: Pair) -> None:
        """Keep a pair."""
        self._by_source[pair.source.id].append(pair)
        self._by_target[pair.target.id].append(pair)

    def drop(self, pair: Pair) -> None:
        """Forget a pair that was added."""
        self._by_source[pair.source.id].remove(pair)
        self._by_target[pair.target.id].remove(pair)

    def of(self, source: str) -> Pair | None:
        """The pair of a source element: the first, should there be several."""
        pairs = self._by_source.get(source)
        return pairs[0] if pairs else None

    def all_of(self, source: str) -> Sequence[Pair]:
        """Every pair of a source element."""
        return self._by_source.get(source, ())

    def onto(self, target: str) -> Sequence[Pair]:
        """Every pair that leads to a target element."""
        return self._by_target.get(target, ())

    def __iter__(self) -> Iterator[Pair]:
        """All pairs, in the order of the source ids, so that nothing depends on the order in the file."""
        return iter([pair for source in sorted(self._by_source) for pair in self._by_source[source]])
