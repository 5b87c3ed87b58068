"""Stores pairs of a source and a target element, indexed by both."""

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
        self._by_source: _Index = {}
        self._by_target: _Index = {}

    def add(self, pair: Pair) -> None:
        """Add a pair."""
        _add(self._by_source, pair.source.id, pair)
        _add(self._by_target, pair.target.id, pair)

    def drop(self, pair: Pair) -> None:
        """Remove a pair that was added before."""
        _drop(self._by_source, pair.source.id, pair)
        _drop(self._by_target, pair.target.id, pair)

    def by_source(self, source_id: str) -> Pair | None:
        """The first pair of a source element, or None."""
        found = self._by_source.get(source_id)
        return next(iter(found)) if isinstance(found, dict) else found

    def all_by_source(self, source_id: str) -> Collection[Pair]:
        """Every pair of a source element."""
        return _all(self._by_source.get(source_id))

    def all_by_target(self, target_id: str) -> Collection[Pair]:
        """Every pair that maps to a target element."""
        return _all(self._by_target.get(target_id))

    def __iter__(self) -> Iterator[Pair]:
        """All pairs, ordered by source id, so that the order in the BPMN file never matters."""
        return iter([pair for _, found in sorted(self._by_source.items(), key=_key) for pair in _all(found)])


_Index = dict[str, Pair | dict[Pair, None]]
"""The pairs by the id of an element: mostly one, which then needs no collection of its own.

Several are in a dictionary without values, because dropping a pair from a list of thousands is slow.
"""


def _add(index: _Index, element_id: str, pair: Pair) -> None:
    found = index.setdefault(element_id, pair)
    if isinstance(found, dict):
        found[pair] = None
    elif found is not pair:
        index[element_id] = {found: None, pair: None}


def _drop(index: _Index, element_id: str, pair: Pair) -> None:
    found = index[element_id]
    if isinstance(found, dict):
        del found[pair]
    if not isinstance(found, dict) or not found:
        del index[element_id]


def _all(found: Pair | dict[Pair, None] | None) -> Collection[Pair]:
    if found is None:
        return ()
    return found if isinstance(found, dict) else (found,)


def _key(item: tuple[str, Pair | dict[Pair, None]]) -> str:
    return item[0]
