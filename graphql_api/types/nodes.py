"""Objects with an identity of their own, and their ids.

A client may keep one record of such an object by its id, and update it from any reply. All other types are
values of the object that lists them, so they have no field named `id`.
"""

from operator import methodcaller
from typing import Any

import strawberry


def _computed(description: str) -> Any:
    """A field whose value is not passed when an object is made."""
    computed: Any = strawberry.field(description=description)
    computed.init = False  # strawberry keeps this argument of dataclasses to itself
    return computed


@strawberry.interface(
    description="An object with an identity of its own. All other types are values: they belong to the field "
    "that returns them."
)
class Node:
    id: strawberry.ID = _computed("The id: opaque, unique among all objects, and never changed.")

    # Not an abstract base class: graphql-core calls isinstance() for each item of a list, which is slow then.
    def node_id(self) -> str:
        """The text of `id`."""
        raise NotImplementedError


# The schema reads an attribute, so that lists are completed by columns. It is a property, because a page of
# 1,000 objects shall not make ids that nobody requests. In the class body it would be a default value.
Node.id = property(methodcaller("node_id"))  # type: ignore[assignment]
