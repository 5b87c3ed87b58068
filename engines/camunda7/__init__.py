"""The adapter to Camunda 7 and its descendants, such as Operaton and CIB seven, by their REST API."""

from uplift.engines.camunda7.engine import Camunda7Engine

__all__ = ["Camunda7Engine"]
