"""Shows a store as a caller may see it: what is outside the scope of the caller does not exist.

This is the only place that applies scopes. The APIs pass their store through `visible_to` once for each
request, and everything else works on the result: use cases, lists, data loaders and subscriptions.
docs/reference/scopes.md says what a caller sees.
"""

from uplift.domain.model.access import Caller
from uplift.domain.ports import Store
from uplift.domain.scope.store import ScopedStore

__all__ = ["visible_to"]


def visible_to(store: Store, caller: Caller) -> Store:
    """The store as this caller sees it: the store itself if the scope of the caller is everything.

    Workers and pruning need the whole store.
    """
    if caller.namespaces is None:
        return store
    return ScopedStore(store, caller)
