"""What can be done from a terminal?"""

from uplift.gateway.cli.main import app

__all__ = ["app"]
