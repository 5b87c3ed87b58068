"""What is the GraphQL API as a whole?

`schema.graphql` beside this file is its text, held equal by a test; write it anew by
`python -m uplift.graphql_api.schema > graphql_api/schema.graphql`.
"""

import sys

import strawberry
from strawberry.schema.config import StrawberryConfig

from uplift.graphql_api.roots.mutations import Mutation
from uplift.graphql_api.roots.queries import Query
from uplift.graphql_api.roots.subscriptions import Subscription
from uplift.graphql_api.types.scalars import SCALARS
from uplift.graphql_api.types.user_errors import USER_ERRORS


def build_schema() -> strawberry.Schema:
    """A new schema; its resolvers want a Context as context value."""
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[shown for shown, _ in USER_ERRORS.values()],
        config=StrawberryConfig(scalar_map=SCALARS),
    )


def print_schema() -> str:
    """The schema in the GraphQL schema definition language, descriptions included."""
    return f"{build_schema().as_str()}\n"


if __name__ == "__main__":
    sys.stdout.write(print_schema())
