"""Tests which bodies select instances: every combination of the four properties."""

from itertools import filterfalse, product
from typing import Any

import httpx2
import pytest

from tests.rest_compat.support.rest_world import (
    RUNNING_1,
    SPELLINGS,
    UNKNOWN,
    WAITING_1,
    WAITING_2,
    WAITING_LATEST,
    ask,
    snapshot,
)
from uplift.domain.ports import Store

pytestmark = pytest.mark.anyio

ABSENT = object()
LISTS = [ABSENT, None, [], [str(WAITING_1)]]
FLAGS = [ABSENT, None, False, True]
COMBINATIONS = list(product(LISTS, LISTS, FLAGS, LISTS))
ACTIVE = 4
"""Instances of the process in the tests' world that have not ended."""


def a_body(*values: Any) -> dict[str, Any]:
    names = ("instanceIds", "instances", "updateAllActive", "unselectedIds")
    return {name: value for name, value in zip(names, values, strict=True) if value is not ABSENT}


def refused_fields(body: dict[str, Any]) -> list[str]:
    """The fields that rest.md#the-body refuses; none when the body selects in exactly one way."""
    ids, older, all_active, excluded = (
        body.get(name) for name in ("instanceIds", "instances", "updateAllActive", "unselectedIds")
    )
    name = "instances" if older else "instanceIds"
    if ids and older:
        return ["instanceIds", "instances"]
    if (ids or older) and all_active:
        return [name, "updateAllActive"]
    if excluded and not all_active:
        return ["unselectedIds"]
    if not (ids or older or all_active):
        return [name, "updateAllActive"]
    return []


def expected_total(body: dict[str, Any]) -> int:
    if not body.get("updateAllActive"):
        return 1
    return ACTIVE - len(body.get("unselectedIds") or [])


async def test_every_combination_selects_in_one_way_or_is_refused_with_its_fields(
    client: httpx2.AsyncClient, rest_store: Store
) -> None:
    bodies = [a_body(*combination) for combination in COMBINATIONS]
    untouched = await snapshot(rest_store)
    for body in filter(refused_fields, bodies):
        reply = await ask(client, body)
        assert (reply.status_code, reply.json()["code"]) == (400, "INVALID_SELECTION"), body
        assert [detail["field"] for detail in reply.json()["details"]] == refused_fields(body), body
        assert await snapshot(rest_store) == untouched, body
    for body in filterfalse(refused_fields, bodies):
        reply = await ask(client, body)
        assert (reply.status_code, reply.json()["total"]) == (200, expected_total(body)), body


async def test_leaves_out_the_exclusions_and_ignores_unknown_ones(
    client: httpx2.AsyncClient, rest_store: Store
) -> None:
    excluded = [str(WAITING_1), str(UNKNOWN)]
    reply = await ask(client, {"updateAllActive": True, "unselectedIds": excluded})
    assert {key: reply.json()[key] for key in ("total", "updated", "skipped")} == {
        "total": 3,
        "updated": 1,
        "skipped": 2,
    }
    remaining = (await rest_store.instances.find_many([WAITING_1]))[WAITING_1]
    assert remaining.version == 1


async def test_leaves_out_an_exclusion_in_any_spelling(client: httpx2.AsyncClient) -> None:
    excluded = [f"{{{WAITING_1}}}", WAITING_2.hex.upper(), WAITING_LATEST.urn, str(RUNNING_1).upper()]
    reply = await ask(client, {"updateAllActive": True, "unselectedIds": excluded})
    assert (reply.json()["total"], reply.json()["instances"]) == (0, [])


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_reads_an_id_in_each_spelling_and_writes_it_in_one(
    client: httpx2.AsyncClient, spelling: str
) -> None:
    reply = await ask(client, {"instanceIds": [spelling]})
    assert [instance["id"] for instance in reply.json()["instances"]] == [str(WAITING_1)]


async def test_an_id_in_all_its_spellings_counts_once(client: httpx2.AsyncClient) -> None:
    reply = await ask(client, {"instanceIds": SPELLINGS * 2})
    assert (reply.json()["total"], reply.json()["updated"]) == (1, 1)


async def test_reads_an_id_with_escaped_characters(client: httpx2.AsyncClient) -> None:
    escaped = str(WAITING_1).replace("-", "\\u002d").replace("a", "\\u0061")
    reply = await ask(client, f'{{"instance\\u0049ds": ["{escaped}"]}}'.encode())
    assert reply.json()["updated"] == 1
