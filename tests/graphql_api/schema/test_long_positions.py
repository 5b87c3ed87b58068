"""The positions of a long list of instances: equal ones are one list in memory, and too many are refused."""

from typing import Any

import pytest

from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import ORDER, add_process, an_id
from uplift.domain import Position
from uplift.domain.use_cases import instances as use_case
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
    assert distinct(held) == (501, 501)
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
