"""Which actions an upgrade allows, and how it refuses the others."""

from dataclasses import replace

import pytest

from uplift.domain import InvalidInput, Upgrade, UpgradeAction, UpgradeState, WrongState, allowed_actions
from uplift.domain.model.selection import SelectionKind
from uplift.domain.rules.actions import require_allowed
from uplift.testing.builders import NOON, an_upgrade

PAUSE, RESUME, CANCEL, RETRY, UNDO = UpgradeAction
AFTERWARDS = (RETRY, UNDO)
ALLOWED = {
    UpgradeState.QUEUED: (PAUSE, CANCEL),
    UpgradeState.RUNNING: (PAUSE, CANCEL),
    UpgradeState.PAUSED: (RESUME, CANCEL),
    UpgradeState.COMPLETED: AFTERWARDS,
    UpgradeState.CANCELLED: AFTERWARDS,
    UpgradeState.FAILED: AFTERWARDS,
}
EVERY_STATE = pytest.mark.parametrize("state", list(UpgradeState))


def upgrades_that_are(state: UpgradeState) -> dict[str, Upgrade]:
    upgrade = replace(an_upgrade(), state=state)
    return {
        "upgrade": upgrade,
        "undo": replace(upgrade, selection=SelectionKind.UNDO, target_version=None),
        "pruned": replace(upgrade, pruned_at=NOON),
    }


@EVERY_STATE
def test_the_state_decides_what_an_upgrade_allows(state: UpgradeState) -> None:
    assert allowed_actions(upgrades_that_are(state)["upgrade"]) == ALLOWED[state]


@EVERY_STATE
@pytest.mark.parametrize("kind", ["undo", "pruned"])
def test_an_undo_and_a_pruned_upgrade_allow_neither_a_retry_nor_an_undo(
    kind: str, state: UpgradeState
) -> None:
    allowed = allowed_actions(upgrades_that_are(state)[kind])
    assert allowed == tuple(action for action in ALLOWED[state] if action not in AFTERWARDS)


@EVERY_STATE
@pytest.mark.parametrize("action", list(UpgradeAction))
def test_what_an_upgrade_does_not_allow_is_refused(action: UpgradeAction, state: UpgradeState) -> None:
    for upgrade in upgrades_that_are(state).values():
        if action in allowed_actions(upgrade):
            require_allowed(upgrade, action)
            continue
        is_in_state = action in ALLOWED[state]
        with pytest.raises(InvalidInput if is_in_state else WrongState) as caught:
            require_allowed(upgrade, action)
        assert caught.value.field == ("upgrade_id",)
        assert caught.value.message.startswith(f"Expected to {action.lower()} ")
