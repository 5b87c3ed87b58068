"""Relay's compiler accepts every connection as refetchable, and asks for the identity of what changes.

Without npm these tests are skipped.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    get_named_type,
    is_object_type,
    is_required_argument,
    parse,
    validate,
)
from graphql import build_schema as build_from_text

from tests.support.other_tools import javascript_tools
from uplift.graphql_api.schema import print_schema

SCHEMA = build_from_text(print_schema())
PAGING = 'first: {type: "Int", defaultValue: 50}, after: {type: "String"}'
FOR_ENGINES = {"appsettleMovesMutation"}
"""Operations of programs that keep no cache."""
OF_VALUES = {"PlannedCohort.instances"}
"""Connections of values, which Relay cannot fetch again by an id."""


def connections() -> Iterator[tuple[GraphQLObjectType, str]]:
    """Each field that is a connection, with its type."""
    for type_ in SCHEMA.type_map.values():
        if isinstance(type_, GraphQLObjectType):
            for name, field in type_.fields.items():
                if get_named_type(field.type).name.endswith("Connection"):
                    yield type_, name


def is_refetchable(type_: GraphQLObjectType) -> bool:
    return type_ is SCHEMA.query_type or "Node" in {interface.name for interface in type_.interfaces}


def page_of(type_: GraphQLObjectType, name: str) -> str:
    """A refetchable fragment of a connection."""
    label = f"{type_.name}_{name}"
    required = required_of(type_.fields[name])
    arguments = ", ".join([PAGING, *(f'{name}: {{type: "{kind}"}}' for name, kind in required.items())])
    passed = ", ".join(["first: $first", "after: $after", *(f"{name}: ${name}" for name in required)])
    return f"""
        fragment app_{label} on {type_.name} @argumentDefinitions({arguments})
            @refetchable(queryName: "app{label}Query") {{
          {name}({passed}) @connection(key: "app_{name}") {{
            edges {{node {{__typename}}}}
          }}
        }}
    """


def required_of(field: GraphQLField) -> dict[str, str]:
    """The arguments that a field must get, with their types."""
    return {
        name: str(argument.type) for name, argument in field.args.items() if is_required_argument(argument)
    }


def change(operation: str, root: GraphQLObjectType, name: str) -> tuple[str, int]:
    """An operation that selects every object with an identity that it changes, and their number."""
    field = root.fields[name]
    declared = ", ".join(f"${argument}: {definition.type}" for argument, definition in field.args.items())
    passed = ", ".join(f"{argument}: ${argument}" for argument in field.args)
    changed = get_named_type(field.type)
    assert isinstance(changed, GraphQLObjectType)
    nodes = [
        inner
        for inner, definition in changed.fields.items()
        if is_object_type(type_ := get_named_type(definition.type))
        and is_refetchable(type_)
        and not required_of(definition)
    ]
    inside = " ".join(f"{inner} {{__typename}}" for inner in nodes)
    text = (
        f"{operation} app{name}{operation.title()}({declared}) {{{name}({passed}) {{__typename {inside}}}}}"
    )
    return text, len(nodes) + is_refetchable(changed)


@pytest.fixture
def compiled(tmp_path: Path) -> dict[str, str]:
    """The texts that the compiler makes, by the name of the operation."""
    texts = [page_of(type_, name) for type_, name in connections() if is_refetchable(type_)]
    texts += [text for text, _ in changes().values()]
    (tmp_path / "src").mkdir()
    (tmp_path / "made").mkdir()
    (tmp_path / "src" / "app.js").write_text("\n".join(f"graphql`{text}`;" for text in texts))
    (tmp_path / "schema.graphql").write_text(print_schema())
    (tmp_path / "operations.json").write_text("{}")
    config = {
        "src": "src",
        "schema": "schema.graphql",
        "language": "javascript",
        "artifactDirectory": "made",
        "persistConfig": {"file": "operations.json"},
    }
    (tmp_path / "relay.config.json").write_text(json.dumps(config))
    compiler = javascript_tools() / "node_modules" / "relay-compiler" / "cli.js"
    done = subprocess.run(["node", compiler], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads((tmp_path / "operations.json").read_text()).values()
    return {text.split("(")[0].split()[1]: text for text in made}


def changes() -> dict[str, tuple[str, int]]:
    roots = {"mutation": SCHEMA.mutation_type, "subscription": SCHEMA.subscription_type}
    return {
        f"app{name}{operation.title()}": change(operation, root, name)
        for operation, root in roots.items()
        if root is not None
        for name in root.fields
    }


def test_the_compiler_takes_every_connection_and_asks_for_ids(compiled: dict[str, str]) -> None:
    for text in compiled.values():
        assert validate(SCHEMA, parse(text)) == []
    for type_, name in connections():
        if is_refetchable(type_):
            text = compiled.pop(f"app{type_.name}_{name}Query")
            assert (type_ is SCHEMA.query_type) != ("node(id: $id)" in text)
            assert "endCursor" in text
    for operation, (_, nodes) in changes().items():
        if operation in FOR_ENGINES:
            continue
        assert nodes > 0, f"{operation} returns nothing with an identity"
        assert sum(line.strip() == "id" for line in compiled[operation].splitlines()) == nodes, operation


def test_only_known_connections_belong_to_a_value() -> None:
    of_values = {f"{type_.name}.{name}" for type_, name in connections() if not is_refetchable(type_)}
    assert of_values == OF_VALUES
