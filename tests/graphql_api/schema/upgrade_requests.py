"""How the tests ask for upgrades and for what becomes of them."""

from dataclasses import replace
from typing import Any

from tests.graphql_api.schema.schema_client import Client
from tests.graphql_api.schema.schema_world import add_instances, add_process, an_id, an_instance
from tests.graphql_api.working import a_worker
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
"""What each mutation of upgrades needs beside an id."""


async def a_small_front_door(client: Client) -> Client:
    """A client whose server does two at once, before four that are PENDING and one that is RUNNING."""
    await add_process(client.store, versions=2)
    await add_instances(client.store, *map(an_instance, range(1, 5)), an_instance(5, status=Status.RUNNING))
    return replace(client, worker=a_worker("front door"))


async def ask_for(client: Client, mutation: str, shown: str = "id state", **asked: Any) -> Any:
    """The upgrade that a mutation answers with."""
    payload = await payload_of(client, mutation, shown, **asked)
    assert payload["userErrors"] == []
    return payload["upgrade"]


async def payload_of(client: Client, mutation: str, shown: str = "id state", **asked: Any) -> Any:
    """The whole payload of a mutation."""
    data = await client.ask(text(mutation, shown), input={**INPUTS[mutation], **asked})
    return data[mutation]


def text(mutation: str, shown: str = "id state") -> str:
    return f"""
        mutation($input: {mutation[0].upper()}{mutation[1:]}Input!) {{
          {mutation}(input: $input) {{
            upgrade {{{shown}}}
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
    return list(reversed((await store.upgrades(None, PageRequest(first=100))).items))


async def the_upgrade(store: Store) -> Upgrade:
    """The only one."""
    [upgrade] = await the_upgrades(store)
    return upgrade


async def put_into(store: Store, upgrade: UpgradeId, **facts: Any) -> Upgrade:
    """Keep something else of an upgrade than what happened to it."""
    async with store.transaction() as transaction:
        stored = await transaction.upgrade(upgrade)
        assert stored is not None
        changed = replace(stored, **facts)
        await transaction.save_upgrade(changed)
        return changed


async def versions_of(store: Store, *numbers: int) -> list[int]:
    """The versions that instances are on, by their numbers."""
    found = await store.instances([an_id(number) for number in numbers])
    return [found[an_id(number)].version for number in numbers]
