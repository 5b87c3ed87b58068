"""How operators pause, resume, cancel, retry and undo upgrades, and when they are refused."""

from datetime import timedelta
from typing import Any

import pytest

from tests.graphql_api.schema.schema_client import Client
from tests.graphql_api.schema.schema_world import add_instances, an_id, an_instance, contents
from tests.graphql_api.schema.upgrade_requests import (
    INPUTS,
    a_small_front_door,
    ask_for,
    payload_of,
    put_into,
    text,
    the_upgrade,
    versions_of,
)
from tests.graphql_api.working import a_worker, work_off_next, work_one_chunk
from tests.support.builders import ADMIN, EVENING
from uplift.domain import InstanceReport, Status, Upgrade, UpgradeState, claim, report_instances
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import OutcomeFilter
from uplift.domain.use_cases.prune import prune_outcomes

pytestmark = pytest.mark.anyio

ENDED = ("COMPLETED", "CANCELLED", "FAILED")
ALLOWED = {
    "pauseUpgrade": ("QUEUED", "RUNNING"),
    "resumeUpgrade": ("PAUSED",),
    "cancelUpgrade": ("QUEUED", "RUNNING", "PAUSED"),
    "retryUpgrade": ENDED,
    "undoUpgrade": ENDED,
}
CONTROLS = pytest.mark.parametrize("mutation", list(ALLOWED))


@pytest.fixture
async def queued(client: Client) -> Client:
    """A front door that does two instances at once, before an upgrade of five that is queued."""
    small = await a_small_front_door(client)
    await ask_for(small, "upgradeInstances", wait=False)
    return small


@pytest.fixture
async def done(queued: Client) -> Client:
    """The same when the upgrade is done: four were upgraded, the fifth was RUNNING."""
    await work_off_next(queued.store, a_worker())
    return queued


async def test_pauses_a_queued_upgrade(queued: Client) -> None:
    upgrade = await the_upgrade(queued.store)
    paused = await ask_for(queued, "pauseUpgrade", "id state total startedAt", id=str(upgrade.id))
    assert paused == {"id": str(upgrade.id), "state": "PAUSED", "total": 0, "startedAt": None}
    assert await claim(queued.store, a_worker()) is None


async def test_pauses_an_upgrade_between_two_chunks(queued: Client) -> None:
    await work_one_chunk(queued.store, a_worker("night shift"))
    upgrade = await the_upgrade(queued.store)
    shown = "state total workers"
    data = await queued.ask(f"query($id: UUID!) {{upgrade(id: $id) {{{shown}}}}}", id=str(upgrade.id))
    assert data["upgrade"] == {"state": "RUNNING", "total": 2, "workers": ["night shift"]}
    paused = await ask_for(queued, "pauseUpgrade", shown, id=str(upgrade.id))
    assert paused == {"state": "PAUSED", "total": 2, "workers": []}
    assert await versions_of(queued.store, 1, 2, 3, 4) == [2, 2, 1, 1]


async def test_a_resumed_upgrade_goes_on_where_it_stopped(queued: Client) -> None:
    await work_one_chunk(queued.store, a_worker())
    upgrade = await the_upgrade(queued.store)
    await ask_for(queued, "pauseUpgrade", id=str(upgrade.id))
    resumed = await ask_for(queued, "resumeUpgrade", "id state total", id=str(upgrade.id))
    assert resumed == {"id": str(upgrade.id), "state": "QUEUED", "total": 2}
    finished = await work_off_next(queued.store, a_worker("another"))
    assert (finished.state, finished.upgraded, finished.skipped) == (UpgradeState.COMPLETED, 4, 1)


async def test_cancels_for_good_what_is_not_done(queued: Client) -> None:
    await work_one_chunk(queued.store, a_worker())
    upgrade = await the_upgrade(queued.store)
    cancelled = await ask_for(
        queued, "cancelUpgrade", "state total upgraded finishedAt etaSeconds workers", id=str(upgrade.id)
    )
    assert cancelled.pop("finishedAt").endswith("Z")
    assert cancelled == {
        "state": "CANCELLED",
        "total": 2,
        "upgraded": 2,
        "etaSeconds": None,
        "workers": [],
    }
    assert await claim(queued.store, a_worker()) is None
    assert await versions_of(queued.store, 1, 2, 3, 4) == [2, 2, 1, 1]


AGAIN = "id state selection targetVersion retriedReasons reason expected total upgraded skipped of {id state}"


async def test_retries_just_what_was_skipped_for_a_reason(done: Client) -> None:
    earlier = await the_upgrade(done.store)
    await add_instances(done.store, an_instance(6))
    await report_instances(done.store, reports=[pending(5)], caller=ADMIN)
    retry = await ask_for(
        done, "retryUpgrade", AGAIN, id=str(earlier.id), reasons=["NOT_PENDING"], reason="The night is over"
    )
    assert retry.pop("id") != str(earlier.id)
    assert retry == {
        "state": "COMPLETED",
        "selection": "RETRY",
        "targetVersion": 2,
        "retriedReasons": ["NOT_PENDING"],
        "reason": "The night is over",
        "expected": 1,
        "total": 1,
        "upgraded": 1,
        "skipped": 0,
        "of": {"id": str(earlier.id), "state": "COMPLETED"},
    }
    assert await versions_of(done.store, 5, 6) == [2, 1]


