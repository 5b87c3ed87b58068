"""What does a BPMN document say about one process? Bytes in, a `ProcessModel` out."""

from uplift.domain.bpmn.model import (
    Element,
    ElementKind,
    Flow,
    MultiInstance,
    ProcessModel,
    Trigger,
    TriggerKind,
    build_model,
)
from uplift.domain.bpmn.reading import read_model
from uplift.domain.bpmn.tree import DEFAULT_MAX_BYTES

__all__ = [
    "DEFAULT_MAX_BYTES",
    "Element",
    "ElementKind",
    "Flow",
    "MultiInstance",
    "ProcessModel",
    "Trigger",
    "TriggerKind",
    "build_model",
    "read_model",
]
