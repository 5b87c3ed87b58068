"""A store that counts its queries."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from uplift.domain.ports import Store
from uplift.testing.stores import Around


class CountingStore(Around):
    """Passes every query on to a store; `queries` counts them by port and name."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.queries: Counter[str] = Counter()
        self.processes: Any = CountingPort(store.processes, "processes", self.queries)
        self.instances: Any = CountingPort(store.instances, "instances", self.queries)
        self.upgrades: Any = CountingPort(store.upgrades, "upgrades", self.queries)
        self.partitions: Any = CountingPort(store.partitions, "partitions", self.queries)


class CountingPort:
    """Passes every query on to a port of a store."""

    def __init__(self, port: object, name: str, queries: Counter[str]) -> None:
        self._port = port
        self._name = name
        self._queries = queries

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def call(*args: Any, **options: Any) -> Any:
            self._queries[f"{self._name}.{name}"] += 1
            return method(*args, **options)

        return call