async def test_undoes_what_nobody_has_moved_since(done: Client) -> None:
    earlier = await the_upgrade(done.store)
    await report_instances(done.store, reports=[pending(1, at="pay")], caller=ADMIN)
    undo = await ask_for(
        done,
        "undoUpgrade",
        f"{AGAIN} countsByReason {{code count}} outcomes {{nodes {{instanceId kind fromVersion toVersion}}}}",
        id=str(earlier.id),
        wait=False,
    )
    undone = await work_off_next(done.store, a_worker())
    assert undo == {
        "id": str(undone.id),
        "state": "QUEUED",
        "selection": "UNDO",
        "targetVersion": None,
        "retriedReasons": [],
        "reason": None,
        "expected": 4,
        "total": 0,
        "upgraded": 0,
        "skipped": 0,
        "of": {"id": str(earlier.id), "state": "COMPLETED"},
        "countsByReason": [],
        "outcomes": {"nodes": []},
    }
    data = await done.ask(
        """
        query($id: UUID!) {
          upgrade(id: $id) {
            state
            countsByReason {code count}
            outcomes(first: 2) {nodes {instanceId kind fromVersion toVersion reasons {code message}}}
          }
        }
        """,
        id=undo["id"],
    )
    assert data["upgrade"] == {
        "state": "COMPLETED",
        "countsByReason": [{"code": "MOVED_ON", "count": 1}],
        "outcomes": {
            "nodes": [
                {
                    "instanceId": str(an_id(1)),
                    "kind": "SKIPPED",
                    "fromVersion": 2,
                    "toVersion": 2,
                    "reasons": [
                        {
                            "code": "MOVED_ON",
                            "message": "Expected to find it on version 2 at 'approve', "
                            "but it is on version 2 at 'pay'.",
                        }
                    ],
                },
                {
                    "instanceId": str(an_id(2)),
                    "kind": "UPGRADED",
                    "fromVersion": 2,
                    "toVersion": 1,
                    "reasons": [],
                },
            ]
        },
    }
    assert await versions_of(done.store, 1, 2, 3, 4, 5) == [2, 1, 1, 1, 1]


async def test_an_undo_can_be_paused_and_cancelled_too(done: Client) -> None:
    earlier = await the_upgrade(done.store)
    undo = await ask_for(done, "undoUpgrade", id=str(earlier.id), wait=False)
    await work_one_chunk(done.store, a_worker())
    await ask_for(done, "pauseUpgrade", id=undo["id"])
    cancelled = await ask_for(done, "cancelUpgrade", "state upgraded", id=undo["id"])
    assert cancelled == {"state": "CANCELLED", "upgraded": 2}
    assert await versions_of(done.store, 1, 2, 3, 4) == [1, 1, 2, 2]


@CONTROLS
async def test_an_upgrade_that_does_not_exist_is_refused(queued: Client, mutation: str) -> None:
    before = await contents(queued.store)
    assert await payload_of(queued, mutation, id=str(an_id(9))) == {
        "upgrade": None,
        "userErrors": [
            {
                "__typename": "UpgradeNotFoundError",
                "code": "UPGRADE_NOT_FOUND",
                "field": ["id"],
                "message": f"Expected to find upgrade {an_id(9)}, but there is none.",
                "upgradeId": str(an_id(9)),
            }
        ],
    }
    assert await contents(queued.store) == before


@pytest.mark.parametrize(
    ("mutation", "state"),
    [
        (mutation, state)
        for mutation, allowed in ALLOWED.items()
        for state in UpgradeState
        if state not in allowed
    ],
)
async def test_a_state_that_does_not_allow_it_is_refused(
    queued: Client, mutation: str, state: UpgradeState
) -> None:
    upgrade = await put_into(queued.store, (await the_upgrade(queued.store)).id, state=state)
    before = await contents(queued.store)
    allowed = ALLOWED[mutation]
    attempt = mutation.removesuffix("Upgrade")
    assert await payload_of(queued, mutation, id=str(upgrade.id)) == {
        "upgrade": None,
        "userErrors": [
            {
                "__typename": "WrongStateError",
                "code": "WRONG_STATE",
                "field": ["id"],
                "message": f"Expected to {attempt} upgrade {upgrade.id} while it is {' or '.join(allowed)}, "
                f"but it is {state}.",
                "upgradeId": str(upgrade.id),
                "state": state.value,
                "allowedStates": list(allowed),
            }
        ],
    }
    assert await contents(queued.store) == before


