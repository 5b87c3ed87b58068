"""Helpers that request upgrades by mutations and read them from the store."""

from dataclasses import replace
from typing import Any

from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import add_instances, add_process, an_id, an_instance
from tests.support.workers import a_worker
from uplift.domain import Status, Upgrade, UpgradeId
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import Store

INPUTS: dict[str, dict[str, Any]] = {
    "upgradeInstances": {"namespace": "shop", "code": "order", "selection": {"allActive": {}}},
    "pauseUpgrade": {},
    "resumeUpgrade": {},
    "cancelUpgrade": {},
    "retryUpgrade": {"reasons": ["NOT_PENDING"]},
    "undoUpgrade": {},
}
"""The input fields that each mutation of upgrades needs beside an id."""


async def a_small_front_door(client: Client) -> Client:
    """A client of a server with chunks of two instances; four instances are PENDING and one is RUNNING."""
    await add_process(client.store, versions=2)
    await add_instances(client.store, *map(an_instance, range(1, 5)), an_instance(5, status=Status.RUNNING))
    return replace(client, worker=a_worker("front door"))


async def upgrade_from(client: Client, mutation: str, fields: str = "id state", **input_fields: Any) -> Any:
    """The upgrade that a mutation returns."""
    payload = await payload_from(client, mutation, fields, **input_fields)
    assert payload["userErrors"] == []
    return payload["upgrade"]


async def payload_from(client: Client, mutation: str, fields: str = "id state", **input_fields: Any) -> Any:
    """The payload of a mutation."""
    data = await client.ask(text(mutation, fields), input={**INPUTS[mutation], **input_fields})
    return data[mutation]


def text(mutation: str, fields: str = "id state") -> str:
    return f"""
        mutation($input: {mutation[0].upper()}{mutation[1:]}Input!) {{
          {mutation}(input: $input) {{
            upgrade {{{fields}}}
            userErrors {{
              __typename code field message
              ... on UpgradeNotFoundError {{upgradeId}}
              ... on WrongStateError {{upgradeId state allowedStates}}
              ... on IdempotencyConflictError {{upgradeId}}
            }}
          }}
        }}
    """


async def the_upgrades(store: Store) -> list[Upgrade]:
    """All upgrades, the oldest first."""
    return list(reversed((await store.upgrades.page(None, PageRequest(first=100))).items))


async def the_upgrade(store: Store) -> Upgrade:
    """The only upgrade."""
    [upgrade] = await the_upgrades(store)
    return upgrade


async def put_into(
    store: Store, upgrade: UpgradeId, *, keeps_workers: bool = False, **fields: Any
) -> Upgrade:
    """Overwrite fields of a stored upgrade, whose workers lose their leases unless they are to keep them."""
    async with store.transaction() as transaction:
        locked = await transaction.upgrades.lock(upgrade)
        assert locked is not None
        before = locked.upgrade if keeps_workers else await locked.stop()
        changed = replace(before, **fields)
        await locked.save(changed)
        return changed


async def versions_of(store: Store, *numbers: int) -> list[int]:
    """The versions of the instances with these numbers."""
    found = await store.instances.find_many([an_id(number) for number in numbers])
    return [found[an_id(number)].version for number in numbers]
