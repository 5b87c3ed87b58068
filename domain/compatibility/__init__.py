"""Compares two versions of a process and maps the positions of instances from one to the other."""

from uplift.domain.compatibility.changes import Aspect, Change
from uplift.domain.compatibility.comparison import (
    Comparison,
    MigratedPosition,
    breaking_positions,
    compare,
    migrate_position,
)
from uplift.domain.compatibility.finding import (
    WARNING_CODES,
    Code,
    Finding,
    Severity,
    joined_messages,
    without_model,
)
from uplift.domain.compatibility.mapping.camunda_ids import exists, without_part
from uplift.domain.compatibility.mapping.instructions import Instructions, findings_on
from uplift.domain.compatibility.mapping.targets import TargetCandidate, find_targets
from uplift.domain.compatibility.wait_states import is_position_element

__all__ = [
    "WARNING_CODES",
    "Aspect",
    "Change",
    "Code",
    "Comparison",
    "Finding",
    "Instructions",
    "MigratedPosition",
    "Severity",
    "TargetCandidate",
    "breaking_positions",
    "compare",
    "exists",
    "find_targets",
    "findings_on",
    "is_position_element",
    "joined_messages",
    "migrate_position",
    "without_model",
    "without_part",
]
