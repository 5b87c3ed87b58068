"""Makes the pages of the site that no file of docs/ has. mkdocs-gen-files runs it at each build."""

import sys
from collections.abc import Iterator
from pathlib import Path

import mkdocs_gen_files
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    build_schema,
    specified_scalar_types,
)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

# mkdocs runs this file by its path
from commands import commands_page  # noqa: E402
from links import FILES  # noqa: E402
from openapi import openapi_page  # noqa: E402

PYTHON = """\
# Python API

The domain can be used in any Python program, without a server ([example](../index.md)).

::: uplift.domain
    options:
      show_root_toc_entry: false
      filters: ["!^_"]

## Stores

::: uplift.storage.store.SqlStore
    options:
      heading_level: 3
      members: [open, close]

::: uplift.storage.memory.InMemoryStore
    options:
      heading_level: 3
      members: false

## Ports of a store

What a [store of your own](../how-to/own-store.md) implements.

::: uplift.domain.ports
    options:
      show_root_heading: false
      show_root_toc_entry: false
      heading_level: 3
      filters: ["!^_"]

## The port of an engine

What an [adapter of your own](../how-to/own-engine.md) implements.

::: uplift.domain.ports.process_engine
    options:
      show_root_heading: false
      show_root_toc_entry: false
      heading_level: 3
      filters: ["!^_"]

## Contract tests

::: uplift.testing.store
    options:
      heading_level: 3
      members: false

::: uplift.testing.engine
    options:
      heading_level: 3
      members: false
"""
ROOTS = ("Query", "Mutation", "Subscription")


def schema_page(text: str) -> Iterator[str]:
    """The lines of the reference of a GraphQL schema."""
    schema = build_schema(text)
    yield "# GraphQL schema"
    yield ""
    yield (schema.description or "").strip()
    yield ""
    yield "Examples are in [GraphQL API](graphql.md). `uplift print-schema` prints the schema."
    types = {
        name: kind
        for name, kind in schema.type_map.items()
        if not name.startswith("__") and name not in specified_scalar_types
    }
    for name in ROOTS:
        yield from described(types.pop(name))
    for name in sorted(types):
        yield from described(types[name])


def described(kind: GraphQLNamedType) -> Iterator[str]:
    """The section of one type."""
    yield f"\n## {kind.name}\n"
    yield f"{cell(kind.description)}\n"
    match kind:
        case GraphQLEnumType():
            yield from table(
                ("Value", "Means"), [(f"`{n}`", cell(v.description)) for n, v in kind.values.items()]
            )
        case GraphQLInputObjectType():
            rows = [(f"`{n}`", f"`{f.type}`", cell(f.description)) for n, f in kind.fields.items()]
            yield from table(("Field", "Type", "Means"), rows)
        case GraphQLObjectType() | GraphQLInterfaceType():
            rows = [(signature(n, f), f"`{f.type}`", cell(f.description)) for n, f in kind.fields.items()]
            yield from table(("Field", "Type", "Means"), rows)
        case GraphQLUnionType():
            yield (
                "One of "
                + ", ".join(f"[{member.name}](#{member.name.lower()})" for member in kind.types)
                + "."
            )


def signature(name: str, field: GraphQLField) -> str:
    """A field with its arguments."""
    if not field.args:
        return f"`{name}`"
    return f"`{name}({', '.join(f'{name}: {a.type}' for name, a in field.args.items())})`"


def cell(description: str | None) -> str:
    """A description as one line, which may stand in a table."""
    return " ".join((description or "").split()).replace("|", "\\|")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """A table in Markdown."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def write(page: str, text: str) -> None:
    """Add a page to the site."""
    with mkdocs_gen_files.open(page, "w", encoding="utf-8") as file:
        file.write(text)


for page, file in FILES.items():
    if file.endswith(".md"):
        write(page, (ROOT / file).read_text(encoding="utf-8"))
write(
    "reference/schema.md",
    "\n".join(schema_page((ROOT / "graphql_api/schema.graphql").read_text(encoding="utf-8"))),
)
write(
    "reference/openapi.md",
    openapi_page((ROOT / "rest_compat/openapi.json").read_text(encoding="utf-8")),
)
write("reference/options.md", commands_page())
write("reference/python.md", PYTHON)
for name in ("load_model.js", "site.css"):
    write(f"assets/{name}", (HERE / name).read_text(encoding="utf-8"))
