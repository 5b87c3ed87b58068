"""The adapter to Flowable 7, by its REST API."""

from uplift.engines.flowable.engine import FlowableEngine

__all__ = ["FlowableEngine"]
