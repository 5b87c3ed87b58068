"""Tests laws for every body: it never breaks the server, and REST and domain agree on the result."""

import json
from itertools import count
from typing import Any
from uuid import UUID, uuid5

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rest_compat.support.rest_world import ADMIN, an_id, an_instance, ask, snapshot
from tests.rest_compat.support.rest_world import add_process as add
from tests.support.long_mode import IS_LONG
from uplift.domain import ProcessKey, Status, VersionNumber, all_active, by_ids, upgrade_instances
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.ports import OutcomeFilter, Store

pytestmark = pytest.mark.anyio

law = settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""The examples of a test share its fixtures; where that matters, each adds processes of its own."""

NAMES = ["instanceIds", "instances", "unselectedIds", "updateAllActive"]
IDS = st.integers(1, 12).map(an_id)
SPELLED = st.sampled_from([str, lambda uuid: uuid.hex, lambda uuid: uuid.urn, lambda uuid: f"{{{uuid}}}"])
SPELLED_IDS = st.builds(lambda spell, uuid: spell(uuid), SPELLED, IDS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | SPELLED_IDS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
VALUES = st.lists(SPELLED_IDS) | st.booleans() | JSON
OBJECTS = st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES, max_size=5)


def slightly_broken(body: bytes, position: int, patch: bytes) -> bytes:
    cut = position % (len(body) + 1)
    return body[:cut] + patch + body[cut + len(patch) :]


TEXTS = OBJECTS.map(lambda value: json.dumps(value).encode())
BODIES = st.binary() | TEXTS | st.builds(slightly_broken, TEXTS, st.integers(0), st.binary(max_size=3))


@law
@given(body=BODIES)
async def test_no_body_breaks_the_server_and_a_refused_one_changes_nothing(
    client: httpx2.AsyncClient, rest_store: Store, body: bytes
) -> None:
    before = await snapshot(rest_store)
    reply = await ask(client, body)
    assert reply.status_code in (200, 400)
    assert reply.json()["success"] is (reply.status_code == 200)
    if reply.status_code == 400:
        assert await snapshot(rest_store) == before


STATES = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(Status)), max_size=10)
_numbers = count()


async def a_twin(store: Store, states: list[tuple[int, Status]]) -> tuple[ProcessKey, list[UUID]]:
    """A new process of three versions with instances in these states, and two ids that no instance has."""
    process = ProcessKey(namespace="twins", code=f"twin-{next(_numbers)}")
    ids = [uuid5(UUID(int=0), f"{process}-{index}") for index in range(len(states) + 2)]
    instances = [
        an_instance(instance_id, version=version, status=status, process=process)
        for instance_id, (version, status) in zip(ids, states, strict=False)
    ]
    await add(store, process, published=3, instances=instances)
    return process, ids


def shown(content: dict[str, Any], ids: list[UUID]) -> list[tuple[int, int | None, int | None, list[str]]]:
    return [
        (ids.index(UUID(instance["id"])), instance["fromVersion"], instance["toVersion"], instance["reasons"])
        for instance in content["instances"]
    ]


@settings(law, max_examples=100 if IS_LONG else 30)
@given(states=STATES, chosen=st.lists(st.integers(0, 11), min_size=1), everything=st.booleans())
async def test_rest_and_domain_agree(
    client: httpx2.AsyncClient,
    rest_store: Store,
    states: list[tuple[int, Status]],
    chosen: list[int],
    everything: bool,
) -> None:
    ours, our_ids = await a_twin(rest_store, states)
    theirs, their_ids = await a_twin(rest_store, states)
    picked = [index % len(our_ids) for index in chosen]
    selection = all_active if everything else by_ids
    upgrade = await upgrade_instances(
        rest_store,
        UpgradeRequest(process=ours, selection=selection(our_ids[index] for index in picked)),
        caller=ADMIN,
    )
    pages = await rest_store.upgrades.outcome_pages([upgrade.id], OutcomeFilter(), PageRequest(first=1_000))
    expected = [
        (
            our_ids.index(outcome.instance),
            outcome.from_version,
            outcome.to_version,
            [reason.code for reason in outcome.reasons],
        )
        for outcome in pages[upgrade.id].items
        if outcome.reasons or not everything
    ]

    ids = [str(their_ids[index]) for index in picked]
    body = {"updateAllActive": True, "unselectedIds": ids} if everything else {"instanceIds": ids}
    content = (await ask(client, body, process=theirs)).json()

    assert (content["total"], content["updated"], content["skipped"]) == (
        upgrade.total,
        upgrade.upgraded,
        upgrade.skipped,
    )
    assert (content["version"], shown(content, their_ids)) == (VersionNumber(3), expected)
