"""Starts the command line: `uplift`, or `python -m uplift.gateway`."""

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uplift.gateway.cli.application import Application


def load() -> "Application":
    """Import the command line, without looking for garbage in what it imports."""
    # What a program imports lives as long as it does. Looking for garbage in it takes a third of the start.
    gc.disable()
    from uplift.gateway.cli import app

    gc.freeze()
    gc.enable()
    return app


def start() -> None:
    """Run the command that the program's arguments name, and exit."""
    load()(prog_name="uplift")


if __name__ == "__main__":
    start()
