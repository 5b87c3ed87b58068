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
from uplift.graphql_api.types.inputs.long_inputs import construct_when_coerced
from uplift.graphql_api.types.scalars import SCALARS
from uplift.graphql_api.types.user_errors import USER_ERRORS

DESCRIPTION = """\
Upgrades running process instances in bulk to the latest published version of their process.

Send an API key with every request. `upgradePlan` shows what an upgrade would do, `upgradeInstances` does it,
and `upgradeProgress` follows it. Errors of a request are in `errors` with a stable `extensions.code`; what a
mutation refuses is in its `userErrors`. A field that will be removed is marked with `@deprecated`, with its
successor, for at least one minor version. New fields and enum values may come with any version."""


def build_schema() -> strawberry.Schema:
    """Build a new schema. Its resolvers expect a Context as context value."""
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[user_error for user_error, _ in USER_ERRORS.values()],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    # strawberry keeps the schema of graphql-core private, but takes no description and no class of inputs.
    schema._schema.description = DESCRIPTION  # noqa: SLF001
    construct_when_coerced(schema._schema)  # noqa: SLF001
    return schema


ROOTS = """\
schema {
  query: Query
  mutation: Mutation
  subscription: Subscription
}"""
"""strawberry does not print them, because these are the usual names, but a description needs its place."""


def print_schema() -> str:
    """The schema in the GraphQL schema definition language, with descriptions."""
    return f'"""\n{DESCRIPTION}\n"""\n{ROOTS}\n\n{build_schema().as_str()}\n'


if __name__ == "__main__":
    sys.stdout.write(print_schema())
