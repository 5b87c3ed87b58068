"""The command line, `uplift`."""

from uplift.gateway.cli.main import app

__all__ = ["app"]
