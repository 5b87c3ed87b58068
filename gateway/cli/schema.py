"""How is the GraphQL schema written out?"""

import typer

from uplift.graphql_api import schema


def print_schema() -> None:
    """Print the GraphQL schema, for code generators."""
    typer.echo(schema.print_schema(), nl=False)
