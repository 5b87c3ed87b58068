"""Collects the problems of one sweep, which the status of a link lists for operators."""

from collections.abc import Iterable

MAX_PROBLEMS = 20
"""The problems that are listed. Further ones are counted: an engine may have one for each of its versions."""


class Problems:
    """The problems of a sweep, each of them once, in the order in which they were found."""

    def __init__(self) -> None:
        self._listed: dict[str, None] = {}
        self._more: set[int] = set()
        """The hashes of the others, as their sentences may be long and there may be thousands."""

    def __bool__(self) -> bool:
        return bool(self._listed)

    def add(self, problem: str) -> None:
        """Add a sentence. One that was added before is not added again."""
        if problem in self._listed:
            return
        if len(self._listed) < MAX_PROBLEMS:
            self._listed[problem] = None
        else:
            self._more.add(hash(problem))

    def add_all(self, problems: Iterable[str]) -> None:
        for problem in problems:
            self.add(problem)

    def text(self) -> str | None:
        """The sentences, one a line; None if there are none."""
        if not self._listed:
            return None
        more = [f"… and {len(self._more):,} more problems."] if self._more else []
        return "\n".join([*self._listed, *more])
