"""`uplift print-schema` prints the schema that the package contains."""

from importlib.metadata import version
from importlib.resources import files

from tests.gateway.gateway_world import output_of


def test_prints_the_schema_that_the_package_holds() -> None:
    assert output_of("print-schema") == (files("uplift.graphql_api") / "schema.graphql").read_text("utf-8")


def test_prints_its_version() -> None:
    assert output_of("--version") == f"{version('uplift-gateway')}\n"


def test_the_help_lists_every_command() -> None:
    shown = output_of("--help")
    for command in ("serve", "demo", "import", "upgrade", "diff", "print-schema", "keys"):
        assert f" {command} " in shown
