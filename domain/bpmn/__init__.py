"""Reads a BPMN 2.0 document into a `ProcessModel`."""

from uplift.domain.bpmn.encoding import decode_document, encode_document
from uplift.domain.bpmn.model import (
    Element,
    ElementKind,
    Flow,
    MultiInstance,
    ProcessModel,
    Trigger,
    TriggerKind,
    Wait,
    build_model,
)
from uplift.domain.bpmn.reader import read_model
from uplift.domain.bpmn.tree import DocumentLimits

__all__ = [
    "DocumentLimits",
    "Element",
    "ElementKind",
    "Flow",
    "MultiInstance",
    "ProcessModel",
    "Trigger",
    "TriggerKind",
    "Wait",
    "build_model",
    "decode_document",
    "encode_document",
    "read_model",
]
