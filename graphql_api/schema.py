"""The GraphQL schema, built from its root types.

`schema.graphql` beside this file is its text; a test compares them. To write it again, run
`uplift print-schema > graphql_api/schema.graphql`.
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
    """Build a new schema. Its resolvers expect a Context as context value."""
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[user_error for user_error, _ in USER_ERRORS.values()],
        config=StrawberryConfig(scalar_map=SCALARS),
    )


def print_schema() -> str:
    """The schema in the GraphQL schema definition language, with descriptions."""
    return f"{build_schema().as_str()}\n"


if __name__ == "__main__":
    sys.stdout.write(print_schema())
