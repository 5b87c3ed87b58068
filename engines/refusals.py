"""Makes the refusals by which an adapter answers of single instances."""

from uplift.domain.model.decision import ReasonCode
from uplift.domain.ports.process_engine import EngineVersionId, Refusal


def gone(message: str) -> Refusal:
    """The refusal of an instance that the engine does not have."""
    return Refusal(
        code=ReasonCode.INSTANCE_NOT_FOUND,
        message=f"Expected the engine to have the instance, but it has not: {message}",
    )


def elsewhere(message: str) -> Refusal:
    """The refusal of an instance that is no longer where the plan says."""
    return Refusal(
        code=ReasonCode.MOVED_ON,
        message=f"Expected the instance to be where it was when it was planned, but: {message}",
    )


def not_on_source(version: EngineVersionId | None) -> Refusal:
    """The refusal of an instance that is on this version instead of the source of the plan, or on none."""
    return gone("it has no such instance") if version is None else elsewhere(f"it is on {version}")


def refused(message: str) -> Refusal:
    """The refusal of an instance that the engine does not move, in its words."""
    return Refusal(
        code=ReasonCode.ENGINE_REFUSED,
        message=f"Expected the engine to move the instance, but it refuses: {message}",
    )


def unexplained(message: str) -> Refusal:
    """The refusal of an instance for which, alone in a request, the engine fails."""
    return Refusal(
        code=ReasonCode.ENGINE_REFUSED,
        message=f"Expected the engine to move the instance, but it fails: {message}",
    )