@pytest.mark.parametrize(
    ("mutation", "state"), [(mutation, state) for mutation, several in ALLOWED.items() for state in several]
)
async def test_every_state_that_is_named_as_allowed_allows_it(
    queued: Client, mutation: str, state: str
) -> None:
    upgrade = await put_into(queued.store, (await the_upgrade(queued.store)).id, state=UpgradeState(state))
    assert await ask_for(queued, mutation, id=str(upgrade.id))


@pytest.mark.parametrize(
    ("reasons", "got"),
    [
        ([], "none"),
        (["INSTANCE_NOT_FOUND"], "INSTANCE_NOT_FOUND"),
        (["NOT_PENDING", "MOVED_ON"], "MOVED_ON, NOT_PENDING"),
    ],
)
async def test_only_reasons_that_can_pass_are_retried(done: Client, reasons: list[str], got: str) -> None:
    upgrade = await the_upgrade(done.store)
    message = f"Expected reasons to be some of ALREADY_LATEST, INCOMPATIBLE, NOT_PENDING, but got {got}."
    await must_refuse_input(done, "retryUpgrade", ["reasons"], message, id=upgrade.id, reasons=reasons)


@pytest.mark.parametrize("mutation", ["retryUpgrade", "undoUpgrade"])
async def test_an_undo_is_not_followed(done: Client, mutation: str) -> None:
    earlier = await the_upgrade(done.store)
    await ask_for(done, "undoUpgrade", id=str(earlier.id), wait=False)
    undo = await work_off_next(done.store, a_worker())
    message = f"Expected to {mutation.removesuffix('Upgrade')} an upgrade, but {undo.id} is an undo."
    await must_refuse_input(done, mutation, ["id"], message, id=undo.id)


@pytest.mark.parametrize("mutation", ["retryUpgrade", "undoUpgrade"])
async def test_an_upgrade_whose_outcomes_were_pruned_is_not_followed(done: Client, mutation: str) -> None:
    upgrade = await pruned(done)
    message = (
        f"Expected to {mutation.removesuffix('Upgrade')} upgrade {upgrade.id}, but its outcomes were pruned."
    )
    await must_refuse_input(done, mutation, ["id"], message, id=upgrade.id)


@pytest.mark.parametrize("mutation", ["retryUpgrade", "undoUpgrade"])
async def test_too_long_a_reason_is_refused(done: Client, mutation: str) -> None:
    upgrade = await the_upgrade(done.store)
    message = "Expected reason to be at most 1,000 characters, but got 1,001."
    await must_refuse_input(done, mutation, ["reason"], message, id=upgrade.id, reason="x" * 1001)


async def test_of_a_pruned_upgrade_the_counts_stay(done: Client) -> None:
    upgrade = await pruned(done)
    data = await done.ask(
        """
        query($id: UUID!) {
          upgrade(id: $id) {
            prunedAt total upgraded countsByReason {code count}
            all: outcomes {totalCount nodes {kind}}
            skipped: outcomes(reason: NOT_PENDING) {totalCount nodes {kind}}
          }
        }
        """,
        id=str(upgrade.id),
    )
    assert data["upgrade"] == {
        "prunedAt": "2026-05-04T18:00:00.654321Z",
        "total": 5,
        "upgraded": 4,
        "countsByReason": [{"code": "NOT_PENDING", "count": 1}],
        "all": {"totalCount": 0, "nodes": []},
        "skipped": {"totalCount": 0, "nodes": []},
    }


@CONTROLS
async def test_only_a_system_administrator_may_control_an_upgrade(queued: Client, mutation: str) -> None:
    upgrade = await the_upgrade(queued.store)
    before = await contents(queued.store)
    data, errors = await queued.reader().answer(
        text(mutation), input={**INPUTS[mutation], "id": str(upgrade.id)}
    )
    assert data == {mutation: None}
    assert [(error["path"], error["extensions"]) for error in errors] == [([mutation], {"code": "FORBIDDEN"})]
    assert await contents(queued.store) == before


async def must_refuse_input(
    client: Client, mutation: str, field: list[str], message: str, **asked: Any
) -> None:
    before = await contents(client.store)
    asked["id"] = str(asked["id"])
    assert await payload_of(client, mutation, **asked) == {
        "upgrade": None,
        "userErrors": [
            {"__typename": "InvalidInputError", "code": "INVALID_INPUT", "field": field, "message": message}
        ],
    }
    assert await contents(client.store) == before


async def pruned(client: Client) -> Upgrade:
    """The only upgrade, finished long ago and then pruned."""
    upgrade = await put_into(client.store, (await the_upgrade(client.store)).id, finished_at=EVENING)
    await prune_outcomes(client.store, before=EVENING + timedelta(days=1), clock=lambda: EVENING)
    everything = PageRequest(first=10)
    assert not (await client.store.outcome_pages([upgrade.id], OutcomeFilter(), everything))[upgrade.id].items
    return await the_upgrade(client.store)


def pending(number: int, *, at: str = "approve") -> InstanceReport:
    instance = an_instance(number, position=[at])
    return InstanceReport(id=instance.id, status=Status.PENDING, position=instance.position)
