"""Operators pause, resume, cancel, retry and undo upgrades, if the state allows it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import add_instances, an_id, an_instance, contents
from tests.graphql_api.support.upgrade_requests import (
    INPUTS,
    a_small_front_door,
    payload_from,
    put_into,
    text,
    the_upgrade,
    upgrade_from,
    versions_of,
)
from tests.support.workers import a_worker, run_next_upgrade, run_one_chunk
from uplift.domain import InstanceReport, Status, Upgrade, UpgradeState, claim, report_instances
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import OutcomeFilter
from uplift.domain.use_cases.prune import prune_outcomes
from uplift.testing.builders import ADMIN, EVENING

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
    """A server with chunks of two instances, and a queued upgrade of five."""
    small = await a_small_front_door(client)
    await upgrade_from(small, "upgradeInstances", wait=False)
    return small


@pytest.fixture
async def done(queued: Client) -> Client:
    """The same after the upgrade: four instances were upgraded, the fifth was RUNNING."""
    await run_next_upgrade(queued.store, a_worker())
    return queued


async def test_pauses_a_queued_upgrade(queued: Client) -> None:
    upgrade = await the_upgrade(queued.store)
    paused = await upgrade_from(queued, "pauseUpgrade", "id state total startedAt", id=str(upgrade.id))
    assert paused == {"id": str(upgrade.id), "state": "PAUSED", "total": 0, "startedAt": None}
    assert await claim(queued.store, a_worker()) is None


async def test_pauses_an_upgrade_between_two_chunks(queued: Client) -> None:
    await run_one_chunk(queued.store, a_worker("night shift"))
    upgrade = await the_upgrade(queued.store)
    fields = "state total workers"
    data = await queued.ask(f"query($id: UUID!) {{upgrade(id: $id) {{{fields}}}}}", id=str(upgrade.id))
    assert data["upgrade"] == {"state": "RUNNING", "total": 2, "workers": ["night shift"]}
    paused = await upgrade_from(queued, "pauseUpgrade", fields, id=str(upgrade.id))
    assert paused == {"state": "PAUSED", "total": 2, "workers": []}
    assert await versions_of(queued.store, 1, 2, 3, 4) == [2, 2, 1, 1]


async def test_a_resumed_upgrade_continues_where_it_was_paused(queued: Client) -> None:
    await run_one_chunk(queued.store, a_worker())
    upgrade = await the_upgrade(queued.store)
    await upgrade_from(queued, "pauseUpgrade", id=str(upgrade.id))
    resumed = await upgrade_from(queued, "resumeUpgrade", "id state total", id=str(upgrade.id))
    assert resumed == {"id": str(upgrade.id), "state": "QUEUED", "total": 2}
    finished = await run_next_upgrade(queued.store, a_worker("another"))
    assert (finished.state, finished.upgraded, finished.skipped) == (UpgradeState.COMPLETED, 4, 1)


async def test_cancels_the_unfinished_rest_of_an_upgrade(queued: Client) -> None:
    await run_one_chunk(queued.store, a_worker())
    upgrade = await the_upgrade(queued.store)
    cancelled = await upgrade_from(
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


async def test_retries_only_instances_skipped_for_a_reason(done: Client) -> None:
    earlier = await the_upgrade(done.store)
    await add_instances(done.store, an_instance(6))
    await report_instances(done.store, reports=[pending(5)], caller=ADMIN)
    # A retry reads all five outcomes, so it runs at once only where a chunk has as many.
    larger = replace(done, worker=a_worker("front door", size=5))
    retry = await upgrade_from(
        larger, "retryUpgrade", AGAIN, id=str(earlier.id), reasons=["NOT_PENDING"], reason="The night is over"
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


async def test_undoes_instances_that_have_not_moved_since(done: Client) -> None:
    earlier = await the_upgrade(done.store)
    await report_instances(done.store, reports=[pending(1, at="pay")], caller=ADMIN)
    undo = await upgrade_from(
        done,
        "undoUpgrade",
        f"{AGAIN} countsByReason {{code count}} outcomes {{nodes {{instanceId kind fromVersion toVersion}}}}",
        id=str(earlier.id),
        wait=False,
    )
    undone = await run_next_upgrade(done.store, a_worker())
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
                            "message": "Expected the instance to still be on version 2 at 'approve', "
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
    undo = await upgrade_from(done, "undoUpgrade", id=str(earlier.id), wait=False)
    await run_one_chunk(done.store, a_worker())
    await upgrade_from(done, "pauseUpgrade", id=undo["id"])
    cancelled = await upgrade_from(done, "cancelUpgrade", "state upgraded", id=undo["id"])
    assert cancelled == {"state": "CANCELLED", "upgraded": 2}
    assert await versions_of(done.store, 1, 2, 3, 4) == [1, 1, 2, 2]


@CONTROLS
async def test_an_upgrade_that_does_not_exist_is_refused(queued: Client, mutation: str) -> None:
    before = await contents(queued.store)
    assert await payload_from(queued, mutation, id=str(an_id(9))) == {
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
    assert await payload_from(queued, mutation, id=str(upgrade.id)) == {
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
    ("mutation", "state"), [(mutation, state) for mutation, states in ALLOWED.items() for state in states]
)
async def test_every_allowed_state_allows_it(queued: Client, mutation: str, state: str) -> None:
    upgrade = await put_into(queued.store, (await the_upgrade(queued.store)).id, state=UpgradeState(state))
    assert await upgrade_from(queued, mutation, id=str(upgrade.id))


@pytest.mark.parametrize(
    ("reasons", "got"),
    [
        ([], "none"),
        (["INSTANCE_NOT_FOUND"], "INSTANCE_NOT_FOUND"),
        (["NOT_PENDING", "INSTANCE_NOT_FOUND"], "INSTANCE_NOT_FOUND, NOT_PENDING"),
    ],
)
async def test_only_reasons_that_may_change_are_retried(done: Client, reasons: list[str], got: str) -> None:
    upgrade = await the_upgrade(done.store)
    message = (
        "Expected reasons to be some of ALREADY_LATEST, CANCELLED, ENGINE_REFUSED, INCOMPATIBLE, MOVED_ON, "
        f"NOT_PENDING, but got {got}."
    )
    await assert_refused(done, "retryUpgrade", ["reasons"], message, id=upgrade.id, reasons=reasons)


@pytest.mark.parametrize("mutation", ["retryUpgrade", "undoUpgrade"])
async def test_an_undo_cannot_be_retried_or_undone(done: Client, mutation: str) -> None:
    earlier = await the_upgrade(done.store)
    await upgrade_from(done, "undoUpgrade", id=str(earlier.id), wait=False)
    undo = await run_next_upgrade(done.store, a_worker())
    message = f"Expected to {mutation.removesuffix('Upgrade')} an upgrade, but {undo.id} is an undo."
    await assert_refused(done, mutation, ["id"], message, id=undo.id)


@pytest.mark.parametrize("mutation", ["retryUpgrade", "undoUpgrade"])
async def test_an_upgrade_whose_outcomes_were_pruned_cannot_be_retried_or_undone(
    done: Client, mutation: str
) -> None:
    upgrade = await pruned(done)
    message = (
        f"Expected to {mutation.removesuffix('Upgrade')} upgrade {upgrade.id}, but its outcomes were pruned."
    )
    await assert_refused(done, mutation, ["id"], message, id=upgrade.id)


@pytest.mark.parametrize("mutation", ["retryUpgrade", "undoUpgrade"])
async def test_a_reason_that_is_too_long_is_refused(done: Client, mutation: str) -> None:
    upgrade = await the_upgrade(done.store)
    message = "Expected reason to be at most 1,000 characters, but got 1,001."
    await assert_refused(done, mutation, ["reason"], message, id=upgrade.id, reason="x" * 1001)


async def test_pruning_keeps_the_counts_of_an_upgrade(done: Client) -> None:
    upgrade = await pruned(done)
    data = await done.ask(
        """
        query($id: UUID!) {
          upgrade(id: $id) {
            prunedAt allowedActions total upgraded countsByReason {code count}
            all: outcomes {totalCount nodes {kind}}
            skipped: outcomes(filter: {reasons: NOT_PENDING}) {totalCount nodes {kind}}
          }
        }
        """,
        id=str(upgrade.id),
    )
    assert data["upgrade"] == {
        "prunedAt": "2026-05-04T18:00:00.654321Z",
        "allowedActions": [],
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


async def assert_refused(
    client: Client, mutation: str, field: list[str], message: str, **input_fields: Any
) -> None:
    before = await contents(client.store)
    input_fields["id"] = str(input_fields["id"])
    assert await payload_from(client, mutation, **input_fields) == {
        "upgrade": None,
        "userErrors": [
            {"__typename": "InvalidInputError", "code": "INVALID_INPUT", "field": field, "message": message}
        ],
    }
    assert await contents(client.store) == before


async def pruned(client: Client) -> Upgrade:
    """The only upgrade, with its outcomes pruned."""
    upgrade = await put_into(client.store, (await the_upgrade(client.store)).id, finished_at=EVENING)
    await prune_outcomes(client.store, before=EVENING + timedelta(days=1), clock=lambda: EVENING)
    everything = PageRequest(first=10)
    assert not (await client.store.upgrades.outcome_pages([upgrade.id], OutcomeFilter(), everything))[
        upgrade.id
    ].items
    return await the_upgrade(client.store)


def pending(number: int, *, at: str = "approve") -> InstanceReport:
    instance = an_instance(number, position=[at])
    return InstanceReport(id=instance.id, status=Status.PENDING, position=instance.position)
