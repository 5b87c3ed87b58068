"""Provides linear-time searches in a graph: which origins lead to a point, and what every path passes."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

Point = TypeVar("Point", bound=Hashable)

Successors = Mapping[Point, Sequence[Point]]
"""The points to which each point leads directly."""


def first_origins(
    points: Iterable[Point],
    successors: Successors[Point],
    origins: Mapping[Point, Iterable[int]],
    *,
    limit: int,
) -> dict[Point, tuple[int, ...]]:
    """The lowest `limit` numbers of the origins that lead to each point, or are at it.

    Without the limit, time and memory would grow with the square of the number of points. Each edge is
    followed once: points that lead to each other share one set.
    """
    index = {point: number for number, point in enumerate(points)}
    # Numbers in tuples: the garbage collector need not read these again, and lists of points it must.
    edges = [tuple(index[successor] for successor in successors.get(point, ())) for point in index]
    ordered, groups = _connected_groups(edges)
    numbers_at = {index[point]: numbers for point, numbers in origins.items() if point in index}
    found: list[tuple[int, ...]] = [()] * (1 + max(groups, default=-1))
    begin = end = len(ordered)
    while end:
        group = groups[ordered[end - 1]]
        while begin and groups[ordered[begin - 1]] == group:
            begin -= 1
        members, end = ordered[begin:end], begin
        numbers = found[group]
        for member in members:
            if member in numbers_at:
                numbers = _lowest(numbers, numbers_at[member], limit)
        if not numbers:
            continue
        found[group] = numbers
        for member in members:
            for successor in edges[member]:
                target = groups[successor]
                if target == group or found[target] == numbers:
                    continue
                found[target] = _lowest(found[target], numbers, limit) if found[target] else numbers
    return {point: found[groups[number]] for point, number in index.items()}


def _connected_groups(edges: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """Group points that lead to each other. Points are numbers, and `edges` says to which each one leads.

    Returns the points in the order of their groups, each group after all to which it leads, and the number of
    the group of each point. Tarjan's algorithm for strongly connected components, without recursion: a chain
    of elements may be longer than Python's recursion limit.
    """
    unseen, in_a_group = -1, len(edges)
    number = [unseen] * len(edges)
    # The lowest number that a point leads back to.
    lowest = [unseen] * len(edges)
    groups = [unseen] * len(edges)
    ordered: list[int] = []
    pending: list[int] = []
    seen = group_count = 0
    for start in range(len(edges)):
        if number[start] != unseen:
            continue
        number[start] = lowest[start] = seen
        seen += 1
        pending.append(start)
        path = [(start, iter(edges[start]))]
        while path:
            point, candidates = path[-1]
            for candidate in candidates:
                if number[candidate] == unseen:
                    number[candidate] = lowest[candidate] = seen
                    seen += 1
                    pending.append(candidate)
                    path.append((candidate, iter(edges[candidate])))
                    break
                # The number of a point that is in a group already is higher than all others.
                if number[candidate] < lowest[point]:
                    lowest[point] = number[candidate]
            else:
                path.pop()
                low = lowest[point]
                if path and low < lowest[path[-1][0]]:
                    lowest[path[-1][0]] = low
                if low == number[point]:
                    member = unseen
                    while member != point:
                        member = pending.pop()
                        number[member] = in_a_group
                        groups[member] = group_count
                        ordered.append(member)
                    group_count += 1
    return ordered, groups


def immediate_postdominators(
    points: Iterable[Point], successors: Successors[Point]
) -> dict[Point, Point | None]:
    """The first point that every path from each point to an end passes, or None if there is none.

    Edges that close a loop are ignored. In an acyclic graph, the immediate postdominator is the lowest common
    ancestor of the successors in the tree of postdominators, which jump pointers find in logarithmic time
    (Myers, "An applicative random-access stack", 1983).
    """
    tree = _Tree[Point]()
    for point, following in _without_loops(points, successors):
        tree.add(point, tree.common_ancestor(following))
    return tree.parents


def _lowest(before: tuple[int, ...], more: Iterable[int], limit: int) -> tuple[int, ...]:
    return tuple(sorted({*before, *more})[:limit])


def _without_loops(
    points: Iterable[Point], successors: Successors[Point]
) -> Iterator[tuple[Point, list[Point]]]:
    """Each point after the points it leads to, with those; an edge back into the path is left out."""
    following: defaultdict[Point, list[Point]] = defaultdict(list)
    on_path: set[Point] = set()
    done: set[Point] = set()
    for start in points:
        path = [] if start in done else [(start, iter(successors.get(start, ())))]
        on_path.update(point for point, _ in path)
        while path:
            point, candidates = path[-1]
            for candidate in candidates:
                if candidate in on_path:
                    continue
                following[point].append(candidate)
                if candidate not in done:
                    path.append((candidate, iter(successors.get(candidate, ()))))
                    on_path.add(candidate)
                    break
            else:
                path.pop()
                on_path.discard(point)
                done.add(point)
                yield point, following.pop(point, [])


class _Tree(dict[Point | None, tuple[int, Point | None]]):
    """A tree below None, with the depth of each point and a jump to one of its ancestors."""

    def __init__(self) -> None:
        super().__init__({None: (0, None)})
        self.parents: dict[Point, Point | None] = {}

    def add(self, point: Point, parent: Point | None) -> None:
        depth, jump = self[parent]
        jump_depth, jump_of_jump = self[jump]
        is_as_far = depth - jump_depth == jump_depth - self[jump_of_jump][0]
        self[point] = (depth + 1, jump_of_jump if is_as_far else parent)
        self.parents[point] = parent

    def common_ancestor(self, points: Sequence[Point]) -> Point | None:
        """The lowest point that is each of the points or above it; None for no points."""
        if not points:
            return None
        ancestor: Point | None = points[0]
        for point in points[1:]:
            ancestor = self._common(ancestor, point)
        return ancestor

    def _common(self, first: Point | None, second: Point | None) -> Point | None:
        while first != second:
            (first_depth, first_jump), (second_depth, second_jump) = self[first], self[second]
            if first_depth > second_depth:
                first = first_jump if self[first_jump][0] >= second_depth else self._parent(first)
            elif second_depth > first_depth:
                second = second_jump if self[second_jump][0] >= first_depth else self._parent(second)
            elif first_jump != second_jump:
                first, second = first_jump, second_jump
            else:
                first, second = self._parent(first), self._parent(second)
        return first

    def _parent(self, point: Point | None) -> Point | None:
        return None if point is None else self.parents[point]
