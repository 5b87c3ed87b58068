"""Starts the command line: `uplift`, or `python -m uplift.gateway`."""

from typing import TYPE_CHECKING

from uplift.gateway.importing import uncollected

if TYPE_CHECKING:
    from uplift.gateway.cli.application import Application


def load() -> "Application":
    """Import the command line, but for what only some commands need."""
    with uncollected():
        from uplift.gateway.cli import app

    return app


def start() -> None:
    """Run the command that the program's arguments name, and exit."""
    load()(prog_name="uplift")


if __name__ == "__main__":
    start()
