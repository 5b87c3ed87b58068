"""A command imports only what it needs: its start is most of the time that it takes."""

import subprocess
import sys

OF_SERVERS = (
    "strawberry",
    "websockets",
    "prometheus_client",
    "uplift.gateway.app",
    "uplift.graphql_api.schema",
)


def test_commands_that_serve_nothing_import_no_server_and_no_schema() -> None:
    program = f"import sys, uplift.gateway.cli; print([name for name in {OF_SERVERS} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_these_are_what_a_server_imports() -> None:
    import uplift.gateway.cli.serving  # noqa: F401

    assert set(OF_SERVERS) <= set(sys.modules)
