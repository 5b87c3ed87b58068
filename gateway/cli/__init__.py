"""What can be done from a terminal?"""

from gateway.cli.main import app

__all__ = ["app"]
