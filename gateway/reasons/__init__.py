"""Explains every stable code: what it means, and what an operator or a caller does about it."""

from uplift.gateway.reasons.advice import Advice
from uplift.gateway.reasons.catalogue import GROUPS, Group, explain

__all__ = ["GROUPS", "Advice", "Group", "explain"]
