"""Decides which actions an operator can take on an upgrade."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from uplift.domain.errors import InvalidInput, WrongState
from uplift.domain.model.upgrade import Upgrade, UpgradeState


class UpgradeAction(StrEnum):
    """What an operator can do with an upgrade."""

    PAUSE = "PAUSE"
    """Stop it until it is resumed."""
    RESUME = "RESUME"
    """Queue it again after a pause."""
    CANCEL = "CANCEL"
    """Stop it for good."""
    RETRY = "RETRY"
    """Upgrade the instances that it skipped, by a new upgrade."""
    UNDO = "UNDO"
    """Move the instances that it moved back, by a new upgrade."""


FINISHED = (UpgradeState.COMPLETED, UpgradeState.CANCELLED, UpgradeState.FAILED)

ALLOWED_STATES: Mapping[UpgradeAction, tuple[UpgradeState, ...]] = MappingProxyType(
    {
        UpgradeAction.PAUSE: (UpgradeState.QUEUED, UpgradeState.RUNNING),
        UpgradeAction.RESUME: (UpgradeState.PAUSED,),
        UpgradeAction.CANCEL: (UpgradeState.QUEUED, UpgradeState.RUNNING, UpgradeState.PAUSED),
        UpgradeAction.RETRY: FINISHED,
        UpgradeAction.UNDO: FINISHED,
    }
)
"""The states in which an upgrade allows each action."""

FOLLOWING = frozenset({UpgradeAction.RETRY, UpgradeAction.UNDO})
"""The actions that make a new upgrade of the outcomes of this one."""


def allowed_actions(upgrade: Upgrade) -> tuple[UpgradeAction, ...]:
    """The actions that the upgrade allows to a caller who may change it."""
    return _allowed(upgrade.state, _has_outcomes_to_follow(upgrade))


def require_allowed(upgrade: Upgrade, action: UpgradeAction) -> None:
    """Raise WrongState or InvalidInput unless the upgrade allows the action.

    A retry and an undo read the outcomes of the upgrade, so it must have finished and must not be pruned, and
    its orders must be settled. An undo can be neither retried nor undone.
    """
    if action in allowed_actions(upgrade):
        return
    attempt, states = action.lower(), ALLOWED_STATES[action]
    if upgrade.state not in states:
        raise WrongState(upgrade_id=upgrade.id, attempt=attempt, state=upgrade.state, allowed=states)
    if upgrade.target_version is None:
        raise InvalidInput(
            f"Expected to {attempt} an upgrade, but {upgrade.id} is an undo.", field=("upgrade_id",)
        )
    obstacle = (
        f"{upgrade.unsettled:,} of its orders are unsettled: its engine has not answered them"
        if upgrade.unsettled
        else "its outcomes were pruned"
    )
    raise InvalidInput(f"Expected to {attempt} upgrade {upgrade.id}, but {obstacle}.", field=("upgrade_id",))


def _has_outcomes_to_follow(upgrade: Upgrade) -> bool:
    return upgrade.target_version is not None and upgrade.pruned_at is None and not upgrade.unsettled


@cache
def _allowed(state: UpgradeState, has_outcomes_to_follow: bool) -> tuple[UpgradeAction, ...]:
    return tuple(
        action
        for action, states in ALLOWED_STATES.items()
        if state in states and (has_outcomes_to_follow or action not in FOLLOWING)
    )
