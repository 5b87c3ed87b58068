"""A store that counts what it is asked."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from uplift.domain.ports import Store


class CountingStore:
    """Passes every question on to a store; `asked` counts them by name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        question = getattr(self._store, name)

        def ask(*args: Any) -> Any:
            self.asked[name] += 1
            return question(*args)

        return ask
