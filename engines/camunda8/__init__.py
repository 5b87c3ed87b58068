"""The adapter to Camunda 8.8, by the REST API of its orchestration cluster.

It follows the published API, and is tested on a fake server only: it has not run against the vendor's server.
"""

from uplift.engines.camunda8.engine import Camunda8Engine

__all__ = ["Camunda8Engine"]
