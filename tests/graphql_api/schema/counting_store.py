"""A store that counts its queries."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from uplift.domain.ports import Store


class CountingStore:
    """Passes every query on to a store; `queries` counts them by name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.queries: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        def call(*args: Any) -> Any:
            self.queries[name] += 1
            return method(*args)

        return call
