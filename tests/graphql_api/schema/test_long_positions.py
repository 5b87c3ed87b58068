"""The positions of a long list of instances: equal ones are one list in memory, and too many are refused."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from threading import Event
from typing import Any
from uuid import UUID

import pytest

from tests.graphql_api.support.schema_client import Client, execute_served
from tests.graphql_api.support.schema_world import ORDER, add_process, an_id
from uplift.domain import InstanceId, Position
from uplift.domain.use_cases import instances as use_case
from uplift.graphql_api.engine import large_variables
from uplift.graphql_api.types.inputs import long_inputs
from uplift.graphql_api.types.inputs.inputs import RegisteredInstanceInput

pytestmark = pytest.mark.anyio

REGISTER = """
mutation($new: [RegisteredInstanceInput!]!) {
  registerInstances(input: {namespace: "shop", code: "order", instances: $new}) {
    count
    userErrors {message}
  }
}
"""


def in_positions(positions: int) -> list[dict[str, Any]]:
    """Instances in so many positions of two elements, each position in either order."""
    return [
        {
            "id": str(an_id(number)),
            "version": 1,
            "status": "PENDING",
            "position": sorted(["a", f"t{number % positions}"], reverse=number < positions),
        }
        for number in range(1_400)
    ]


@pytest.fixture
def client(client: Client) -> Client:
    """A client of the endpoint: strawberry's executor shares nothing."""
    return replace(client, execute=execute_served)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], Position]]:
    """The positions of the instances before and after their conversion."""
    converted: list[tuple[list[str], Position]] = []
    convert = RegisteredInstanceInput.instance

    def noting(instance: RegisteredInstanceInput, *parameters: Any) -> Any:
        value = convert(instance, *parameters)
        converted.append((instance.position, value.position))
        return value

    monkeypatch.setattr(RegisteredInstanceInput, "instance", noting)
    return converted


def distinct(held: list[tuple[list[str], Position]]) -> tuple[int, int]:
    """How many lists and how many positions lie in memory."""
    return len({id(elements) for elements, _ in held}), len({id(position) for _, position in held})


async def test_equal_positions_of_a_long_list_are_one_list(
    client: Client, held: list[tuple[list[str], Position]]
) -> None:
    await add_process(client.store)
    data = await client.ask(REGISTER, new=in_positions(700))
    assert data["registerInstances"] == {"count": 1_400, "userErrors": []}
    assert distinct(held) == (700, 700)
    stored = await client.store.instances.find_many([an_id(3), an_id(703)])
    assert {frozenset({"a", "t3"})} == {instance.position for instance in stored.values()}


async def test_positions_above_the_limit_are_refused_and_take_no_memory(
    client: Client, held: list[tuple[list[str], Position]], monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_process(client.store)
    for module in (use_case, long_inputs):
        monkeypatch.setattr(module, "MAX_POSITIONS", 500)
    data = await client.ask(REGISTER, new=in_positions(700))
    assert data["registerInstances"] == {
        "count": None,
        "userErrors": [
            {
                "message": "Expected at most 500 different positions in one request, but "
                "instances[500].position is one more. Send the instances in several requests."
            }
        ],
    }
    assert distinct(held)[1] == 501
    assert (await client.store.instances.cohorts([ORDER]))[ORDER] == ()


async def test_as_many_positions_as_the_limit_are_registered(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_process(client.store)
    for module in (use_case, long_inputs):
        monkeypatch.setattr(module, "MAX_POSITIONS", 500)
    data = await client.ask(REGISTER, new=in_positions(500))
    assert data["registerInstances"]["count"] == 1_400
    assert len((await client.store.instances.cohorts([ORDER]))[ORDER]) == 500


REGISTER_TWICE = """
mutation($first: [RegisteredInstanceInput!]!, $second: [RegisteredInstanceInput!]!) {
  first: registerInstances(input: {namespace: "shop", code: "order", instances: $first}) { count }
  second: registerInstances(input: {namespace: "shop", code: "order", instances: $second}) { count }
}
"""


async def test_two_lists_of_one_request_may_have_as_many_positions_each(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_process(client.store)
    for module in (use_case, long_inputs):
        monkeypatch.setattr(module, "MAX_POSITIONS", 700)
    first, second = in_positions(700), in_positions(700)
    for number, instance in enumerate(second):
        instance |= {"id": str(an_id(10_000 + number)), "position": [f"z{number % 700}"]}
    data = await client.ask(REGISTER_TWICE, first=first, second=second)
    assert data == {"first": {"count": 1_400}, "second": {"count": 1_400}}
    await require_stored(client, first + second)


async def test_small_requests_beside_a_large_one_keep_their_positions(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_process(client.store)
    for module in (use_case, long_inputs):
        monkeypatch.setattr(module, "MAX_POSITIONS", 500)
    reached, may_go_on = Event(), Event()

    class Stopping:
        """Stops the thread for large requests when it has coerced more positions than a request may have."""

        def __init__(self, items: Iterable[Any]) -> None:
            self._items = items

        def __iter__(self) -> Iterator[Any]:
            for number, item in enumerate(self._items):
                if number == 600:
                    reached.set()
                    may_go_on.wait(60)
                yield item

    drain = large_variables.draining
    monkeypatch.setattr(
        "uplift.graphql_api.engine.execution.draining",
        lambda *parameters: {name: Stopping(items) for name, items in drain(*parameters).items()},
    )
    large = asyncio.create_task(client.ask(REGISTER, new=in_positions(700)))
    try:
        assert await asyncio.to_thread(reached.wait, 60)
        small = {"id": str(an_id(9_999)), "version": 1, "status": "PENDING", "position": ["small"]}
        assert (await client.ask(REGISTER, new=[small]))["registerInstances"]["count"] == 1
    finally:
        may_go_on.set()
    assert "at most 500" in (await large)["registerInstances"]["userErrors"][0]["message"]
    await require_stored(client, [small])


async def require_stored(client: Client, instances: list[dict[str, Any]]) -> None:
    stored = await client.store.instances.find_many(
        [InstanceId(UUID(instance["id"])) for instance in instances]
    )
    assert {str(instance_id): instance.position for instance_id, instance in stored.items()} == {
        instance["id"]: frozenset(instance["position"]) for instance in instances
    }
