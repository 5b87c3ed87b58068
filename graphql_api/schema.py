"""What is the GraphQL API as a whole?

`schema.graphql` beside this file is its text, held equal by a test; write it anew by
`python -m graphql_api.schema > graphql_api/schema.graphql`.
"""

import sys

import strawberry
from strawberry.schema.config import StrawberryConfig

from graphql_api.mutations import Mutation
from graphql_api.queries import Query
from graphql_api.scalars import SCALARS
from graphql_api.subscriptions import Subscription
from graphql_api.user_errors import USER_ERRORS


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
